package eventing

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// DefaultEventBusName is the bus that event sources and sensors use when they
// name none.
const DefaultEventBusName = "default"

// EventBus is the transport between the event sources and the sensors of one
// namespace.
type EventBus struct {
	// Name of the bus. Default: "default", the one used by event sources and
	// sensors that name no bus.
	Name string
	// Namespace of the bus. Required: a bus serves its own namespace only.
	Namespace string
	// Labels and Annotations are put on the object.
	Labels      map[string]string
	Annotations map[string]string
	// Bus is the kind of transport. Required.
	Bus Bus
}

// Bus is the transport of an [EventBus]: [JetStream], [JetStreamExotic],
// [Kafka], [STAN], [STANExotic] or [RawBus].
type Bus interface {
	validateBus(path *field.Path) field.ErrorList
	busSpec() map[string]any
}

// RawBus is the spec of an EventBus as upstream defines it, for what the
// types here have no field for.
type RawBus struct {
	// Spec holds exactly one of upstream's transports, for example
	// {"kafka": {"url": "kafka:9092"}}. Required.
	Spec map[string]any
}

// Validate reports every fault of the bus.
func (b EventBus) Validate() field.ErrorList {
	faults := validateMeta(b.meta())
	path := field.NewPath("bus")
	if object.IsNil(b.Bus) {
		return append(faults, field.Required(path, "JetStream, JetStreamExotic, Kafka, STAN, STANExotic or RawBus"))
	}
	return append(faults, b.Bus.validateBus(path)...)
}

// Build returns the EventBus object. A fault is an Invalid API error.
func (b EventBus) Build() (*unstructured.Unstructured, error) {
	if err := EventBusKind.invalid(b.meta().Name, b.Validate()); err != nil {
		return nil, err
	}
	return EventBusKind.build(b.meta(), b.Bus.busSpec())
}

func (b EventBus) meta() object.Meta {
	return object.Meta{
		Name:        cmp.Or(b.Name, DefaultEventBusName),
		Namespace:   b.Namespace,
		Labels:      b.Labels,
		Annotations: b.Annotations,
	}
}

func (r RawBus) validateBus(path *field.Path) field.ErrorList {
	path = path.Child("spec")
	if len(r.Spec) > 1 {
		return field.ErrorList{field.TooMany(path, len(r.Spec), 1)}
	}
	return object.RequiredFragment(path, r.Spec)
}

func (r RawBus) busSpec() map[string]any { return r.Spec }
