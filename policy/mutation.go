package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// mutation is a change of what is requested. A MutatingPolicy makes it by CEL expressions, a ClusterPolicy by patches.
type mutation struct {
	selection
	variables []NamedExpression
	mutations []Mutation
	// rules of a ClusterPolicy, which select as they are.
	rules []ClassicRule
}

// cel returns the MutatingPolicy.
func (m mutation) cel(name string, kyverno Version, faults field.ErrorList) (*unstructured.Unstructured, error) {
	kind, err := celKind(name, "MutatingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), name, faults); err != nil {
		return nil, err
	}
	itself := func(kind ResourceKind) []string { return []string{kind.resource()} }
	return MutatingPolicy{
		Name:            name,
		Match:           MatchResources{Rules: m.resourceRules(itself)},
		MatchConditions: m.matchConditions(),
		Variables:       m.variables,
		Mutations:       m.mutations,
		Autogen:         Autogen{None: true},
	}.Build(kyverno)
}

// classic returns the ClusterPolicy.
func (m mutation) classic(name string, kyverno Version, faults field.ErrorList) (*unstructured.Unstructured, error) {
	if err := classicSupported(name, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicKind.GroupKind(), name, faults); err != nil {
		return nil, err
	}
	return ClusterPolicy{Name: name, Rules: m.rules, Autogen: ClassicAutogen{None: true}}.Build(kyverno)
}

// notDeletingClassic is notDeleting as a condition of a ClusterPolicy.
var notDeletingClassic = Condition{
	Key: "{{ request.object.metadata.deletionTimestamp || '' }}", Operator: Equals, Value: "",
}
