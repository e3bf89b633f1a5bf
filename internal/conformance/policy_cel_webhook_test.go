package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/policy"
)

// TestMatchBlocksAreInvalidIfTheAPIServerSaysSo compares the builder's verdict on rules and conditions with the API
// server's on a webhook that holds them, as those do that Kyverno makes.
func TestMatchBlocksAreInvalidIfTheAPIServerSaysSo(t *testing.T) {
	c := kube(t)
	rule := func(change func(*policy.ResourceRule)) policy.ValidatingPolicy {
		rule := policy.ResourceRule{Resources: []string{"pods"}, Operations: []string{"CREATE"}}
		change(&rule)
		return policy.ValidatingPolicy{Match: policy.MatchResources{Rules: []policy.ResourceRule{rule}}}
	}
	resources := func(resources ...string) policy.ValidatingPolicy {
		return rule(func(r *policy.ResourceRule) { r.Resources = resources })
	}
	condition := func(name string) policy.ValidatingPolicy {
		with := resources("pods")
		with.MatchConditions = []policy.NamedExpression{{Name: name, Expression: "true"}, {Name: "other", Expression: "true"}}
		return with
	}
	tests := map[string]struct {
		policy policy.ValidatingPolicy
		valid  bool
	}{
		"a resource":                               {resources("pods"), true},
		"a subresource":                            {resources("pods", "pods/log"), true},
		"all resources":                            {resources("*"), true},
		"all subresources of one":                  {resources("pods/*"), true},
		"one subresource of all":                   {resources("*/scale"), true},
		"everything":                               {resources("*/*"), true},
		"all resources and one of them":            {resources("*", "pods"), false},
		"all resources and a subresource":          {resources("*", "pods/log"), true},
		"everything and a resource":                {resources("*/*", "pods"), false},
		"all subresources of one, and one of them": {resources("pods/*", "pods/log"), false},
		"one subresource of all, and of one":       {resources("*/scale", "deployments/scale"), false},
		"subresources that overlap":                {resources("*/scale", "deployments/*"), true},
		"an empty resource":                        {resources(""), false},
		"every operation":                          {rule(func(r *policy.ResourceRule) { r.Operations = []string{"*"} }), true},
		"every operation and one of them":          {rule(func(r *policy.ResourceRule) { r.Operations = []string{"*", "CREATE"} }), false},
		"an operation in small letters":            {rule(func(r *policy.ResourceRule) { r.Operations = []string{"create"} }), false},
		"every group and one of them":              {rule(func(r *policy.ResourceRule) { r.Groups = []string{"*", "apps"} }), false},
		"the core group and another":               {rule(func(r *policy.ResourceRule) { r.Groups = []string{"", "apps"} }), true},
		"every version and one of them":            {rule(func(r *policy.ResourceRule) { r.Versions = []string{"*", "v1"} }), false},
		"an empty version":                         {rule(func(r *policy.ResourceRule) { r.Versions = []string{""} }), false},
		"a scope":                                  {rule(func(r *policy.ResourceRule) { r.Scope = policy.ClusterScope }), true},
		"an unknown scope":                         {rule(func(r *policy.ResourceRule) { r.Scope = "All" }), false},
		"a condition":                              {condition("is-new"), true},
		"a condition with a prefix":                {condition("example.com/is-new"), true},
		"a condition with a blank":                 {condition("is new"), false},
		"conditions of the same name":              {condition("other"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.policy.Name = "a"
			test.policy.Validations = []policy.Validation{{Expression: "true"}}
			require.Equal(t, test.valid, len(test.policy.Validate()) == 0, "%v", test.policy.Validate())

			err := c.Create(t.Context(), webhookOf(t, test.policy), client.DryRunAll)
			if test.valid {
				require.NoError(t, err)
				return
			}
			require.True(t, apierrors.IsInvalid(err), "%v", err)
		})
	}
}

// webhookOf returns a webhook with the policy's rules and conditions as they would be built.
func webhookOf(t *testing.T, p policy.ValidatingPolicy) *unstructured.Unstructured {
	t.Helper()
	rules := make([]any, len(p.Match.Rules))
	for i, rule := range p.Match.Rules {
		groups, versions := rule.Groups, rule.Versions
		if len(groups) == 0 {
			groups = []string{""}
		}
		if len(versions) == 0 {
			versions = []string{"v1"}
		}
		fields := map[string]any{
			"apiGroups": list(groups), "apiVersions": list(versions), "resources": list(rule.Resources), "operations": list(rule.Operations),
		}
		if rule.Scope != "" {
			fields["scope"] = string(rule.Scope)
		}
		rules[i] = fields
	}
	conditions := make([]any, len(p.MatchConditions))
	for i, condition := range p.MatchConditions {
		conditions[i] = map[string]any{"name": condition.Name, "expression": condition.Expression}
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"webhooks": []any{map[string]any{
		"name": "a.example.com", "rules": rules, "matchConditions": conditions, "sideEffects": "None",
		"admissionReviewVersions": []any{"v1"}, "clientConfig": map[string]any{"url": "https://127.0.0.1:1/"},
	}}}}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingWebhookConfiguration"})
	obj.SetName("conformance")
	return obj
}

func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}
