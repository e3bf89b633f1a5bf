package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ClassicMutate changes what a rule matches, or Targets.
type ClassicMutate struct {
	// Patch is the change: StrategicMergePatch, JSON6902Patch or ForEachPatch. Required.
	Patch ClassicPatch
	// Targets are objects that are in the cluster already and that are changed in place of what the rule matches.
	Targets []MutateTarget
	// OnPolicyUpdate changes the targets when the policy is applied, too (mutateExistingOnPolicyUpdate). It needs Targets.
	// Default: false.
	OnPolicyUpdate bool
}

// MutateTarget selects objects that are in the cluster already. All fields but the context and the preconditions may hold
// variables, names and namespaces wildcards.
type MutateTarget struct {
	// APIVersion and Kind of the objects. Required.
	APIVersion string
	Kind       string
	// Name of the object. Default: all.
	Name string
	// Namespace of the objects. Default: that of the policy; a ClusterPolicy's are in any.
	Namespace string
	// Selector selects by the labels of objects. Default: all.
	Selector *metav1.LabelSelector
	// Context are variables of each target, which is in the variable target itself.
	Context []ContextEntry
	// Preconditions select targets further. Default: all.
	Preconditions Conditions
}

// ClassicPatch is a change: StrategicMergePatch, JSON6902Patch or ForEachPatch.
type ClassicPatch interface {
	// validatePatch is told how many lists the patch is nested in.
	validatePatch(path *field.Path, depth int) field.ErrorList
	// buildPatch returns the upstream field and what it holds.
	buildPatch() (string, any)
}

// StrategicMergePatch merges an overlay into the object. Its keys may be anchors: "+(a)" is added unless it is there.
type StrategicMergePatch struct {
	// Patch as the fields to change; null removes one. Required.
	Patch any
}

// ForEachPatch changes the object for each element of lists.
type ForEachPatch struct {
	// Each is a list and the change for its elements. At least one.
	Each []ForEachMutation
}

// ForEachMutation is a list and the change for its elements. They are in the variable element, which is counted in
// elementIndex; in nested lists element0 is that of the outermost.
type ForEachMutation struct {
	// List is a JMESPath expression that yields the list: "request.object.spec.containers". Required.
	List string
	// Order of the elements. Default: Descending for a StrategicMergePatch, otherwise Ascending.
	// kyverno: pkg/engine/handlers/mutation/common.go
	Order ForEachOrder
	// Context are variables of each element. Not with a ForEachPatch.
	Context []ContextEntry
	// Preconditions select elements. Not with a ForEachPatch. Default: all.
	Preconditions Conditions
	// Patch is the change of the object for each element: StrategicMergePatch, JSON6902Patch or ForEachPatch. Required.
	Patch ClassicPatch
}

// ForEachOrder is the order of elements.
type ForEachOrder string

// The orders of elements.
const (
	Ascending  ForEachOrder = "Ascending"
	Descending ForEachOrder = "Descending"
)

func (m ClassicMutate) validate(path *field.Path, scope classicScope) field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(m.Patch) {
		faults = append(faults, field.Required(path.Child("patch"), "it is StrategicMergePatch, JSON6902Patch or ForEachPatch"))
	} else {
		faults = append(faults, m.Patch.validatePatch(path.Child("patch"), 0)...)
	}
	if m.OnPolicyUpdate && len(m.Targets) == 0 {
		faults = append(faults, field.Required(path.Child("targets"), "they are what the policy's update changes"))
	}
	for i, target := range m.Targets {
		faults = append(faults, target.validate(path.Child("targets").Index(i), scope)...)
	}
	return faults
}

// kyverno: api/kyverno/v1/rule_types.go, ValidateMutationRuleTargetNamespace
func (t MutateTarget) validate(path *field.Path, scope classicScope) field.ErrorList {
	faults := object.RequiredText(path.Child("apiVersion"), t.APIVersion)
	faults = append(faults, object.RequiredText(path.Child("kind"), t.Kind)...)
	faults = append(faults, object.Text(path.Child("name"), t.Name)...)
	faults = append(faults, object.Text(path.Child("namespace"), t.Namespace)...)
	if scope.namespace != "" && t.Namespace != "" && t.Namespace != scope.namespace {
		faults = append(faults, field.Invalid(path.Child("namespace"), t.Namespace, "the policy is confined to "+scope.namespace))
	}
	faults = append(faults, validateClassicSelector(path.Child("selector"), t.Selector)...)
	faults = append(faults, validateContext(path.Child("context"), t.Context)...)
	return append(faults, t.Preconditions.validate(path.Child("preconditions"))...)
}

func (m ClassicMutate) build() map[string]any {
	targets := make([]any, len(m.Targets))
	for i, target := range m.Targets {
		targets[i] = object.Compact(map[string]any{
			"apiVersion": target.APIVersion, "kind": target.Kind, "name": target.Name, "namespace": target.Namespace,
			"selector": target.Selector, "context": buildContext(target.Context), "preconditions": target.Preconditions.build(),
		})
	}
	fields := object.Compact(map[string]any{"targets": targets, "mutateExistingOnPolicyUpdate": m.OnPolicyUpdate})
	name, patch := m.Patch.buildPatch()
	fields[name] = patch
	return fields
}

func (p StrategicMergePatch) validatePatch(path *field.Path, _ int) field.ErrorList {
	faults := validateValue(path.Child("patch"), p.Patch)
	if len(faults) > 0 {
		return faults
	}
	return validateMetadataTexts(path.Child("patch"), p.Patch)
}

func (p StrategicMergePatch) buildPatch() (string, any) { return "patchStrategicMerge", p.Patch }

func (p ForEachPatch) validatePatch(path *field.Path, depth int) field.ErrorList {
	each := path.Child("each")
	if faults := validateNesting(each, depth); len(faults) > 0 {
		return faults
	}
	var faults field.ErrorList
	if len(p.Each) == 0 {
		faults = append(faults, field.Required(each, ""))
	}
	for i, item := range p.Each {
		faults = append(faults, item.validate(each.Index(i), depth)...)
	}
	return faults
}

// kyverno: pkg/policy/mutate/validate.go, validateForEach
func (m ForEachMutation) validate(path *field.Path, depth int) field.ErrorList {
	faults := object.RequiredText(path.Child("list"), m.List)
	faults = append(faults, validateChoice(path.Child("order"), m.Order, Ascending, Descending)...)
	faults = append(faults, validateContext(path.Child("context"), m.Context)...)
	faults = append(faults, m.Preconditions.validate(path.Child("preconditions"))...)
	if object.IsNil(m.Patch) {
		return append(faults, field.Required(path.Child("patch"), "it is the change for each element"))
	}
	switch m.Patch.(type) {
	case ForEachPatch, *ForEachPatch:
		const hint = "what holds a ForEachPatch holds nothing else: move it to the nested list"
		if len(m.Context) > 0 {
			faults = append(faults, field.Forbidden(path.Child("context"), hint))
		}
		if !m.Preconditions.isEmpty() {
			faults = append(faults, field.Forbidden(path.Child("preconditions"), hint))
		}
	}
	return append(faults, m.Patch.validatePatch(path.Child("patch"), depth+1)...)
}

func (p ForEachPatch) buildPatch() (string, any) {
	out := make([]any, len(p.Each))
	for i, item := range p.Each {
		fields := object.Compact(map[string]any{
			"list": item.List, "order": item.Order,
			"context": buildContext(item.Context), "preconditions": item.Preconditions.build(),
		})
		name, patch := item.Patch.buildPatch()
		fields[name] = patch
		out[i] = fields
	}
	return "foreach", out
}
