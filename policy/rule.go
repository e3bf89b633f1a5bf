package policy

import (
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Rule is a guarantee, in either of Kyverno's generations.
type Rule interface {
	// Validate reports every fault of the rule.
	Validate() field.ErrorList
	// CEL returns the rule as a policy of the policies.kyverno.io group, in the API version that the Kyverno version
	// serves. The error is Invalid, or an *UnsupportedError when that version cannot express the rule.
	CEL(kyverno Version) (*unstructured.Unstructured, error)
	// Classic returns the rule as a ClusterPolicy. The error is Invalid, or an *UnsupportedError when that version
	// cannot express the rule.
	Classic(kyverno Version) (*unstructured.Unstructured, error)
	// RBAC returns the permissions that Kyverno's controllers need to carry the rule out, as ClusterRoles that Kyverno's
	// own roles aggregate. None for rules that only look at the request.
	RBAC() []*unstructured.Unstructured
}

// Enforceable is a Rule that judges requests: what happens to those that break it can be chosen.
type Enforceable interface {
	Rule
	// WithAction returns a copy of the rule with the action.
	WithAction(action Action) Rule
}

// Action is what happens to a request that breaks a rule.
type Action string

const (
	// Enforce denies the request.
	Enforce Action = "Enforce"
	// Audit admits the request and reports it.
	Audit Action = "Audit"
)

// Build returns the objects that put the rules in force on a Kyverno version: permissions first, then the policies,
// each in CEL if that version can express the rule so, otherwise as a ClusterPolicy. Rules of the same name are a fault,
// because the second would overwrite the first.
func Build(kyverno Version, rules ...Rule) ([]*unstructured.Unstructured, error) {
	var roles, policies []*unstructured.Unstructured
	var faults field.ErrorList
	names := map[string]bool{}
	for i, rule := range rules {
		at := field.NewPath("rules").Index(i)
		if object.IsNil(rule) {
			faults = append(faults, field.Required(at, "a rule is missing"))
			continue
		}
		if found := rule.Validate(); len(found) > 0 {
			for _, fault := range found {
				fault.Field = at.String() + "." + fault.Field
			}
			faults = append(faults, found...)
			continue
		}
		built, err := newest(kyverno, rule)
		if err != nil {
			return nil, err
		}
		if names[built.GetName()] {
			faults = append(faults, field.Duplicate(at.Child("name"), built.GetName()))
		}
		names[built.GetName()] = true
		roles = append(roles, rule.RBAC()...)
		policies = append(policies, built)
	}
	if err := object.Invalid(classicKind.GroupKind(), "rules", faults); err != nil {
		return nil, err
	}
	return slices.Concat(roles, policies), nil
}

func newest(kyverno Version, rule Rule) (*unstructured.Unstructured, error) {
	built, err := rule.CEL(kyverno)
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) {
		return built, err
	}
	built, classicErr := rule.Classic(kyverno)
	if errors.As(classicErr, &unsupported) {
		return nil, errors.Join(err, classicErr)
	}
	return built, classicErr
}

func orDefault[T ~string](value, otherwise T) T {
	if value == "" {
		return otherwise
	}
	return value
}

// validateRuleName reports a name that not both generations take for a policy.
func validateRuleName(name string) field.ErrorList {
	return append(object.Name(field.NewPath("name"), name), validatePolicyName(name)...)
}

func validateAction(path *field.Path, action Action) field.ErrorList {
	switch action {
	case "", Enforce, Audit:
		return nil
	default:
		return field.ErrorList{field.NotSupported(path, action, []Action{Enforce, Audit})}
	}
}
