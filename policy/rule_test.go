package policy_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/policy"
)

func faults(list field.ErrorList) []string {
	var out []string
	for _, fault := range list {
		out = append(out, fault.Field+": "+string(fault.Type))
	}
	return out
}

// rules are one of each kind apart from the conventions.
func rules() map[string]policy.Rule {
	return map[string]policy.Rule{
		"forbid-host-access": policy.ForbidHostAccess{Name: "forbid-host-access", ExemptNamespaces: []string{"argocd"}},
		"pod-security-standard": policy.PodSecurityStandard{
			Name: "pod-security", Level: policy.PodSecurityRestricted, ExemptNamespaces: []string{"argocd"},
		},
		"own-hosts": policy.OwnHosts{
			Name: "own-hosts", Hosts: map[string][]string{"shop": {"shop.example.com"}, "billing": {"*.billing.example.com"}},
			Domains: []string{"apps.example.com"}, GatewayAPI: true, ExemptNamespaces: []string{"argocd"},
		},
		"cleanup-jobs": policy.Cleanup{
			Name: "cleanup-jobs", Kind: policy.ResourceKind{Group: "batch", Kind: "Job"}, Finished: true, Schedule: "0 * * * *",
			Propagation: metav1.DeletePropagationBackground, ExemptNamespaces: []string{"cicd"},
		},
		"cleanup-previews": policy.Cleanup{
			Name: "cleanup-previews", Kind: policy.ResourceKind{Kind: "Namespace"}, OlderThan: 72 * time.Hour, Schedule: "30 3 * * *",
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"preview": "true"}},
		},
		"default-labels": policy.DefaultLabels{
			Name: "default-labels", Labels: map[string]string{"example.com/cost-centre": "none", "team": "platform"},
			Kinds: []policy.ResourceKind{{Kind: "Namespace"}, {Group: "gateway.networking.k8s.io", Kind: "Gateway"}},
		},
		"default-security-context": policy.DefaultSecurityContext{
			Name: "default-security-context", ExemptNamespaces: []string{"argocd"},
		},
		"image-pull-policy":      policy.ImagePullPolicy{Name: "image-pull-policy"},
		"default-network-policy": policy.DefaultNetworkPolicy{Name: "default-network-policy"},
		"default-network-policy-full": policy.DefaultNetworkPolicy{
			Name: "deny-all", NetworkPolicy: "deny-all", ExemptNamespaces: []string{"argocd"}, DNSNamespace: "dns",
			DNSPodLabels: map[string]string{"app": "coredns"}, Once: true, Existing: true,
		},
		"default-resource-quota": policy.DefaultResourceQuota{
			Name: "default-resource-quota", ExemptNamespaces: []string{"argocd"},
			Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("4"), "count/deployments.apps": resource.MustParse("20")},
		},
		"default-limit-range": policy.DefaultLimitRange{
			Name:            "default-limit-range",
			DefaultRequests: corev1.ResourceList{"cpu": resource.MustParse("100m")},
			DefaultLimits:   corev1.ResourceList{"memory": resource.MustParse("256Mi")},
			Max:             corev1.ResourceList{"memory": resource.MustParse("4Gi")},
		},
		"default-role-binding": policy.DefaultRoleBinding{
			Name: "default-role-binding", ClusterRole: "edit", RoleBinding: "deployers",
			Subjects: []rbacv1.Subject{
				{Kind: "Group", Name: "platform"}, {Kind: "ServiceAccount", Name: "deployer", Namespace: "cicd"},
			},
		},
	}
}

func TestRulesInBothGenerations(t *testing.T) {
	for name, rule := range rules() {
		t.Run(name, func(t *testing.T) { golden.Equal(t, name, bothGenerations(t, rule)...) })
	}
}

// bothGenerations returns the permissions of a rule, and its policies for two releases of Kyverno, of those generations
// that can express it.
func bothGenerations(t *testing.T, rule policy.Rule) []*unstructured.Unstructured {
	t.Helper()
	objects := rule.RBAC()
	for _, version := range []policy.Version{policy.Kyverno(1, 15), policy.Kyverno(1, 17)} {
		for _, build := range []func(policy.Version) (*unstructured.Unstructured, error){rule.CEL, rule.Classic} {
			built, err := build(version)
			if errors.As(err, new(*policy.UnsupportedError)) {
				continue
			}
			require.NoError(t, err)
			objects = append(objects, built)
		}
	}
	return objects
}

// Kyverno 1.15 loses what a synchronised GeneratingPolicy has made.
func TestWhatIsGeneratedOnceNeedsNoSynchronisation(t *testing.T) {
	quota := policy.DefaultResourceQuota{Name: "quota", Hard: corev1.ResourceList{"pods": resource.MustParse("4")}}
	_, err := quota.CEL(policy.Kyverno(1, 15))
	require.ErrorAs(t, err, new(*policy.UnsupportedError))
	quota.Once = true
	_, err = quota.CEL(policy.Kyverno(1, 15))
	require.NoError(t, err)
}

func TestTheVersionDecidesTheKind(t *testing.T) {
	labels := policy.RequireLabels{Name: "labels", Labels: []policy.RequiredLabel{{Key: "owner"}}}
	network := policy.DefaultNetworkPolicy{Name: "network"}
	tests := map[string]struct {
		version policy.Version
		rule    policy.Rule
		want    string
	}{
		"1.13 has only ClusterPolicy":                     {policy.Kyverno(1, 13), labels, "kyverno.io/v1 ClusterPolicy"},
		"1.14 brought ValidatingPolicy":                   {policy.Kyverno(1, 14), labels, "policies.kyverno.io/v1alpha1 ValidatingPolicy"},
		"1.14 has no GeneratingPolicy":                    {policy.Kyverno(1, 14), network, "kyverno.io/v1 ClusterPolicy"},
		"1.15 brought GeneratingPolicy":                   {policy.Kyverno(1, 15), policy.DefaultNetworkPolicy{Name: "network", Once: true}, "policies.kyverno.io/v1alpha1 GeneratingPolicy"},
		"1.15 cannot keep what it generates":              {policy.Kyverno(1, 15), network, "kyverno.io/v1 ClusterPolicy"},
		"1.16 serves v1beta1":                             {policy.Kyverno(1, 16), labels, "policies.kyverno.io/v1beta1 ValidatingPolicy"},
		"1.17 serves v1":                                  {policy.Kyverno(1, 17), labels, "policies.kyverno.io/v1 ValidatingPolicy"},
		"a later major version serves what the last does": {policy.Kyverno(2, 0), network, "policies.kyverno.io/v1 GeneratingPolicy"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := policy.Build(test.version, test.rule)
			require.NoError(t, err)
			last := objects[len(objects)-1]
			if got := last.GetAPIVersion() + " " + last.GetKind(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestUnsupportedVersionsAreNamed(t *testing.T) {
	rule := policy.RequireLabels{Name: "labels", Labels: []policy.RequiredLabel{{Key: "owner"}}}
	var unsupported *policy.UnsupportedError
	_, err := rule.CEL(policy.Kyverno(1, 13))
	require.ErrorAs(t, err, &unsupported)
	require.Equal(t, policy.UnsupportedError{Rule: "labels", Kind: "ValidatingPolicy", Kyverno: policy.Kyverno(1, 13), Reason: "the kind came with 1.14"}, *unsupported)
	_, err = rule.Classic(policy.Kyverno(1, 20))
	require.ErrorAs(t, err, &unsupported)
	require.Equal(t, "ClusterPolicy", unsupported.Kind)
	_, err = policy.Build(policy.Kyverno(1, 12), rule)
	require.ErrorAs(t, err, &unsupported)
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		rule policy.Rule
		want []string
	}{
		"labels are required": {
			rule: policy.RequireLabels{},
			want: []string{"name: FieldValueRequired", "labels: FieldValueRequired"},
		},
		"labels follow Kubernetes' rules, once each": {
			rule: policy.RequireLabels{
				Name: "Upper", Labels: []policy.RequiredLabel{{}, {Key: "a b"}, {Key: "owner", Values: []string{"", "c d"}}, {Key: "owner"}},
				ExemptNamespaces: []string{"kube-*"}, Action: "Warn",
			},
			want: []string{
				"name: FieldValueInvalid", "labels[0].key: FieldValueRequired", "labels[1].key: FieldValueInvalid",
				"labels[2].values[0]: FieldValueInvalid", "labels[2].values[1]: FieldValueInvalid", "labels[3].key: FieldValueDuplicate",
				"exemptNamespaces[0]: FieldValueInvalid", "action: FieldValueNotSupported",
			},
		},
		"names and labels of the network policy follow Kubernetes' rules": {
			rule: policy.DefaultNetworkPolicy{NetworkPolicy: "A", DNSNamespace: "a.b", DNSPodLabels: map[string]string{"a": "b c"}, ExemptNamespaces: []string{""}},
			want: []string{
				"name: FieldValueRequired", "networkPolicy: FieldValueInvalid", "dnsNamespace: FieldValueInvalid",
				"dnsPodLabels: FieldValueInvalid", "exemptNamespaces[0]: FieldValueRequired",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(test.rule.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := test.rule.CEL(policy.Kyverno(1, 15))
			require.True(t, apierrors.IsInvalid(err), "CEL: %v", err)
			_, err = test.rule.Classic(policy.Kyverno(1, 15))
			require.True(t, apierrors.IsInvalid(err), "Classic: %v", err)
		})
	}
}

func TestBuildReportsAllFaults(t *testing.T) {
	var missing *policy.RequireLabels
	_, err := policy.Build(policy.Kyverno(1, 15),
		policy.RequireLabels{Name: "a"},
		missing,
		policy.DefaultNetworkPolicy{Name: "b"},
		policy.RequireLabels{Name: "b", Labels: []policy.RequiredLabel{{Key: "owner"}}},
	)
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	for _, want := range []string{"rules[0].labels: Required value", "rules[1]: Required value", `rules[3].name: Duplicate value: "b"`} {
		require.ErrorContains(t, err, want)
	}
}

func FuzzBuild(f *testing.F) {
	f.Add("require-owner", "owner", "a", "argocd", "Enforce")
	f.Add("", "a/b/c", "\xff", "*", "\x00")
	f.Add("n", `x"]) || true`, "{{ request }}", "kube-system", "Audit")
	f.Fuzz(func(t *testing.T, name, key, value, namespace, action string) {
		rules := []policy.Rule{
			policy.RequireLabels{
				Name: name, Labels: []policy.RequiredLabel{{Key: key, Values: []string{value}}},
				ExemptNamespaces: []string{namespace}, Action: policy.Action(action),
			},
			policy.DefaultNetworkPolicy{
				Name: name, NetworkPolicy: value, DNSNamespace: namespace, DNSPodLabels: map[string]string{key: value}, ExemptNamespaces: []string{namespace},
			},
		}
		for _, rule := range rules {
			invalid := len(rule.Validate()) > 0
			for _, version := range []policy.Version{policy.Kyverno(1, 13), policy.Kyverno(1, 15)} {
				objects, err := policy.Build(version, rule)
				if apierrors.IsInvalid(err) != invalid || err == nil && len(objects) == 0 {
					t.Fatalf("invalid: %v, built %d objects, error %v", invalid, len(objects), err)
				}
			}
		}
	})
}
