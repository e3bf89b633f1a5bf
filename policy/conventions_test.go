package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/policy"
)

// conventions are one rule of each kind that judges labels, images, resources, probes and replicas.
func conventions() map[string]policy.Enforceable {
	return map[string]policy.Enforceable{
		"require-labels": policy.RequireLabels{
			Name: "require-labels",
			Labels: append(policy.PlatformLabels("development", "production"),
				policy.RequiredLabel{Key: "example.com/cost-centre", Pattern: `cc-\d{4}|none`}),
			ExemptNamespaces: []string{"argocd", "kube-system"},
		},
		"require-component-labels": policy.RequireComponentLabels{
			Name: "require-component-labels", Labels: []policy.RequiredLabel{{Key: "app.kubernetes.io/name"}},
			ExemptNamespaces: []string{"argocd"},
		},
		"immutable-labels": policy.ImmutableLabels{
			Name: "immutable-labels", Labels: []string{"owner"}, Annotations: []string{"example.com/cost-centre"},
			Kinds: []policy.ResourceKind{{Kind: "Namespace"}, {Group: "gateway.networking.k8s.io", Kind: "Gateway"}},
		},
		"require-resources":     policy.RequireResources{Name: "require-resources"},
		"require-pinned-images": policy.RequirePinnedImages{Name: "require-pinned-images"},
		"allowed-registries": policy.AllowedRegistries{
			Name: "allowed-registries", Registries: []string{"registry.example.com/team", "docker.io/library/nginx"},
		},
		"require-probes":            policy.RequireProbes{Name: "require-probes", Action: policy.Audit},
		"require-replicas":          policy.RequireReplicas{Name: "require-replicas", ExemptLabel: "example.com/singleton"},
		"require-disruption-budget": policy.RequireDisruptionBudget{Name: "require-disruption-budget"},
		"allow-disruptions":         policy.AllowDisruptions{Name: "allow-disruptions"},
	}
}

func TestConventionsInBothGenerations(t *testing.T) {
	for name, rule := range conventions() {
		t.Run(name, func(t *testing.T) {
			golden.Equal(t, name, bothGenerations(t, rule)...)
		})
	}
}

func TestTheActionCanBeChosenAfterwards(t *testing.T) {
	actions := map[policy.Action][2]string{policy.Audit: {"Audit", "Audit"}, policy.Enforce: {"Deny", "Enforce"}}
	for name, rule := range conventions() {
		for action, want := range actions {
			t.Run(name+" with "+string(action), func(t *testing.T) {
				before, err := rule.CEL(policy.Kyverno(1, 17))
				require.NoError(t, err)

				changed := rule.WithAction(action)
				cel, err := changed.CEL(policy.Kyverno(1, 17))
				require.NoError(t, err)
				classic, err := changed.Classic(policy.Kyverno(1, 17))
				require.NoError(t, err)
				spec := cel.Object["spec"].(map[string]any)
				require.Equal(t, []any{want[0]}, spec["validationActions"])
				for _, item := range classic.Object["spec"].(map[string]any)["rules"].([]any) {
					require.Equal(t, want[1], item.(map[string]any)["validate"].(map[string]any)["failureAction"])
				}

				after, err := rule.CEL(policy.Kyverno(1, 17))
				require.NoError(t, err)
				require.Equal(t, before, after, "the rule itself stays as it was")
			})
		}
	}
}

func TestConventionsReportTheirFaults(t *testing.T) {
	tests := map[string]struct {
		rule policy.Rule
		want []string
	}{
		"patterns are regular expressions of their own, and no lists": {
			rule: policy.RequireLabels{Name: "a", Labels: []policy.RequiredLabel{
				{Key: "a", Pattern: "("}, {Key: "b", Pattern: `\Qb`}, {Key: "c", Pattern: "a)|(b"},
				{Key: "d", Pattern: "x", Values: []string{"x"}}, {Key: "e", Pattern: "{{ request.object }}"},
			}},
			want: []string{
				"labels[0].pattern: FieldValueInvalid", "labels[1].pattern: FieldValueInvalid", "labels[2].pattern: FieldValueInvalid",
				"labels[3].pattern: FieldValueForbidden", "labels[4].pattern: FieldValueInvalid",
			},
		},
		"components need labels": {
			rule: policy.RequireComponentLabels{Labels: nil, ExemptNamespaces: []string{"A"}, Action: "Deny"},
			want: []string{
				"name: FieldValueRequired", "labels: FieldValueRequired",
				"exemptNamespaces[0]: FieldValueInvalid", "action: FieldValueNotSupported",
			},
		},
		"labels to hold are required": {
			rule: policy.ImmutableLabels{Name: "a"},
			want: []string{"labels: FieldValueRequired"},
		},
		"labels to hold and their kinds follow Kubernetes' rules": {
			rule: policy.ImmutableLabels{
				Name: "a", Labels: []string{"", "a b", "c", "c"}, Annotations: []string{"d", "/e"},
				Kinds: []policy.ResourceKind{
					{}, {Kind: "A/B"}, {Group: "a_b", Version: "1", Kind: "C", Resource: "Cs"}, {Kind: "D"}, {Kind: "D", Version: "v1"},
				},
			},
			want: []string{
				"labels[0]: FieldValueRequired", "labels[1]: FieldValueInvalid", "labels[3]: FieldValueDuplicate",
				"annotations[1]: FieldValueInvalid",
				"kinds[0].kind: FieldValueRequired", "kinds[1].kind: FieldValueInvalid", "kinds[2].group: FieldValueInvalid",
				"kinds[2].version: FieldValueInvalid", "kinds[2].resource: FieldValueInvalid",
				"kinds[4]: FieldValueDuplicate",
			},
		},
		"resources have names, once each": {
			rule: policy.RequireResources{
				Name: "a", Requests: []corev1.ResourceName{"cpu", "cpu", ""}, Limits: []corev1.ResourceName{"a b"},
			},
			want: []string{"requests[1]: FieldValueDuplicate", "requests[2]: FieldValueRequired", "limits[0]: FieldValueInvalid"},
		},
		"pinned images need a name and known namespaces": {
			rule: policy.RequirePinnedImages{ExemptNamespaces: []string{"*"}, Action: "x"},
			want: []string{"name: FieldValueRequired", "exemptNamespaces[0]: FieldValueInvalid", "action: FieldValueNotSupported"},
		},
		"a registry is required": {
			rule: policy.AllowedRegistries{Name: "a"},
			want: []string{"registries: FieldValueRequired"},
		},
		"registries are hosts with paths and nothing else": {
			rule: policy.AllowedRegistries{Name: "a", Registries: []string{
				"registry.example.com", "registry.example.com:5000/a/b-c", "localhost/a", "[::1]:5000/a", "host:5000",
				"", "library", "team/app", "https://registry.example.com", "registry.example.com/", "registry.example.com/*",
				"registry.example.com/app:1", "registry.example.com/Team", "*.example.com", "registry.example.com//a",
			}},
			want: []string{
				"registries[5]: FieldValueInvalid", "registries[6]: FieldValueInvalid", "registries[7]: FieldValueInvalid",
				"registries[8]: FieldValueInvalid", "registries[9]: FieldValueInvalid", "registries[10]: FieldValueInvalid",
				"registries[11]: FieldValueInvalid", "registries[12]: FieldValueInvalid", "registries[13]: FieldValueInvalid",
				"registries[14]: FieldValueInvalid",
			},
		},
		"probes are those of Kubernetes, once each": {
			rule: policy.RequireProbes{Name: "a", Probes: []policy.Probe{"liveness", "Readiness", "liveness"}},
			want: []string{"probes[1]: FieldValueNotSupported", "probes[2]: FieldValueDuplicate"},
		},
		"one replica is no requirement": {
			rule: policy.RequireReplicas{Name: "a", Minimum: 1, ExemptLabel: "a b"},
			want: []string{"minimum: FieldValueInvalid", "exemptLabel: FieldValueInvalid"},
		},
		"budgets need a name and known namespaces": {
			rule: policy.RequireDisruptionBudget{ExemptNamespaces: []string{""}},
			want: []string{"name: FieldValueRequired", "exemptNamespaces[0]: FieldValueRequired"},
		},
		"disruptions need a name and a known action": {
			rule: policy.AllowDisruptions{Name: "A", Action: "Block"},
			want: []string{"name: FieldValueInvalid", "action: FieldValueNotSupported"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(test.rule.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := test.rule.CEL(policy.Kyverno(1, 17))
			require.True(t, apierrors.IsInvalid(err), "CEL: %v", err)
			_, err = test.rule.Classic(policy.Kyverno(1, 17))
			require.True(t, apierrors.IsInvalid(err), "Classic: %v", err)
		})
	}
}

// Whatever the fields hold, a rule is built or refused, and refused for a fault that Validate names.
func FuzzConventions(f *testing.F) {
	f.Add("require", "owner", `cc-\d+`, "registry.example.com/team", int32(2))
	f.Add("", "a/b/c", "(", "https://x", int32(-1))
	f.Add("n", `x"]) || true`, `\Q"`, "\xff", int32(1))
	f.Fuzz(func(t *testing.T, name, key, pattern, registry string, minimum int32) {
		labels := []policy.RequiredLabel{{Key: key, Pattern: pattern}}
		for _, rule := range []policy.Rule{
			policy.RequireLabels{Name: name, Labels: labels},
			policy.RequireComponentLabels{Name: name, Labels: labels},
			policy.ImmutableLabels{
				Name: name, Labels: []string{key}, Kinds: []policy.ResourceKind{{Group: registry, Kind: key, Resource: pattern}},
			},
			policy.RequireResources{Name: name, Requests: []corev1.ResourceName{corev1.ResourceName(key)}},
			policy.AllowedRegistries{Name: name, Registries: []string{registry}},
			policy.RequireProbes{Name: name, Probes: []policy.Probe{policy.Probe(key)}},
			policy.RequireReplicas{Name: name, Minimum: minimum, ExemptLabel: key},
			policy.RequireDisruptionBudget{Name: name, ExemptNamespaces: []string{key}},
		} {
			invalid := len(rule.Validate()) > 0
			for _, build := range []func(policy.Version) (*unstructured.Unstructured, error){rule.CEL, rule.Classic} {
				obj, err := build(policy.Kyverno(1, 15))
				if apierrors.IsInvalid(err) != invalid || (err == nil) == invalid || err == nil && obj.GetName() != name {
					t.Fatalf("%T: invalid %v, built %v, error %v", rule, invalid, obj, err)
				}
			}
		}
	})
}
