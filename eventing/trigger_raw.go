package eventing

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// RawTrigger is a trigger as upstream defines it, for what the types here
// have no field for.
type RawTrigger struct {
	// Kind is the field of the trigger template, for example "pulsar". Required.
	Kind string
	// Spec is its value. Required.
	Spec map[string]any
	// Policy is upstream's policy of the trigger. Default: none.
	Policy map[string]any
	// Permissions are the rights the trigger needs on the Kubernetes API.
	Permissions []Permission
}

// nonTriggerFields are the fields of a trigger template that are no triggers.
var nonTriggerFields = []string{"name", "conditions", "conditionsReset"}

func (r RawTrigger) validateTrigger(path *field.Path, _ map[string]bool) field.ErrorList {
	faults := matches(path.Child("kind"), r.Kind, fieldName)
	if slices.Contains(nonTriggerFields, r.Kind) {
		faults = append(faults, field.Invalid(path.Child("kind"), r.Kind, "is no trigger"))
	}
	faults = append(faults, object.RequiredFragment(path.Child("spec"), r.Spec)...)
	if r.Policy != nil {
		faults = append(faults, object.RequiredFragment(path.Child("policy"), r.Policy)...)
	}
	return append(faults, validatePermissions(path.Child("permissions"), r.Permissions)...)
}

func (r RawTrigger) template(Sensor) (string, map[string]any) { return r.Kind, r.Spec }

func (r RawTrigger) traits() traits {
	return traits{policy: r.Policy, permissions: r.Permissions}
}
