package policy

import (
	"maps"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// namespaceDefault is an object that Kyverno generates in each Namespace outside of the exempt, when the Namespace is
// created or next changed.
type namespaceDefault struct {
	// rule is the name of the rule and of its policy.
	rule     string
	exempt   []string
	once     bool
	existing bool
	// kind, resource and name of the object.
	kind     schema.GroupVersionKind
	resource string
	name     string
	// content are the other fields of the object.
	content map[string]any
	// grants are what the background controller needs besides writing the object.
	grants []rbacv1.PolicyRule
}

// cel returns the GeneratingPolicy.
func (d namespaceDefault) cel(kyverno Version, faults field.ErrorList) (*unstructured.Unstructured, error) {
	kind, err := celKind(d.rule, "GeneratingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), d.rule, faults); err != nil {
		return nil, err
	}
	if !d.once && !kyverno.atLeast(firstSynchronized) {
		return nil, &UnsupportedError{
			Rule: d.rule, Kind: kind.Kind, Kyverno: kyverno,
			Reason: "1.15 deletes all that the policy has generated whenever a later request generates nothing, unless Once is set",
		}
	}
	downstream := maps.Clone(d.content)
	downstream["apiVersion"], downstream["kind"] = d.kind.GroupVersion().String(), d.kind.Kind
	downstream["metadata"] = map[string]any{"name": d.name, "namespace": celExpression("string(variables.target)")}
	return GeneratingPolicy{
		Name:  d.rule,
		Match: MatchResources{Rules: []ResourceRule{{Resources: []string{namespaceKind.resource()}}}},
		MatchConditions: []NamedExpression{{
			Name: "not-exempt", Expression: "!(object.metadata.name in " + celList(exempt(d.exempt)) + ")",
		}},
		Variables: []NamedExpression{
			{Name: "target", Expression: "object.metadata.name"},
			{Name: "downstream", Expression: celLiteral([]any{downstream})},
		},
		Generate:   []string{"generator.Apply(variables.target, variables.downstream)"},
		Evaluation: GeneratingEvaluation{Synchronize: !d.once, GenerateExisting: d.existing},
	}.Build(kyverno)
}

// classic returns the ClusterPolicy with a generate rule.
func (d namespaceDefault) classic(kyverno Version, faults field.ErrorList) (*unstructured.Unstructured, error) {
	if err := classicSupported(d.rule, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicKind.GroupKind(), d.rule, faults); err != nil {
		return nil, err
	}
	namespaces := []string{namespaceKind.Kind}
	return ClusterPolicy{Name: d.rule, Rules: []ClassicRule{{
		Name: "generate",
		// With operations in its match, Kyverno 1.15 does not restore what the rule has generated when that is deleted.
		Match:   ResourceFilters{Any: []ResourceFilter{{Kinds: namespaces}}},
		Exclude: ResourceFilters{Any: []ResourceFilter{{Kinds: namespaces, Names: exempt(d.exempt)}}},
		Generate: &ClassicGenerate{
			Source: GenerateData{
				Target: GeneratedObject{
					APIVersion: d.kind.GroupVersion().String(), Kind: d.kind.Kind, Name: d.name,
					Namespace: "{{ request.object.metadata.name }}",
				},
				Data: d.content,
			},
			Synchronize: !d.once,
			Existing:    d.existing,
		},
	}}}.Build(kyverno)
}

// rbac returns the ClusterRole that lets Kyverno's background controller write the object.
func (d namespaceDefault) rbac() []*unstructured.Unstructured {
	rules := append([]rbacv1.PolicyRule{{
		APIGroups: []string{d.kind.Group}, Resources: []string{d.resource},
		Verbs: []string{"create", "delete", "get", "list", "patch", "update", "watch"},
	}}, d.grants...)
	return []*unstructured.Unstructured{clusterRole("kyverno:"+d.rule+":background-controller", rules, backgroundController)}
}
