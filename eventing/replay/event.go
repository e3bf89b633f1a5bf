package replay

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NewEvent returns the event that an event source puts on the bus for data, which must be JSON: a CloudEvent whose source
// is the name of the EventSource, and whose subject is the name of the event there. Kind is the field of the EventSource
// that holds the source, such as "webhook". Each event needs an ID of its own, or it counts as a duplicate.
func NewEvent(kind, source, name, id string, at time.Time, data []byte) (cloudevents.Event, error) {
	event := cloudevents.NewEvent()
	event.SetID(id)
	event.SetType(kind)
	event.SetSource(source)
	event.SetSubject(name)
	event.SetTime(at)
	if !json.Valid(data) {
		return event, fmt.Errorf("event %s of %s/%s: the data is no JSON", id, source, name)
	}
	if err := event.SetData(cloudevents.ApplicationJSON, json.RawMessage(data)); err != nil {
		return event, fmt.Errorf("event %s of %s/%s: %w", id, source, name, err)
	}
	if err := event.Validate(); err != nil {
		return event, fmt.Errorf("event %s of %s/%s: %w", id, source, name, err)
	}
	return event, nil
}

// argoEvent returns the event as filters and parameters see it.
// argo-events: convertEvent in pkg/sensors/listener.go
func argoEvent(event *cloudevents.Event) *v1alpha1.Event {
	return &v1alpha1.Event{
		Context: &v1alpha1.EventContext{
			ID:              event.ID(),
			Source:          event.Source(),
			SpecVersion:     event.SpecVersion(),
			Type:            event.Type(),
			DataContentType: event.DataContentType(),
			Subject:         event.Subject(),
			Time:            metav1.Time{Time: event.Time()},
		},
		Data: event.Data(),
	}
}
