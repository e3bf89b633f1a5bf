package conformance_test

import (
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/conformance"
	"github.com/controlbackbone/backbone/policy"
)

const kyvernoModule = "github.com/kyverno/kyverno"

var kyvernoCRDs = []string{
	"config/crds/kyverno/kyverno.io_clusterpolicies.yaml",
	"config/crds/policies.kyverno.io/policies.kyverno.io_validatingpolicies.yaml",
	"config/crds/policies.kyverno.io/policies.kyverno.io_generatingpolicies.yaml",
}

// kyverno is the release line of the module in go.mod.
var kyverno = policy.Kyverno(1, 15)

func policyRules() map[string]policy.Rule {
	return map[string]policy.Rule{
		"required labels with every field": policy.RequireLabels{
			Name:             "require-labels",
			Labels:           []policy.RequiredLabel{{Key: "owner"}, {Key: "example.com/environment", Values: []string{"production", "1-5"}}},
			ExemptNamespaces: []string{"argocd"},
			Action:           policy.Audit,
		},
		"required labels with few fields": policy.RequireLabels{Name: "require-owner", Labels: []policy.RequiredLabel{{Key: "owner"}}},
		"a default network policy with every field": policy.DefaultNetworkPolicy{
			Name: "deny-all", NetworkPolicy: "deny-all", ExemptNamespaces: []string{"argocd"}, DNSNamespace: "dns",
			DNSPodLabels: map[string]string{"app": "coredns"}, Once: true, Existing: true,
		},
		"a default network policy with few fields": policy.DefaultNetworkPolicy{Name: "default-network-policy"},
	}
}

func TestPoliciesAreUpstreamObjects(t *testing.T) {
	into := func(obj *unstructured.Unstructured) any {
		switch obj.GetKind() {
		case "ValidatingPolicy":
			return &policiesv1alpha1.ValidatingPolicy{}
		case "GeneratingPolicy":
			return &policiesv1alpha1.GeneratingPolicy{}
		case "ClusterPolicy":
			return &kyvernov1.ClusterPolicy{}
		default:
			return &rbacv1.ClusterRole{}
		}
	}
	for name, rule := range policyRules() {
		t.Run(name, func(t *testing.T) {
			for _, obj := range inBothGenerations(t, rule) {
				conformance.Strict(t, obj, into(obj))
			}
		})
	}
}

func TestPoliciesSurviveTheAPIServer(t *testing.T) {
	c := kube(t)
	install(t, c, kyvernoModule, kyvernoCRDs...)
	for name, rule := range policyRules() {
		t.Run(name, func(t *testing.T) {
			for _, obj := range inBothGenerations(t, rule) {
				roundTrip(t, c, obj)
			}
		})
	}
}

// inBothGenerations is everything that a rule becomes: what Build prefers, and the ClusterPolicy.
func inBothGenerations(t *testing.T, rule policy.Rule) []*unstructured.Unstructured {
	t.Helper()
	objects, err := policy.Build(kyverno, rule)
	require.NoError(t, err)
	classic, err := rule.Classic(kyverno)
	require.NoError(t, err)
	if objects[len(objects)-1].GetKind() == classic.GetKind() {
		return objects // the older generation is the one that Build prefers
	}
	return append(objects, classic)
}
