package eventing

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Sensor waits for events on a bus and fires triggers.
type Sensor struct {
	// Name of the sensor. Required. A DNS label, because on JetStream it names the
	// bucket that holds the sensor's state.
	Name string
	// Namespace of the sensor, where its bus and event sources live too.
	// Required.
	Namespace string
	// Labels and Annotations are put on the object; the labels also on the
	// objects of [Sensor.RBAC].
	Labels      map[string]string
	Annotations map[string]string
	// EventBus is the name of the bus. Default: "default".
	EventBus string
	// ServiceAccountName is the account its pod runs as. Default: an account of
	// its own, returned by [Sensor.RBAC], when a trigger needs the Kubernetes
	// API; otherwise the default account of the namespace.
	ServiceAccountName string
	// Replicas is the number of pods, of which one is elected to work. Default: 1.
	Replicas int32
	// RevisionHistoryLimit is how many old ReplicaSets are kept. Default: that of
	// Kubernetes.
	RevisionHistoryLimit *int32
	// LoggingFields are added to every line of the log.
	LoggingFields map[string]string
	// Pod shapes the pods.
	Pod Pod
	// Dependencies are the events the sensor listens to. At least one is
	// required.
	Dependencies []Dependency
	// Triggers are what the sensor does. At least one is required.
	Triggers []SensorTrigger
}

// Dependency is an event that a sensor listens to.
type Dependency struct {
	// Name of the dependency within the sensor, which triggers refer to.
	// Required: a letter or underscore, then letters, digits, "-" and "_".
	Name string
	// EventSource is the name of the event source. Required.
	EventSource string
	// Event is the name of the event within the event source. Required.
	Event string
	// Transform replaces the data of the event before filters and triggers see it.
	// Default: the data stay as they are.
	Transform Transform
	// Filters decide which events count. Default: all.
	Filters Filters
}

// Validate reports every fault of the sensor.
func (s Sensor) Validate() field.ErrorList {
	faults := validateMeta(s.meta())
	faults = append(faults, optional(field.NewPath("eventBus"), s.EventBus, label)...)
	faults = append(faults, optional(field.NewPath("serviceAccountName"), s.ServiceAccountName, object.Name)...)
	faults = append(faults, notNegative(field.NewPath("replicas"), s.Replicas)...)
	if s.RevisionHistoryLimit != nil {
		faults = append(faults, notNegative(field.NewPath("revisionHistoryLimit"), *s.RevisionHistoryLimit)...)
	}
	for _, key := range sortedKeys(s.LoggingFields) {
		faults = append(faults, object.Text(field.NewPath("loggingFields").Key(key), s.LoggingFields[key])...)
	}
	faults = append(faults, s.Pod.validateWorker(field.NewPath("pod"))...)
	faults = append(faults, s.validateDependencies(field.NewPath("dependencies"))...)
	return append(faults, s.validateTriggers(field.NewPath("triggers"))...)
}

func (s Sensor) validateDependencies(path *field.Path) field.ErrorList {
	if len(s.Dependencies) == 0 {
		return field.ErrorList{field.Required(path, "at least one dependency is required")}
	}
	var faults field.ErrorList
	taken := map[string]bool{}
	for i, dependency := range s.Dependencies {
		at := path.Index(i)
		faults = append(faults, dependency.validate(at)...)
		if key := conditionKey(dependency.Name); taken[key] {
			faults = append(faults, field.Duplicate(at.Child("name"), dependency.Name))
		} else {
			taken[key] = true
		}
	}
	return faults
}

func (d Dependency) validate(path *field.Path) field.ErrorList {
	faults := validateDependencyName(path.Child("name"), d.Name)
	faults = append(faults, label(path.Child("eventSource"), d.EventSource)...)
	faults = append(faults, matches(path.Child("event"), d.Event, eventName)...)
	faults = append(faults, validateTransform(path.Child("transform"), d.Transform)...)
	return append(faults, d.Filters.validate(path.Child("filters"))...)
}

func (s Sensor) validateTriggers(path *field.Path) field.ErrorList {
	if len(s.Triggers) == 0 {
		return field.ErrorList{field.Required(path, "at least one trigger is required")}
	}
	var faults field.ErrorList
	taken := map[string]bool{}
	for i, trigger := range s.Triggers {
		at := path.Index(i)
		faults = append(faults, trigger.validate(at, certain(trigger.When, s.Dependencies))...)
		// Upstream keeps the clients of triggers by their names.
		faults = append(faults, unique(at.Child("name"), trigger.Name, taken)...)
		if trigger.DeadLetter != nil {
			faults = append(faults, unique(at.Child("deadLetter", "name"), trigger.DeadLetter.Name, taken)...)
		}
	}
	return faults
}

func unique(path *field.Path, name string, taken map[string]bool) field.ErrorList {
	if taken[name] {
		return field.ErrorList{field.Duplicate(path, name)}
	}
	taken[name] = true
	return nil
}

// Build returns the Sensor object. A fault is an Invalid API error.
func (s Sensor) Build() (*unstructured.Unstructured, error) {
	if err := SensorKind.invalid(s.Name, s.Validate()); err != nil {
		return nil, err
	}
	spec := podSpec(s.EventBus, s.account(), s.Pod, s.Replicas)
	if s.RevisionHistoryLimit != nil {
		spec["revisionHistoryLimit"] = *s.RevisionHistoryLimit
	}
	if len(s.LoggingFields) > 0 {
		spec["loggingFields"] = s.LoggingFields
	}
	dependencies := make([]any, 0, len(s.Dependencies))
	for _, dependency := range s.Dependencies {
		dependencies = append(dependencies, dependency.spec())
	}
	spec["dependencies"] = dependencies
	triggers := make([]any, 0, len(s.Triggers))
	for _, trigger := range s.Triggers {
		triggers = append(triggers, trigger.spec(s))
	}
	spec["triggers"] = triggers
	return SensorKind.build(s.meta(), spec)
}

// RBAC returns the objects that give the pod of the sensor the rights its
// triggers need and no more: a ServiceAccount, unless the caller named one, a
// Role with its binding in every namespace a trigger reaches, and a ClusterRole
// for objects without a namespace. It is empty when no trigger uses the
// Kubernetes API.
//
// What makes the rights unknown is a fault here: a parameter that takes the kind
// or the namespace of an object from the event, and an object that the sensor
// fetches when no permissions say what it is.
func (s Sensor) RBAC() ([]*unstructured.Unstructured, error) {
	faults := s.Validate()
	if len(faults) == 0 {
		faults = s.validateScopes(field.NewPath("triggers"))
	}
	if err := SensorKind.invalid(s.Name, faults); err != nil {
		return nil, err
	}
	return s.account().objects()
}

// validateScopes reports what makes the rights unknown.
func (s Sensor) validateScopes(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, trigger := range s.Triggers {
		faults = append(faults, validateScope(path.Index(i), trigger.Trigger, trigger.Parameters)...)
		if letter := trigger.DeadLetter; letter != nil {
			faults = append(faults, validateScope(path.Index(i).Child("deadLetter"), letter.Trigger, letter.Parameters)...)
		}
	}
	return faults
}

func validateScope(path *field.Path, trigger Trigger, parameters []Parameter) field.ErrorList {
	traits := trigger.traits()
	if traits.object == nil {
		return nil
	}
	var faults field.ErrorList
	if traits.object.unknown {
		faults = append(faults, field.Required(path.Child("trigger", "permissions"), "the sensor fetches the object when it fires, so the rights are unknown"))
	}
	for i, parameter := range traits.object.parameters {
		if decidesScope(parameter.To) {
			faults = append(faults, field.Forbidden(path.Child("trigger", "parameters").Index(i).Child("to"),
				"the event decides which kind or namespace is written, so the rights are unknown: bind Roles to an account of your own and name it in serviceAccountName"))
		}
	}
	kind, _ := trigger.template(Sensor{})
	for i, parameter := range parameters {
		if parameter.To == kind || strings.HasPrefix(parameter.To, kind+".") {
			faults = append(faults, field.Forbidden(path.Child("parameters").Index(i).Child("to"),
				"the event decides what is done with the object, so the rights are unknown: use the parameters of the trigger"))
		}
	}
	return faults
}

func (s Sensor) account() account {
	permissions := leaderElection("sensor-"+s.Name, s.Annotations)
	for _, trigger := range s.Triggers {
		permissions = append(permissions, trigger.Trigger.traits().permissions...)
		if trigger.DeadLetter != nil {
			permissions = append(permissions, trigger.DeadLetter.Trigger.traits().permissions...)
		}
	}
	return account{owner: "sensor", meta: s.meta(), given: s.ServiceAccountName, permissions: permissions}
}

func (s Sensor) meta() object.Meta {
	return object.Meta{Name: s.Name, Namespace: s.Namespace, Labels: s.Labels, Annotations: s.Annotations}
}

func (d Dependency) spec() map[string]any {
	return object.Compact(map[string]any{
		"name":            d.Name,
		"eventSourceName": d.EventSource,
		"eventName":       d.Event,
		"transform":       transformSpec(d.Transform),
		"filters":         d.Filters.spec(),
		// Upstream has it beside the filters that it combines.
		"filtersLogicalOperator": d.Filters.operator(),
	})
}
