package replay

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/sensors/triggers"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Firing is a trigger that runs.
type Firing struct {
	engine  *Engine
	trigger *compiledTrigger
	events  map[string]*cloudevents.Event
	at      time.Time
}

// Sensor is the namespace and name of the sensor.
func (f *Firing) Sensor() (namespace, name string) {
	return f.trigger.sensor.key.Namespace, f.trigger.sensor.key.Name
}

// Trigger is the name of the trigger.
func (f *Firing) Trigger() string { return f.trigger.name() }

// Events are those that the trigger runs with, by the dependency. A transform has changed them.
func (f *Firing) Events() map[string]cloudevents.Event {
	events := make(map[string]cloudevents.Event, len(f.events))
	for name, event := range f.events {
		events[name] = event.Clone()
	}
	return events
}

// Masked stands for a value that comes from a Secret or ConfigMap of the sensor's pod, or that carries credentials.
const Masked = "***"

// Action is what a trigger does.
type Action struct {
	// Kind is the field of upstream's trigger template, such as "http", "k8s" or "argoWorkflow".
	Kind string
	// Operation is the method of an HTTP request, and the operation of a k8s or argoWorkflow trigger.
	Operation string
	// Target is where it goes: the URL, the object as "Kind namespace/name", the topic, the subject, the channel.
	Target string
	// Header of an HTTP request, and of a Kafka message.
	Header http.Header
	// Payload is the body of the request or message, the patch of a k8s trigger, and the text of a slack, email or log
	// trigger.
	Payload []byte
	// Object of a k8s or argoWorkflow trigger as it is created, merged, submitted or deleted. The values of a Secret are masked.
	Object *unstructured.Unstructured
	// Parts are further fields of what is sent, by upstream's names, such as the subject of an email.
	Parts map[string]string
}

// Action puts together what the trigger does. The error is a [MissingError], an [UnsafeError], a [TimeoutError], a
// [CrashError], or the reason for which the live trigger fails too, such as a parameter without a value.
func (f *Firing) Action(ctx context.Context) (*Action, error) {
	return f.act(ctx, f.trigger.spec)
}

// DeadLetter puts together what the trigger's dead-letter trigger does, once all its tries have failed. It is nil if
// there is none.
func (f *Firing) DeadLetter(ctx context.Context) (*Action, error) {
	if f.trigger.spec.DlqTrigger == nil {
		return nil, nil //nolint:nilnil // there is none, and it is no error
	}
	return f.act(ctx, f.trigger.spec.DlqTrigger)
}

func (f *Firing) act(ctx context.Context, spec *v1alpha1.Trigger) (*Action, error) {
	namespace, name := f.Sensor()
	fail := func(err error) error {
		return fmt.Errorf("Sensor %s/%s: trigger %s: %w", namespace, name, f.Trigger(), err)
	}
	if f.trigger.unsafe != nil && !f.engine.options.AllowUnsafe {
		return nil, fail(f.trigger.unsafe)
	}
	action, err := bounded(ctx, f.engine.options.ScriptTimeout, func() (*Action, error) {
		run := actionRun{firing: f, trigger: spec.DeepCopy(), events: map[string]*v1alpha1.Event{}}
		for dependency, event := range f.events {
			run.events[dependency] = argoEvent(event)
		}
		// argo-events: triggerOne in pkg/sensors/listener.go
		if err := triggers.ApplyTemplateParameters(run.events, run.trigger); err != nil {
			return nil, err
		}
		return run.action(ctx)
	})
	if err != nil {
		return nil, fail(err)
	}
	return action, nil
}

// actionRun makes one action.
type actionRun struct {
	firing  *Firing
	trigger *v1alpha1.Trigger
	events  map[string]*v1alpha1.Event
}

// action asks the first template that is set, in upstream's order.
// argo-events: GetTrigger in pkg/sensors/trigger.go
func (r *actionRun) action(ctx context.Context) (*Action, error) {
	template := r.trigger.Template
	switch {
	case template.K8s != nil:
		return r.object(ctx)
	case template.ArgoWorkflow != nil:
		return r.workflow(ctx)
	case template.HTTP != nil:
		return r.request(ctx)
	case template.Slack != nil:
		return r.slack()
	case template.Email != nil:
		return r.email()
	case template.CustomTrigger != nil:
		return r.custom()
	case template.Log != nil:
		return r.log()
	default:
		return r.message()
	}
}
