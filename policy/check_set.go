package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// checkServed checks that the Kyverno version knows the kind in this API version.
func (c *checker) checkServed(root place, gvk schema.GroupVersionKind) {
	at := root.Child("apiVersion")
	switch {
	case gvk.Group == celGroup:
		c.checkServedCEL(root, gvk)
	case isClassic(gvk):
		if c.kyverno.atLeast(withoutClassic) {
			at.Report(checkNotServed, "Kyverno %s has removed %s", c.kyverno, gvk.Kind)
		} else if c.kyverno.atLeast(firstStable) {
			at.Report(checkDeprecatedKind, "%s is deprecated since Kyverno %s and planned to go with %s", gvk.Kind, firstStable, withoutClassic)
		}
	}
}

func (c *checker) checkServedCEL(root place, gvk schema.GroupVersionKind) {
	first, known := firstCEL[gvk.Kind]
	versions := []string{"v1alpha1"}
	if c.kyverno.atLeast(firstBeta) {
		versions = append(versions, "v1beta1")
	}
	if c.kyverno.atLeast(firstStable) {
		versions = append(versions, "v1")
	}
	switch {
	case !known:
		root.Child("kind").Report(checkNotServed, "Kyverno has no kind %s", gvk.Kind)
	case !c.kyverno.atLeast(first):
		root.Child("kind").Report(checkNotServed, "%s came with Kyverno %s", gvk.Kind, first)
	case !slices.Contains(versions, gvk.Version):
		root.Child("apiVersion").Report(checkNotServed, "Kyverno %s serves %s", c.kyverno, strings.Join(versions, ", "))
	}
}

func (c *checker) checkNames() {
	seen := map[string]bool{}
	for _, obj := range c.objects {
		gvk := obj.GroupVersionKind()
		if gvk.Group != celGroup && gvk.Group != classicKind.Group || obj.GetName() == "" {
			continue
		}
		key := strings.Join([]string{gvk.Group, gvk.Kind, obj.GetNamespace(), obj.GetName()}, "/")
		if seen[key] {
			c.report.Root(obj).Child("metadata", "name").Report(checkDuplicateObject, "%s is in the set twice", obj.GetName())
		}
		seen[key] = true
	}
}

// checkExceptions checks that exceptions name policies of the set. A set without a policy of their kind leaves it open.
func (c *checker) checkExceptions() {
	for _, obj := range c.objects {
		if !isException(obj.GroupVersionKind()) {
			continue
		}
		spec := c.report.Root(obj).Child("spec")
		for _, reference := range spec.Child("policyRefs").Items() {
			kind, name := reference.Child("kind").Text(), reference.Child("name")
			policies := c.policies(func(gvk schema.GroupVersionKind) bool { return gvk.Group == celGroup && gvk.Kind == kind })
			if len(policies) > 0 && findPolicy(policies, name.Text()) == nil {
				name.Report(checkExceptionTarget, "the set has no %s %s", kind, name.Text())
			}
		}
		policies := c.policies(isClassic)
		for _, exception := range spec.Child("exceptions").Items() {
			name := exception.Child("policyName")
			if len(policies) == 0 {
				break
			}
			policy := findPolicy(policies, name.Text())
			if policy == nil {
				name.Report(checkExceptionTarget, "the set has no policy %s", name.Text())
				continue
			}
			for _, rule := range exception.Child("ruleNames").Items() {
				if !hasRule(policy, rule.Text()) {
					rule.Report(checkExceptionTarget, "policy %s has no rule %s", name.Text(), rule.Text())
				}
			}
		}
	}
}

func (c *checker) policies(ofKind func(schema.GroupVersionKind) bool) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(c.objects), func(obj *unstructured.Unstructured) bool {
		return !ofKind(obj.GroupVersionKind())
	})
}

// findPolicy finds a policy by its name; that of a namespaced policy may be given with its namespace.
// kyverno: pkg/exceptions/selector.go
func findPolicy(policies []*unstructured.Unstructured, name string) *unstructured.Unstructured {
	for _, policy := range policies {
		if policy.GetName() == name || policy.GetNamespace()+"/"+policy.GetName() == name {
			return policy
		}
	}
	return nil
}

// hasRule reports whether a policy may have a rule, patterns and the rules that Kyverno adds for pod controllers
// included.
// kyverno: pkg/autogen/autogen.go; api/kyverno/v2/policy_exception_types.go, Contains
func hasRule(policy *unstructured.Unstructured, name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "autogen-"), "cronjob-")
	rules, _, _ := unstructured.NestedSlice(policy.Object, "spec", "rules")
	return slices.ContainsFunc(rules, func(item any) bool {
		rule, _ := item.(map[string]any)
		text, _ := rule["name"].(string)
		return matchesAnyPattern([]string{name}, text)
	})
}
