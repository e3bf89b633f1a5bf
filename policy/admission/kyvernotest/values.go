package kyvernotest

import (
	"encoding/csv"
	"fmt"
	"maps"
	"strings"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/apis/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/controlbackbone/backbone/policy/admission"
)

const operationValue = "request.operation"

// valuesFor are the values of a suite for a policy and the name of a resource, the most specific ones winning.
func (in *inputs) valuesFor(policy, resource string) map[string]any {
	merged := map[string]any{}
	maps.Copy(merged, in.values.GlobalValues)
	for _, p := range in.values.Policies {
		if p.Name != policy {
			continue
		}
		for _, r := range p.Resources {
			if r.Name == resource {
				maps.Copy(merged, r.Values)
			}
		}
	}
	return merged
}

// variablesOf gives the values for a policy to the engine. Those for rules come last, because they win.
func (in *inputs) variablesOf(policy string) []admission.Variables {
	var variables []admission.Variables
	for _, obj := range in.resources {
		given := in.valuesFor(policy, obj.GetName())
		if len(given) > 0 {
			variables = append(variables, admission.Variables{Policy: policy, Resource: obj.GetName(), Values: given})
		}
	}
	for _, p := range in.values.Policies {
		if p.Name != policy {
			continue
		}
		for _, rule := range p.Rules {
			given := maps.Clone(rule.Values)
			if given == nil {
				given = map[string]any{}
			}
			// The command line gives every element the first value.
			for key, elements := range rule.ForeachValues {
				if len(elements) > 0 {
					given[key] = elements[0]
				}
			}
			variables = append(variables, admission.Variables{Policy: policy, Rule: rule.Name, Values: given})
		}
	}
	return variables
}

// inject puts values for fields of the resource into it. The command line does so in place, so that everything after the
// first use of the values sees them.
func inject(obj *unstructured.Unstructured, given map[string]any) error {
	root := "request.object."
	if given[operationValue] == "DELETE" {
		root = "request.oldObject."
	}
	for key, value := range given {
		if !strings.HasPrefix(key, root) {
			continue
		}
		reader := csv.NewReader(strings.NewReader(key))
		reader.Comma = '.'
		fields, err := reader.Read()
		if err != nil {
			return fmt.Errorf("value %s: %w", key, err)
		}
		merge(obj.Object, nest(fields[2:], runtime.DeepCopyJSONValue(value)))
	}
	return nil
}

func nest(fields []string, value any) map[string]any {
	for i := len(fields) - 1; i > 0; i-- {
		value = map[string]any{fields[i]: value}
	}
	return map[string]any{fields[0]: value}
}

func merge(into, from map[string]any) {
	for key, value := range from {
		inner, isMap := value.(map[string]any)
		if existing, ok := into[key].(map[string]any); ok && isMap {
			merge(existing, inner)
			continue
		}
		into[key] = value
	}
}

// namespaceLabels are those that the suite gives; none for other namespaces.
func (in *inputs) namespaceLabels(name string) map[string]string {
	if namespace := in.namespace(name); namespace != nil && namespace.Labels != nil {
		return namespace.Labels
	}
	return map[string]string{}
}

func (in *inputs) namespace(name string) *corev1.Namespace {
	for i := range in.values.Namespaces {
		if in.values.Namespaces[i].Name == name {
			return &in.values.Namespaces[i]
		}
	}
	for _, selector := range in.values.NamespaceSelectors {
		if selector.Name == name {
			return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: selector.Labels}}
		}
	}
	return nil
}

// namespaces are all that the suite describes.
func (in *inputs) namespaces() ([]*unstructured.Unstructured, error) {
	names := map[string]bool{}
	for _, namespace := range in.values.Namespaces {
		names[namespace.Name] = true
	}
	for _, selector := range in.values.NamespaceSelectors {
		names[selector.Name] = true
	}
	var objects []*unstructured.Unstructured
	for name := range names {
		obj, err := toUnstructured(in.namespace(name), "v1", "Namespace")
		if err != nil {
			return nil, err
		}
		objects = append(objects, obj)
	}
	return objects, nil
}

// subresource finds the parent of a resource that the suite declares to be a subresource.
func (in *inputs) subresource(obj *unstructured.Unstructured) (v1alpha1.Subresource, bool) {
	gvk := obj.GroupVersionKind()
	for _, s := range in.values.Subresources {
		if s.Subresource.Group == gvk.Group && s.Subresource.Version == gvk.Version && s.Subresource.Kind == gvk.Kind {
			return s, true
		}
	}
	return v1alpha1.Subresource{}, false
}

func toUnstructured(typed any, apiVersion, kind string) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("convert a %s: %w", kind, err)
	}
	obj := &unstructured.Unstructured{Object: content}
	obj.SetAPIVersion(apiVersion)
	obj.SetKind(kind)
	return obj, nil
}
