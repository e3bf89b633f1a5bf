package eventing

import (
	"cmp"
	"strings"

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

// Bus is the transport of an [EventBus]: [JetStream], [JetStreamExotic] or
// [RawBus].
type Bus interface {
	validateBus(path *field.Path) field.ErrorList
	busSpec() map[string]any
}

// JetStream is a NATS JetStream cluster that the Argo Events controller runs as
// a StatefulSet.
type JetStream struct {
	// Version is one of the versions in the controller's configuration.
	// Default: "latest", which the upstream configuration defines.
	Version string
	// Replicas is the size of the cluster: 1, or 3 and more. Default: 3.
	Replicas int32
	// Stream overrides limits of the stream. Limits left zero keep the value of
	// the controller's configuration.
	Stream Stream
}

// JetStreamExotic is a NATS JetStream server that somebody else runs.
//
// Upstream names the stream "default" and keeps the state of a sensor in a
// key-value bucket of the sensor's name, so two namespaces that share a server
// share events and sensor state: give each its own server or NATS account.
type JetStreamExotic struct {
	// URL of the server, with the scheme nats, tls, ws or wss; several servers of
	// one cluster are separated by commas. Required. It must not carry
	// credentials: use Auth.
	URL string
	// Auth selects the key of a Secret in the namespace of the bus that holds a
	// YAML document with username and password. Default: no authentication.
	Auth *SecretKey
	// Stream sets the limits of the stream. Upstream applies them only when it
	// creates the stream; with none it would keep every event for ever, so
	// limits left zero get the defaults named at [Stream].
	Stream Stream
}

// RawBus is the spec of an EventBus as upstream defines it, for the transports
// that have no type here.
type RawBus struct {
	// Spec holds exactly one of upstream's transports, for example
	// {"kafka": {"url": "kafka:9092"}}.
	Spec map[string]any
}

// Validate reports every fault of the bus.
func (b EventBus) Validate() field.ErrorList {
	faults := validateMeta(b.meta())
	path := field.NewPath("bus")
	if object.IsNil(b.Bus) {
		return append(faults, field.Required(path, "JetStream, JetStreamExotic or RawBus"))
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

func (j JetStream) validateBus(path *field.Path) field.ErrorList {
	faults := j.Stream.validate(path.Child("stream"))
	// argo-events: pkg/reconciler/eventbus/validate.go
	if j.Replicas < 0 || j.Replicas == 2 {
		faults = append(faults, field.Invalid(path.Child("replicas"), j.Replicas, "must be 1, or 3 and more, to form a quorum"))
	}
	return append(faults, object.Text(path.Child("version"), j.Version)...)
}

func (j JetStream) busSpec() map[string]any {
	return map[string]any{"jetstream": object.Compact(map[string]any{
		"version":      cmp.Or(j.Version, "latest"),
		"replicas":     cmp.Or(j.Replicas, 3),
		"streamConfig": j.Stream.yaml(),
	})}
}

func (j JetStreamExotic) validateBus(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	// The NATS client takes several servers of one cluster, separated by commas.
	for _, server := range strings.Split(j.URL, ",") {
		faults = append(faults, validateURL(path.Child("url"), server, "nats", "tls", "ws", "wss")...)
	}
	if j.Auth != nil {
		faults = append(faults, j.Auth.validate(path.Child("auth"))...)
	}
	return append(faults, j.Stream.validate(path.Child("stream"))...)
}

func (j JetStreamExotic) busSpec() map[string]any {
	return map[string]any{"jetstreamExotic": object.Compact(map[string]any{
		"url":          j.URL,
		"streamConfig": j.Stream.withDefaults().yaml(),
		"accessSecret": j.Auth.selector(),
	})}
}

func (r RawBus) validateBus(path *field.Path) field.ErrorList {
	path = path.Child("spec")
	if len(r.Spec) > 1 {
		return field.ErrorList{field.TooMany(path, len(r.Spec), 1)}
	}
	return object.RequiredFragment(path, r.Spec)
}

func (r RawBus) busSpec() map[string]any { return r.Spec }
