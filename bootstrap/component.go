package bootstrap

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Component is a part of a platform that is installed, and becomes ready, as a
// whole.
type Component struct {
	// Name identifies the component within its plan. Required, a DNS label.
	Name string

	// Version is recorded in the inventory and shown in events. It is free text,
	// compared for equality only. A component that is ready in another version
	// is changed only with [Options.Upgrade].
	Version string

	// DependsOn names the components that must be ready before this one starts.
	DependsOn []string

	// Source gives the component's objects. Required.
	Source Source

	// Namespace is where namespaced objects go that name no namespace of their
	// own, as `kubectl apply --namespace` would place them. It is not created;
	// let the Source hold the Namespace object where it may be missing. Without
	// it, a namespaced object that names no namespace is a fault.
	Namespace string

	// Ready refines when the component's objects count as ready. The zero value
	// suits built-in kinds.
	Ready Readiness

	// Timeout bounds the time from the component's start, when all it depends on
	// is ready, until it is ready itself. Default 5 minutes.
	Timeout time.Duration
}

// Readiness says when an applied object counts as ready.
//
// Without further rules that is kstatus' "Current": a Deployment is rolled out
// and Available, a StatefulSet, DaemonSet or ReplicaSet has all its pods ready,
// a PersistentVolumeClaim is bound, a CustomResourceDefinition is established,
// and any other object has no condition that says otherwise (Ready, Stalled,
// Reconciling, or an older observedGeneration). Two kinds are stricter here
// than in kstatus: a Job must be complete, unless it is suspended, and an
// APIService must be Available.
//
// The rules are those of sigs.k8s.io/cli-utils/pkg/kstatus/status.
type Readiness struct {
	// Conditions must be True, for the current generation, on every object of
	// their kind. Kinds whose controllers set a condition only after a while, as
	// most custom resources, need one here: kstatus takes an object without
	// conditions for ready.
	Conditions []Condition

	// Ignore names kinds that are never waited for, such as a
	// PersistentVolumeClaim that is bound by its first consumer.
	Ignore []schema.GroupKind
}

// Condition names a status condition that objects of a kind must have.
type Condition struct {
	// GroupKind of the objects. The kind is required.
	schema.GroupKind

	// Type of the condition that must have the status True, such as "Ready".
	// Required.
	Type string
}

func (c Component) timeout() time.Duration {
	if c.Timeout == 0 {
		return defaultTimeout
	}
	return c.Timeout
}

func (c Component) validate(path *field.Path, index map[string]int) field.ErrorList {
	faults := validateLabel(c.Name, path.Child("name"))
	seen := map[string]bool{}
	for i, name := range c.DependsOn {
		at := path.Child("dependsOn").Index(i)
		if _, known := index[name]; !known {
			faults = append(faults, field.NotFound(at, name))
		}
		if seen[name] {
			faults = append(faults, field.Duplicate(at, name))
		}
		seen[name] = true
	}
	if c.Source == nil {
		faults = append(faults, field.Required(path.Child("source"), "a component needs objects"))
	}
	if c.Namespace != "" {
		faults = append(faults, validateLabel(c.Namespace, path.Child("namespace"))...)
	}
	if c.Timeout < 0 {
		faults = append(faults, field.Invalid(path.Child("timeout"), c.Timeout.String(), "must not be negative"))
	}
	return append(faults, c.Ready.validate(path.Child("ready"))...)
}

func (r Readiness) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, condition := range r.Conditions {
		at := path.Child("conditions").Index(i)
		if condition.Kind == "" {
			faults = append(faults, field.Required(at.Child("kind"), ""))
		}
		if condition.Type == "" {
			faults = append(faults, field.Required(at.Child("type"), ""))
		}
	}
	for i, kind := range r.Ignore {
		if kind.Kind == "" {
			faults = append(faults, field.Required(path.Child("ignore").Index(i).Child("kind"), ""))
		}
	}
	return faults
}
