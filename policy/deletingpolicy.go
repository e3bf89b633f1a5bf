package policy

import (
	"strings"

	"github.com/robfig/cron/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// DeletingPolicy deletes objects on a schedule, by CEL expressions (Kyverno 1.15 and later). Kyverno's cleanup controller
// deletes them, with its own permissions: see [RequiredRBAC].
type DeletingPolicy struct {
	// Name of the policy. Required.
	Name string
	// Namespace to which the policy is confined; it becomes a NamespacedDeletingPolicy (Kyverno 1.16 and later).
	// Default: none, it holds in all of the cluster.
	Namespace string
	// Labels and Annotations of the policy itself.
	Labels      map[string]string
	Annotations map[string]string

	// Match selects the objects. There is no request, so that rules are for every operation. Required.
	Match MatchResources
	// Conditions select further: all have to be true. Default: everything that matches is deleted.
	Conditions []NamedExpression
	// Variables are there for other expressions, as variables.<name>. Each can use those before it.
	Variables []NamedExpression
	// Schedule of the deletion in the time zone of the controller: five fields of cron, of which the day of the week counts
	// from 0 to 6, or a descriptor such as @daily. Required.
	Schedule string
	// Propagation to what the objects own: Foreground, Background or Orphan. Default: that of each resource.
	Propagation metav1.DeletionPropagation
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// Validate reports every fault that Kyverno or the API server would find, except those in expressions.
func (p DeletingPolicy) Validate() field.ErrorList {
	faults := p.meta().Validate()
	faults = append(faults, p.Match.validate(field.NewPath("match"))...)
	faults = append(faults, p.validateOperations()...)
	faults = append(faults, validateConditions(field.NewPath("conditions"), p.Conditions)...)
	faults = append(faults, validateIdentifiers(field.NewPath("variables"), p.Variables)...)
	faults = append(faults, validateSchedule(field.NewPath("schedule"), p.Schedule)...)
	faults = append(faults, validateChoice(field.NewPath("propagation"), p.Propagation,
		metav1.DeletePropagationForeground, metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan)...)
	return append(faults, validateRaw(p.Raw)...)
}

// validateOperations reports operations, which no object on its own would match.
// kyverno: pkg/cel/policies/dpol/engine/engine.go
func (p DeletingPolicy) validateOperations() field.ErrorList {
	var faults field.ErrorList
	report := func(path *field.Path, rules []ResourceRule) {
		for i, rule := range rules {
			for j, operation := range rule.Operations {
				if operation != anything {
					faults = append(faults, field.NotSupported(path.Index(i).Child("operations").Index(j), operation, anyOperation))
				}
			}
		}
	}
	report(field.NewPath("match", "rules"), p.Match.Rules)
	report(field.NewPath("match", "exclude"), p.Match.Exclude)
	return faults
}

// Build returns the policy in the API version that the Kyverno version serves. The error is Invalid, or an
// *UnsupportedError if that version lacks the kind.
func (p DeletingPolicy) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKindIn(p.Namespace, p.Name, "DeletingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	return celPolicy{kind: kind, meta: p.meta(), spec: p.spec, raw: p.Raw}.build(kyverno, p.Validate())
}

func (p DeletingPolicy) spec() map[string]any {
	return object.Compact(map[string]any{
		"matchConstraints":          p.Match.build(anyOperation),
		"conditions":                buildNamed(p.Conditions),
		"variables":                 buildNamed(p.Variables),
		"schedule":                  p.Schedule,
		"deletionPropagationPolicy": p.Propagation,
	})
}

func (p DeletingPolicy) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
}

// validateSchedule checks a schedule of cron by the parser that Kyverno's webhook checks those of its other clean-up
// policies with. The one that runs the policies, supercronic's, knows no time zones and fewer descriptors; a
// DeletingPolicy that it cannot read is admitted and never runs.
// kyverno: pkg/validation/cleanuppolicy/validate.go; api/policies.kyverno.io/v1alpha1/deleting_policy.go
func validateSchedule(path *field.Path, schedule string) field.ErrorList {
	switch {
	case schedule == "":
		return field.ErrorList{field.Required(path, "")}
	case strings.Contains(schedule, "TZ="):
		return field.ErrorList{field.Invalid(path, schedule, "Kyverno's schedules have no time zone")}
	case strings.HasPrefix(schedule, "@every"), strings.HasPrefix(schedule, "@midnight"):
		return field.ErrorList{field.Invalid(path, schedule, "Kyverno knows @yearly, @annually, @monthly, @weekly, @daily and @hourly")}
	}
	if _, err := cron.ParseStandard(schedule); err != nil {
		return field.ErrorList{field.Invalid(path, schedule, err.Error())}
	}
	return nil
}
