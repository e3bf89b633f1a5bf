package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ImmutableLabels guarantees that labels and annotations, once set, neither change nor vanish: whose a namespace is,
// what an account is charged to. Setting them later is admitted; an empty value counts as not set. The whole object can
// still be deleted.
type ImmutableLabels struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Labels and Annotations are the keys that are held. At least one.
	Labels      []string
	Annotations []string
	// Kinds of objects. Default: Namespace.
	Kinds []ResourceKind
	// ExemptNamespaces and what they hold are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r ImmutableLabels) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	if len(r.Labels)+len(r.Annotations) == 0 {
		faults = append(faults, field.Required(field.NewPath("labels"), "without a label or an annotation the rule holds nothing"))
	}
	faults = append(faults, validateKeys(field.NewPath("labels"), r.Labels)...)
	faults = append(faults, validateKeys(field.NewPath("annotations"), r.Annotations)...)
	faults = append(faults, validateKinds(field.NewPath("kinds"), r.Kinds)...)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r ImmutableLabels) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r ImmutableLabels) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno look at the kinds, if any are given.
func (r ImmutableLabels) RBAC() []*unstructured.Unstructured {
	if len(r.Kinds) == 0 {
		return nil
	}
	return []*unstructured.Unstructured{kindsRole(r.Name, r.Kinds)}
}

// WithAction returns a copy of the rule with the action.
func (r ImmutableLabels) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r ImmutableLabels) judgement() judgement {
	var checks []Validation
	for _, key := range r.Labels {
		checks = append(checks, unchanged("label", "labels", key))
	}
	for _, key := range r.Annotations {
		checks = append(checks, unchanged("annotation", "annotations", key))
	}
	kinds := r.Kinds
	if len(kinds) == 0 {
		kinds = []ResourceKind{namespaceKind}
	}
	return judgement{
		selection: selection{kinds: kinds, operations: []string{"UPDATE"}, exempt: withSystemNamespaces(r.ExemptNamespaces)},
		checks:    checks,
	}
}

func unchanged(what, fieldName, key string) Validation {
	value := fmt.Sprintf(`.metadata.?%s[?%s].orValue("")`, fieldName, celString(key))
	return Validation{
		Expression: fmt.Sprintf(`oldObject%s in ["", object%s]`, value, value),
		Message:    fmt.Sprintf("The %s %s cannot be changed or removed once it is set.", what, key),
	}
}

func validateKeys(path *field.Path, keys []string) field.ErrorList {
	var faults field.ErrorList
	seen := map[string]bool{}
	for i, key := range keys {
		if seen[key] {
			faults = append(faults, field.Duplicate(path.Index(i), key))
		}
		seen[key] = true
		faults = append(faults, validateKey(path.Index(i), key)...)
	}
	return faults
}
