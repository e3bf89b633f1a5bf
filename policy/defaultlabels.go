package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultLabels guarantees that objects carry labels: those that a request leaves out are added. A label that is there
// keeps its value, even if it is empty.
type DefaultLabels struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Labels that are added. At least one.
	Labels map[string]string
	// Kinds of objects that get them. At least one.
	Kinds []ResourceKind
	// ExemptNamespaces and what they hold are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
}

// Validate reports every fault of the rule.
func (r DefaultLabels) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	if len(r.Labels) == 0 {
		faults = append(faults, field.Required(field.NewPath("labels"), "without a label the rule adds nothing"))
	}
	faults = append(faults, metav1validation.ValidateLabels(r.Labels, field.NewPath("labels"))...)
	if len(r.Kinds) == 0 {
		faults = append(faults, field.Required(field.NewPath("kinds"), "they are the kinds of objects that get the labels"))
	}
	faults = append(faults, validateKinds(field.NewPath("kinds"), r.Kinds)...)
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// CEL returns a MutatingPolicy (Kyverno 1.15 and later).
func (r DefaultLabels) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.mutation().cel(r.Name, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r DefaultLabels) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.mutation().classic(r.Name, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno look at the kinds.
func (r DefaultLabels) RBAC() []*unstructured.Unstructured {
	return []*unstructured.Unstructured{kindsRole(r.Name, r.Kinds)}
}

func (r DefaultLabels) mutation() mutation {
	selected := selection{kinds: r.Kinds, exempt: withSystemNamespaces(r.ExemptNamespaces)}
	patches := []string{`(has(object.metadata.labels) ? [] : [JSONPatch{op: "add", path: "/metadata/labels", value: {}}])`}
	added := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(r.Labels)) {
		patches = append(patches, fmt.Sprintf(
			`(object.metadata.?labels[?%s].hasValue() ? [] : [JSONPatch{op: "add", path: %s, value: %s}])`,
			celString(key), celString("/metadata/labels/"+jsonPointerEscapes.Replace(key)), celString(r.Labels[key]),
		))
		added["+("+key+")"] = r.Labels[key]
	}
	match, exclude := selected.filters()
	return mutation{
		selection: selected,
		mutations: []Mutation{JSONPatch{Expression: strings.Join(patches, " +\n")}},
		rules: []ClassicRule{{
			Name: "add-labels", Match: match, Exclude: exclude,
			Preconditions: Conditions{All: []Condition{
				notDeletingClassic,
				// A ClusterPolicy for Pods is for ephemeral containers, too.
				{Key: "{{ request.subResource || '' }}", Operator: Equals, Value: ""},
			}},
			Mutate: &ClassicMutate{Patch: StrategicMergePatch{
				Patch: map[string]any{"metadata": map[string]any{"labels": added}},
			}},
		}},
	}
}

// jsonPointerEscapes writes a key in a JSON pointer (RFC 6901).
var jsonPointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
