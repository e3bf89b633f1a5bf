package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// CleanupPolicy deletes objects by a schedule (kyverno.io/v2, Kyverno 1.13 to 1.19). Kyverno's cleanup controller needs
// permission to list and delete them, and is asked for it when the policy is applied.
type CleanupPolicy struct {
	// Name of the policy, of at most 63 characters. Required.
	Name string
	// Namespace to which the policy is confined. Default: none; it becomes a ClusterCleanupPolicy.
	Namespace string
	// Labels and Annotations of the policy itself.
	Labels      map[string]string
	Annotations map[string]string

	// Match selects what is deleted. Filters name the kinds, and no subjects, roles, clusterRoles or operations. Required.
	Match ResourceFilters
	// Exclude wins over Match. Default: nothing.
	Exclude ResourceFilters
	// Context are the variables of the conditions: APICallContext, GlobalContext and VariableContext.
	Context []ContextEntry
	// Conditions on each object, which is in the variable target. Default: none.
	Conditions Conditions
	// Schedule of cron, in UTC: "0 3 * * *". Required.
	Schedule string
	// Propagation of a deletion to what the object owns. Default: the API server's for the kind.
	Propagation metav1.DeletionPropagation
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// Validate reports every fault that Kyverno or the API server would find, except those in variables.
// kyverno: api/kyverno/v2/cleanup_policy_types.go
func (p CleanupPolicy) Validate() field.ErrorList {
	faults := append(p.meta().Validate(), validatePolicyName(p.Name)...)
	// What is asked of the user counts as in the background: nobody requests a deletion by schedule.
	scope := classicScope{namespace: p.Namespace, background: true}
	match, exclude := field.NewPath("match"), field.NewPath("exclude")
	if p.Match.isEmpty() {
		faults = append(faults, field.Required(match, "a policy without a filter deletes nothing"))
	}
	faults = append(faults, p.Match.validate(match, scope)...)
	faults = append(faults, p.Match.requireKinds(match)...)
	faults = append(faults, forbidOperations(match, p.Match)...)
	faults = append(faults, p.Exclude.validate(exclude, scope)...)
	faults = append(faults, forbidOperations(exclude, p.Exclude)...)
	faults = append(faults, validateDisjoint(exclude, p.Match, p.Exclude)...)
	faults = append(faults, p.validateContext()...)
	faults = append(faults, p.Conditions.validate(field.NewPath("conditions"))...)
	faults = append(faults, validateSchedule(field.NewPath("schedule"), p.Schedule)...)
	faults = append(faults, validateChoice(field.NewPath("propagation"), p.Propagation,
		metav1.DeletePropagationForeground, metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan)...)
	return append(faults, validateRaw(p.Raw)...)
}

// forbidOperations reports operations, of which a deletion by schedule is none.
func forbidOperations(path *field.Path, filters ResourceFilters) field.ErrorList {
	var faults field.ErrorList
	filters.each(path, func(at *field.Path, filter ResourceFilter) {
		if len(filter.Operations) > 0 {
			faults = append(faults, field.Forbidden(at.Child("operations"), "a deletion by schedule is no request"))
		}
	})
	return faults
}

// validateContext reports what the cleanup controller cannot ask.
// kyverno: api/kyverno/v2/cleanup_policy_types.go, ValidateContext
func (p CleanupPolicy) validateContext() field.ErrorList {
	path := field.NewPath("context")
	faults := validateContext(path, p.Context)
	for i, entry := range p.Context {
		switch entry.Source.(type) {
		case ImageRegistryContext, *ImageRegistryContext, ConfigMapContext, *ConfigMapContext:
			faults = append(faults, field.Forbidden(path.Index(i).Child("source"),
				"a cleanup policy has calls, global context and variables alone: get a ConfigMap by an APICallContext"))
		}
	}
	return faults
}

// Build returns the policy. The error is Invalid, or an *UnsupportedError if the Kyverno version lacks the kind.
func (p CleanupPolicy) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind := schema.GroupVersionKind{Group: classicKind.Group, Version: "v2", Kind: "ClusterCleanupPolicy"}
	if p.Namespace != "" {
		kind.Kind = "CleanupPolicy"
	}
	if err := classicKindSupported(kind.Kind, p.Name, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), p.Name, p.Validate()); err != nil {
		return nil, err
	}
	return buildClassic(kind, p.meta(), p.spec(), p.Raw)
}

func (p CleanupPolicy) spec() map[string]any {
	return object.Compact(map[string]any{
		"match":                     p.Match.build(),
		"exclude":                   p.Exclude.build(),
		"context":                   buildContext(p.Context),
		"conditions":                p.Conditions.build(),
		"schedule":                  p.Schedule,
		"deletionPropagationPolicy": p.Propagation,
	})
}

func (p CleanupPolicy) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
}
