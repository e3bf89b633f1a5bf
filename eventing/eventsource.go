package eventing

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// EventSource receives events from outside and puts them on a bus.
type EventSource struct {
	// Name of the event source, which sensors refer to. Required. A DNS label,
	// because it becomes one token of the bus subject.
	Name string
	// Namespace of the event source, where its bus lives too. Required.
	Namespace string
	// Labels and Annotations are put on the object; the labels also on the
	// objects of [EventSource.RBAC].
	Labels      map[string]string
	Annotations map[string]string
	// EventBus is the name of the bus. Default: "default".
	EventBus string
	// ServiceAccountName is the account its pod runs as. Default: an account of
	// its own, returned by [EventSource.RBAC], when the pod needs the Kubernetes
	// API; otherwise the default account of the namespace.
	ServiceAccountName string
	// Replicas is the number of pods. Sources that others call share the load;
	// those that fetch events elect one pod that does. Default: 1.
	Replicas int32
	// Pod shapes the pods.
	Pod Pod
	// Service shapes the Service in front of sources that others call.
	Service Service
	// Events maps the name of each event, which sensors refer to, to where it
	// comes from. At least one is required. A name consists of letters, digits,
	// "-" and "_". Sources that others call, which are updated without a gap, and
	// those that fetch events, of which one pod runs at a time, need an event
	// source each.
	Events map[string]Source
}

// Service shapes the Service that the controller makes for the ports of an
// [EventSource], "<name>-eventsource-svc".
type Service struct {
	// Labels and Annotations are put on the Service.
	Labels      map[string]string
	Annotations map[string]string
	// ClusterIP is an address, or "None" for a headless Service. Default: the
	// cluster chooses one.
	ClusterIP string
}

// Source is where an event comes from: [Alertmanager], [Calendar], [GitHub],
// [GitLab], [KafkaTopic], [NATSSubject], [PubSub], [Resource], [SNS], [SQS],
// [Webhook] or [RawSource].
type Source interface {
	validateSource(path *field.Path) field.ErrorList
	// sourceKind is the field of the EventSource spec that holds the source.
	sourceKind() string
	sourceSpec() map[string]any
	// sourceRoute is the HTTP route the source serves, if any.
	sourceRoute() (route, bool)
	sourcePermissions() []Permission
}

// RawSource is a source as upstream defines it, for what the types here
// have no field for.
type RawSource struct {
	// Kind is the field of the EventSource spec, for example "stripe".
	// Required.
	Kind string
	// Spec is the value under the name of the event, for example
	// {"eventFilter": ["charge.succeeded"]}. Required.
	Spec map[string]any
	// Permissions are the rights the source needs on the Kubernetes API.
	Permissions []Permission
}

// Validate reports every fault of the event source.
func (s EventSource) Validate() field.ErrorList {
	faults := s.validateName()
	faults = append(faults, optional(field.NewPath("eventBus"), s.EventBus, label)...)
	faults = append(faults, optional(field.NewPath("serviceAccountName"), s.ServiceAccountName, object.Name)...)
	faults = append(faults, notNegative(field.NewPath("replicas"), s.Replicas)...)
	faults = append(faults, s.Pod.validateWorker(field.NewPath("pod"))...)
	faults = append(faults, s.Service.validate(field.NewPath("service"))...)
	return append(faults, s.validateEvents(field.NewPath("events"))...)
}

func (s EventSource) validateEvents(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if len(s.Events) == 0 {
		faults = append(faults, field.Required(path, "at least one event is required"))
	}
	servers := servers{}
	updated := ""
	for _, name := range sortedKeys(s.Events) {
		faults = append(faults, matches(path.Key(name), name, eventName)...)
		source := s.Events[name]
		if object.IsNil(source) {
			faults = append(faults, field.Required(path.Key(name), "Webhook, GitHub, Resource or another source"))
			continue
		}
		faults = append(faults, source.validateSource(path.Key(name))...)
		faults = append(faults, servers.add(path.Key(name), source)...)
		strategy := updateStrategy(source)
		if updated != "" && strategy != updated {
			faults = append(faults, field.Forbidden(path.Key(name), "upstream refuses sources that others call beside those that fetch events: use another event source"))
			continue
		}
		updated = strategy
	}
	return faults
}

// updateStrategy is how upstream replaces the pod of a source. Those that fetch
// events must not run twice.
// argo-events: RecreateStrategyEventSources in pkg/apis/events/v1alpha1/const.go
func updateStrategy(source Source) string {
	switch source.sourceKind() {
	case "amqp", "azureEventsHub", "azureServiceBus", "calendar", "emitter", "file", "generic", "hdfs", "kafka", "minio", "mqtt",
		"nats", "nsq", "pubSub", "pulsar", "redis", "redisStream", "resource", "sftp":
		return "Recreate"
	}
	return "RollingUpdate"
}

func (s Service) validate(path *field.Path) field.ErrorList {
	faults := metav1validation.ValidateLabels(s.Labels, path.Child("labels"))
	faults = append(faults, object.Annotations(path.Child("annotations"), s.Annotations)...)
	if s.ClusterIP != "" && s.ClusterIP != "None" {
		faults = append(faults, validation.IsValidIP(path.Child("clusterIP"), s.ClusterIP)...)
	}
	return faults
}

func (s EventSource) validateName() field.ErrorList {
	faults := validateMeta(s.meta())
	if len(faults) > 0 || len(s.ports()) == 0 {
		return faults
	}
	// argo-events: buildService in pkg/reconciler/eventsource/resource.go
	for _, message := range validation.IsDNS1035Label(s.Name + serviceSuffix) {
		faults = append(faults, field.Invalid(field.NewPath("name"), s.Name, "followed by "+serviceSuffix+" it names a Service: "+message))
	}
	return faults
}

// serviceSuffix follows the name of an event source in the name of its Service.
const serviceSuffix = "-eventsource-svc"

// Build returns the EventSource object. The ports of webhooks are exposed
// through a ClusterIP Service, which the controller names
// "<name>-eventsource-svc". A fault is an Invalid API error.
func (s EventSource) Build() (*unstructured.Unstructured, error) {
	if err := EventSourceKind.invalid(s.Name, s.Validate()); err != nil {
		return nil, err
	}
	spec := podSpec(s.EventBus, s.account(), s.Pod, s.Replicas)
	for name, source := range s.Events {
		events, ok := spec[source.sourceKind()].(map[string]any)
		if !ok {
			events = map[string]any{}
			spec[source.sourceKind()] = events
		}
		events[name] = source.sourceSpec()
	}
	if ports := s.ports(); len(ports) > 0 {
		spec["service"] = object.Compact(map[string]any{
			"metadata":  metadata(s.Service.Labels, s.Service.Annotations),
			"clusterIP": s.Service.ClusterIP,
			"ports":     servicePorts(ports),
		})
	}
	return EventSourceKind.build(s.meta(), spec)
}

// RBAC returns the objects that give the pod of the event source the rights it
// needs and no more: a ServiceAccount, unless the caller named one, and Roles
// with their bindings. It is empty when the pod does not use the Kubernetes API.
func (s EventSource) RBAC() ([]*unstructured.Unstructured, error) {
	if err := EventSourceKind.invalid(s.Name, s.Validate()); err != nil {
		return nil, err
	}
	return s.account().objects()
}

func (s EventSource) account() account {
	permissions := leaderElection("eventsource-"+s.Name, s.Annotations)
	for _, name := range sortedKeys(s.Events) {
		permissions = append(permissions, s.Events[name].sourcePermissions()...)
	}
	return account{owner: "eventsource", meta: s.meta(), given: s.ServiceAccountName, permissions: permissions}
}

func (s EventSource) meta() object.Meta {
	return object.Meta{Name: s.Name, Namespace: s.Namespace, Labels: s.Labels, Annotations: s.Annotations}
}

// ports returns the ports of all routes, each once and in order.
func (s EventSource) ports() []int32 {
	ports := map[int32]bool{}
	for _, source := range s.Events {
		if object.IsNil(source) {
			continue
		}
		if route, ok := source.sourceRoute(); ok {
			ports[route.Port] = true
		}
	}
	return slices.Sorted(maps.Keys(ports))
}

// nonSourceFields are the fields of an EventSource spec that are no sources.
var nonSourceFields = []string{"eventBusName", "template", "service", "replicas"}

func (r RawSource) validateSource(path *field.Path) field.ErrorList {
	faults := matches(path.Child("kind"), r.Kind, fieldName)
	if slices.Contains(nonSourceFields, r.Kind) {
		faults = append(faults, field.Invalid(path.Child("kind"), r.Kind, "is no source"))
	}
	faults = append(faults, object.RequiredFragment(path.Child("spec"), r.Spec)...)
	return append(faults, validatePermissions(path.Child("permissions"), r.Permissions)...)
}

func (r RawSource) sourceKind() string              { return r.Kind }
func (r RawSource) sourceSpec() map[string]any      { return r.Spec }
func (r RawSource) sourceRoute() (route, bool)      { return route{}, false }
func (r RawSource) sourcePermissions() []Permission { return r.Permissions }
