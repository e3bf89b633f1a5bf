package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// scannedKinds are the kinds that the policy matches, with those that Kyverno derives from a rule on pods.
func (c *Client) scannedKinds(policy *unstructured.Unstructured) ([]schema.GroupVersionKind, error) {
	found := map[schema.GroupKind]schema.GroupVersionKind{}
	add := func(kind schema.GroupVersionKind, err error) error {
		switch {
		case meta.IsNoMatchError(err):
			return nil // what is not served has no resources
		case err != nil:
			return fmt.Errorf("look for what %s %s matches: %w", policy.GetKind(), policy.GetName(), err)
		default:
			found[kind.GroupKind()] = kind
			return nil
		}
	}
	var err error
	if policy.GroupVersionKind().Group == celGroup {
		err = c.celKinds(policy, add)
	} else {
		err = c.classicKinds(policy, add)
	}
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(found), func(a, b schema.GroupVersionKind) int {
		return strings.Compare(a.String(), b.String())
	}), nil
}

func (c *Client) celKinds(policy *unstructured.Unstructured, add func(schema.GroupVersionKind, error) error) error {
	constraints := []any{partOf(policy.Object, "spec", "matchConstraints")}
	if configs, ok := partOf(policy.Object, "status", "autogen", "configs").(map[string]any); ok {
		for _, config := range configs {
			constraints = append(constraints, partOf(config, "spec", "matchConstraints"))
		}
	}
	for _, match := range constraints {
		rules, _ := partOf(match, "resourceRules").([]any)
		for _, rule := range rules {
			for _, group := range textsOf(partOf(rule, "apiGroups")) {
				for _, resource := range textsOf(partOf(rule, "resources")) {
					if strings.Contains(resource, "/") {
						continue // subresources are not scanned
					}
					if group == "*" || resource == "*" {
						return wideError(policy)
					}
					if err := add(c.kube.RESTMapper().KindFor(schema.GroupVersionResource{Group: group, Resource: resource})); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (c *Client) classicKinds(policy *unstructured.Unstructured, add func(schema.GroupVersionKind, error) error) error {
	builtIn := kindsOf(nil)
	rules, _ := partOf(policy.Object, "spec", "rules").([]any)
	generated, _ := partOf(policy.Object, "status", "autogen", "rules").([]any)
	for _, rule := range slices.Concat(rules, generated) {
		match := partOf(rule, "match")
		filters := []any{match}
		for _, name := range []string{"any", "all"} {
			more, _ := partOf(match, name).([]any)
			filters = append(filters, more...)
		}
		for _, filter := range filters {
			for _, text := range textsOf(partOf(filter, "resources", "kinds")) {
				selector, ok := selectKind(text)
				if ok && selector.subresource != "" && selector.kind != "*" {
					continue // subresources are not scanned
				}
				if selector.group == "*" {
					selector.group, ok = builtIn.groupOf(selector.kind)
				}
				if !ok || strings.ContainsAny(selector.kind, "*?") {
					return wideError(policy)
				}
				mapping, err := c.kube.RESTMapper().RESTMapping(schema.GroupKind{Group: selector.group, Kind: selector.kind})
				if err != nil {
					mapping = &meta.RESTMapping{}
				}
				if err := add(mapping.GroupVersionKind, err); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func wideError(policy *unstructured.Unstructured) error {
	return fmt.Errorf("%s %s matches kinds by a pattern or without their group: "+
		"name each kind as group/version/Kind to roll it out", policy.GetKind(), policy.GetName())
}

// partOf returns a part of an unstructured value, nil if there is none.
func partOf(value any, path ...string) any {
	for _, name := range path {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}

func textsOf(value any) []string {
	items, _ := value.([]any)
	var texts []string
	for _, item := range items {
		if text, ok := item.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}
