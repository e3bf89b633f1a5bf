package policy

import (
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
	spec     map[string]any
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
	downstream := []any{map[string]any{
		"apiVersion": d.kind.GroupVersion().String(),
		"kind":       d.kind.Kind,
		"metadata":   map[string]any{"name": d.name, "namespace": celExpression("string(variables.target)")},
		"spec":       d.spec,
	}}
	spec := celNamespaces(d.exempt)
	spec["evaluation"] = map[string]any{
		"synchronize":      map[string]any{"enabled": !d.once},
		"generateExisting": map[string]any{"enabled": d.existing},
	}
	spec["variables"] = []any{
		map[string]any{"name": "target", "expression": "object.metadata.name"},
		map[string]any{"name": "downstream", "expression": celLiteral(downstream)},
	}
	spec["generate"] = []any{map[string]any{"expression": "generator.Apply(variables.target, variables.downstream)"}}
	return object.New(kind, object.Meta{Name: d.rule}, map[string]any{"spec": spec}), nil
}

// classic returns the ClusterPolicy with a generate rule.
func (d namespaceDefault) classic(kyverno Version, faults field.ErrorList) (*unstructured.Unstructured, error) {
	if err := classicSupported(d.rule, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicKind.GroupKind(), d.rule, faults); err != nil {
		return nil, err
	}
	// With operations in its match, Kyverno 1.15 does not restore what the rule has generated when that is deleted.
	rule := classicNamespaces(d.exempt)
	rule["name"] = "generate"
	rule["generate"] = object.Compact(map[string]any{
		"apiVersion":       d.kind.GroupVersion().String(),
		"kind":             d.kind.Kind,
		"name":             d.name,
		"namespace":        "{{ request.object.metadata.name }}",
		"synchronize":      !d.once,
		"generateExisting": d.existing,
		"data":             map[string]any{"spec": d.spec},
	})
	spec := map[string]any{"rules": []any{rule}}
	return object.New(classicKind, object.Meta{Name: d.rule}, map[string]any{"spec": spec}), nil
}

// rbac returns the ClusterRole that lets Kyverno's background controller write the object.
func (d namespaceDefault) rbac() []*unstructured.Unstructured {
	role := object.New(
		schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		object.Meta{
			Name:   "kyverno:" + d.rule + ":background-controller",
			Labels: map[string]string{"rbac.kyverno.io/aggregate-to-background-controller": "true"},
		},
		map[string]any{"rules": []any{map[string]any{
			"apiGroups": []any{d.kind.Group},
			"resources": []any{d.resource},
			"verbs":     []any{"create", "delete", "get", "list", "patch", "update", "watch"},
		}}},
	)
	return []*unstructured.Unstructured{role}
}
