package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/policy"
)

func kinds(names ...string) policy.ResourceFilters {
	return policy.ResourceFilters{Any: []policy.ResourceFilter{{Kinds: names}}}
}

// labelled asks for a label.
var labelled = policy.PatternCheck{Pattern: map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "?*"}}}}

func checking(check policy.ClassicCheck) *policy.ClassicValidate {
	return &policy.ClassicValidate{Check: check}
}

func TestClassicPoliciesAsDocuments(t *testing.T) {
	all := policy.Conditions{All: []policy.Condition{{Key: "{{ request.operation }}", Operator: policy.Equals, Value: "CREATE"}}}
	tests := map[string][]builder{
		"cluster-policy": {
			policy.ClusterPolicy{
				Name: "minimal", Rules: []policy.ClassicRule{{Name: "label", Match: kinds("Pod"), Validate: checking(labelled)}},
			},
			policy.ClusterPolicy{
				Name: "full", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"},
				Apply: policy.ApplyOne, SkipBackground: true, EmitWarning: true, ServerSideApply: true, FailurePolicy: policy.FailOpen,
				Webhook: policy.Webhook{TimeoutSeconds: 30}, MatchConditions: named("a"), Autogen: policy.ClassicAutogen{None: true},
				Rules: []policy.ClassicRule{
					{
						Name: "pattern",
						Match: policy.ResourceFilters{All: []policy.ResourceFilter{{
							Kinds: []string{"apps/v1/Deployment"}, Names: []string{"a-*"}, Namespaces: []string{"team-?"}, Operations: []string{"CREATE"},
							Annotations: map[string]string{"a": "*"}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "*"}},
							NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}},
							Subjects:          []rbacv1.Subject{{Kind: "User", Name: "a"}}, Roles: []string{"team-a:editor"}, ClusterRoles: []string{"admin"},
						}}},
						Exclude:       policy.ResourceFilters{Any: []policy.ResourceFilter{{Namespaces: []string{"kube-system"}}}},
						Preconditions: all, JudgeBackgroundRequests: true, ReportProperties: map[string]string{"a": "b"},
						Validate: &policy.ClassicValidate{
							Check: policy.PatternCheck{Pattern: map[string]any{"spec": map[string]any{"X(hostPath)": nil}}}, Message: "no",
							Action: policy.Audit, DenyExistingViolations: true,
							Overrides: []policy.ActionOverride{{Action: policy.Enforce, Namespaces: []string{"team-a"}}},
						},
						Raw: map[string]any{"validate": map[string]any{"pattern": map[string]any{"spec": map[string]any{"b": 1}}}},
					},
					{
						Name: "lists", Match: kinds("Pod"),
						Context: []policy.ContextEntry{
							{Name: "false", Source: policy.VariableContext{JMESPath: "request.object.a", Default: false}},
							{Name: "zero", Source: policy.VariableContext{Value: 0}},
						},
						Validate: checking(policy.ForEachCheck{Each: []policy.ForEachValidation{{
							List: "request.object.spec.containers", WholeObject: true,
							Check: policy.ForEachCheck{Each: []policy.ForEachValidation{{List: "element.ports", Preconditions: all, Check: policy.DenyCheck{}}}},
						}}}),
					},
					{
						Name: "security", Match: kinds("Pod"),
						Validate: checking(policy.PodSecurityCheck{
							Level: policy.PodSecurityBaseline, Version: "latest", Exclude: []policy.PodSecurityExclusion{{Control: "Sysctls"}},
						}),
					},
					{
						Name: "expressions", Match: kinds("Pod"), CELPreconditions: named("a"),
						Validate: checking(policy.CELCheck{
							Variables: named("a"), Validations: []policy.Validation{{Expression: "variables.a", Message: "no"}},
							Params: &policy.CELParams{APIVersion: "v1", Kind: "ConfigMap", Name: "a"},
						}),
					},
					{
						Name: "assertion", Match: kinds("Pod"),
						Validate: checking(policy.AssertCheck{Tree: map[string]any{"object": map[string]any{"(spec.hostNetwork || `false`)": false}}}),
					},
				},
				Raw: map[string]any{"validationFailureAction": "Audit", "applyRules": nil},
			},
			policy.ClusterPolicy{
				Name: "verifying", Rules: []policy.ClassicRule{{Name: "signed", Match: kinds("Pod"), VerifyImages: []policy.ImageVerification{{
					References: []string{"registry.example.com/*"},
					Attestors: []policy.AttestorSet{{Count: 1, Entries: []policy.ClassicAttestor{
						{Signer: policy.KeysSigner{PublicKeys: publicKey, Log: policy.ClassicLog{IgnoreTlog: true}}},
						{Signer: policy.KeylessSigner{Subject: "a@example.com", Roots: publicKey}},
						{Signer: policy.NestedAttestors{Set: policy.AttestorSet{Entries: []policy.ClassicAttestor{{Signer: policy.CertificateSigner{Chain: publicKey}}}}}},
					}}},
					Attestations: []policy.ClassicAttestation{{Type: "https://slsa.dev/provenance/v1", Conditions: []policy.Conditions{all}}},
					Checks:       policy.ImageChecks{AllowTags: true}, NoCache: true,
					Deny: &policy.DenyCheck{Conditions: all}, Message: "no",
				}}}},
			},
		},
		"classic-policy": {
			policy.ClusterPolicy{
				Name: "mutating", Namespace: "team-a", Autogen: policy.ClassicAutogen{Controllers: []string{"Deployment", "CronJob"}},
				Rules: []policy.ClassicRule{
					{Name: "merge", Match: kinds("Pod"), Mutate: &policy.ClassicMutate{
						Patch:   policy.StrategicMergePatch{Patch: map[string]any{"data": nil, "metadata": map[string]any{"labels": map[string]any{"+(a)": "b"}}}},
						Targets: []policy.MutateTarget{{APIVersion: "v1", Kind: "ConfigMap", Name: "a-*"}}, OnPolicyUpdate: true,
					}},
					{Name: "json", Match: kinds("Pod"), Mutate: &policy.ClassicMutate{
						Patch: policy.JSON6902Patch{Patches: "- op: add\n  path: /metadata/labels/a\n  value: {{ request.name }}\n"},
					}},
					{Name: "lists", Match: kinds("Pod"), Mutate: &policy.ClassicMutate{Patch: policy.ForEachPatch{Each: []policy.ForEachMutation{{
						List: "request.object.spec.containers", Order: policy.Ascending,
						Patch: policy.JSON6902Patch{Patches: "- {op: remove, path: \"/spec/containers/{{elementIndex}}/tty\"}"},
					}}}}},
				},
			},
			policy.ClusterPolicy{
				Name: "generating", Namespace: "team-a",
				Rules: []policy.ClassicRule{
					{Name: "data", Match: kinds("ConfigMap"), Generate: &policy.ClassicGenerate{
						Source: policy.GenerateData{
							Target: policy.GeneratedObject{APIVersion: "v1", Kind: "Secret", Name: "a", Namespace: "team-a"},
							Data:   map[string]any{"stringData": map[string]any{}},
						},
						Synchronize: true, OrphanOnPolicyDelete: true, Existing: true,
					}},
					{Name: "clone", Match: kinds("ConfigMap"), Generate: &policy.ClassicGenerate{Source: policy.GenerateForEach{Each: []policy.ForEachGeneration{
						{List: "request.object.data.names", Preconditions: all, Source: policy.GenerateClone{
							Target: policy.GeneratedObject{APIVersion: "v1", Kind: "Secret", Name: "{{ element }}", Namespace: "team-a"}, Name: "a", Namespace: "team-a",
						}},
						{List: "request.object.data.names", Source: policy.GenerateCloneList{TargetNamespace: "team-a", Kinds: []string{"v1/Secret"}, Namespace: "team-a"}},
					}}}},
				},
			},
		},
		"classic-exception": {
			policy.ClassicException{
				Name: "legacy", Namespace: "kyverno", Match: kinds("Pod"), Conditions: all, SkipBackground: true,
				Exceptions:  []policy.ExceptedRules{{Policy: "full", Rules: []string{"pattern", "autogen-*"}}},
				PodSecurity: []policy.PodSecurityExclusion{{Control: "Capabilities", Images: []string{"*"}, Field: "a", Values: []string{"KILL"}}},
			},
		},
		"cleanup-policy": {
			policy.CleanupPolicy{Name: "cluster", Match: kinds("Pod"), Schedule: "0 3 * * *", Propagation: metav1.DeletePropagationOrphan},
			policy.CleanupPolicy{
				Name: "namespace", Namespace: "team-a", Match: kinds("Pod"), Schedule: "@daily",
				Exclude: policy.ResourceFilters{Any: []policy.ResourceFilter{{Names: []string{"keep-*"}}}},
				Context: []policy.ContextEntry{{Name: "count", Source: policy.APICallContext{
					Call: policy.APICall{URLPath: "/api/v1/pods"}, JMESPath: "items | length(@)", Default: 0,
				}}},
				Conditions: policy.Conditions{Any: []policy.Condition{{Key: "{{ count }}", Operator: policy.GreaterThan, Value: 3, Message: "many"}}},
			},
		},
		"global-context": {
			policy.GlobalContextEntry{
				Name: "deployments", Source: policy.CachedResources{Group: "apps", Version: "v1", Resource: "deployments", Namespace: "team-a"},
				Projections: []policy.Projection{{Name: "names", JMESPath: "[].metadata.name"}},
			},
			policy.GlobalContextEntry{Name: "service", Source: policy.PolledCall{
				Call: policy.APICall{
					Service: &policy.ServiceCall{URL: "https://a.example.com", Headers: []policy.APICallHeader{{Key: "a", Value: ""}}}, Method: "POST",
					Data: []policy.APICallData{{Key: "a", Value: false}},
				},
				RefreshInterval: 90 * time.Second, RetryLimit: 2,
			}},
		},
	}
	for name, builders := range tests {
		t.Run(name, func(t *testing.T) {
			var objects []*unstructured.Unstructured
			for _, b := range builders {
				obj, err := b.Build(policy.Kyverno(1, 17))
				require.NoError(t, err)
				objects = append(objects, obj)
			}
			golden.Equal(t, name, objects...)
		})
	}
}

func TestTheKyvernoVersionLimitsClassicKinds(t *testing.T) {
	rule := policy.ClassicRule{Name: "a", Match: kinds("Pod"), Validate: checking(labelled)}
	security := policy.ClassicRule{
		Name: "b", Match: kinds("Pod"), Validate: checking(policy.PodSecurityCheck{Level: policy.PodSecurityBaseline, Version: "v1.30"}),
	}
	tests := map[string]struct {
		builder    builder
		kyverno    policy.Version
		apiVersion string
		// kind and field of the error, if there is one.
		kind, field string
	}{
		"a ClusterPolicy is v1": {
			policy.ClusterPolicy{Name: "a", Rules: []policy.ClassicRule{rule}}, policy.Kyverno(1, 13), "kyverno.io/v1 ClusterPolicy", "", "",
		},
		"a namespace makes it a Policy": {
			policy.ClusterPolicy{Name: "a", Namespace: "n", Rules: []policy.ClassicRule{rule}}, policy.Kyverno(1, 19), "kyverno.io/v1 Policy", "", "",
		},
		"1.20 has no ClusterPolicy": {
			policy.ClusterPolicy{Name: "a", Rules: []policy.ClassicRule{rule}}, policy.Kyverno(1, 20), "", "ClusterPolicy", "",
		},
		"1.20 has no Policy": {
			policy.ClusterPolicy{Name: "a", Namespace: "n", Rules: []policy.ClassicRule{rule}}, policy.Kyverno(1, 20), "", "Policy", "",
		},
		"1.12 takes no action per rule": {
			policy.ClusterPolicy{Name: "a", Rules: []policy.ClassicRule{rule}}, policy.Kyverno(1, 12), "", "ClusterPolicy", "",
		},
		"1.15 knows no later Pod Security Standards": {
			policy.ClusterPolicy{Name: "a", Rules: []policy.ClassicRule{rule, security}}, policy.Kyverno(1, 15), "", "ClusterPolicy", "rules[1].validate.check.version",
		},
		"1.17 knows later Pod Security Standards": {
			policy.ClusterPolicy{Name: "a", Rules: []policy.ClassicRule{security}}, policy.Kyverno(1, 17), "kyverno.io/v1 ClusterPolicy", "", "",
		},
		"an exception is v2": {
			policy.ClassicException{Name: "a", Namespace: "n", Match: kinds("Pod"), Exceptions: []policy.ExceptedRules{{Policy: "a", Rules: []string{"*"}}}},
			policy.Kyverno(1, 15), "kyverno.io/v2 PolicyException", "", "",
		},
		"1.20 has no such exception": {
			policy.ClassicException{Name: "a"}, policy.Kyverno(1, 20), "", "PolicyException", "",
		},
		"a cleanup policy is v2": {
			policy.CleanupPolicy{Name: "a", Match: kinds("Pod"), Schedule: "@daily"}, policy.Kyverno(1, 15), "kyverno.io/v2 ClusterCleanupPolicy", "", "",
		},
		"1.20 has no cleanup policies": {
			policy.CleanupPolicy{Name: "a", Namespace: "n", Match: kinds("Pod"), Schedule: "@daily"}, policy.Kyverno(1, 20), "", "CleanupPolicy", "",
		},
		"a global context entry is v2alpha1 before 1.17": {
			policy.GlobalContextEntry{Name: "a", Source: policy.CachedResources{Version: "v1", Resource: "pods"}}, policy.Kyverno(1, 16), "kyverno.io/v2alpha1 GlobalContextEntry", "", "",
		},
		"a global context entry stays": {
			policy.GlobalContextEntry{Name: "a", Source: policy.CachedResources{Version: "v1", Resource: "pods"}}, policy.Kyverno(1, 20), "kyverno.io/v2 GlobalContextEntry", "", "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			obj, err := test.builder.Build(test.kyverno)
			if test.kind == "" {
				require.NoError(t, err)
				require.Equal(t, test.apiVersion, obj.GetAPIVersion()+" "+obj.GetKind())
				return
			}
			var unsupported *policy.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			want := policy.UnsupportedError{Rule: "a", Kind: test.kind, Field: test.field, Kyverno: test.kyverno, Reason: unsupported.Reason}
			require.Equal(t, want, *unsupported)
		})
	}
}

func TestBuiltClassicPoliciesShareNothingWithTheirInput(t *testing.T) {
	pattern := map[string]any{"spec": map[string]any{"replicas": ">1"}}
	filter := policy.ResourceFilter{Kinds: []string{"Deployment"}, Annotations: map[string]string{"a": "b"}}
	source := policy.ClusterPolicy{
		Name: "a", Annotations: map[string]string{"a": "b"}, Autogen: policy.ClassicAutogen{None: true},
		Rules: []policy.ClassicRule{{
			Name: "a", Match: policy.ResourceFilters{Any: []policy.ResourceFilter{filter}}, Validate: checking(policy.PatternCheck{Pattern: pattern}),
			Raw: map[string]any{"validate": map[string]any{"pattern": map[string]any{"spec": map[string]any{"replicas": nil}}}},
		}},
	}
	first, err := source.Build(policy.Kyverno(1, 15))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"spec": map[string]any{"replicas": ">1"}}, pattern, "raw is merged over a copy")
	require.Equal(t, map[string]string{"a": "b"}, source.Annotations)
	want := first.DeepCopy()
	filter.Kinds[0], filter.Annotations["a"], pattern["spec"] = "Pod", "x", "x"
	if diff := cmp.Diff(want.Object, first.Object); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaultsOfClassicPoliciesAreInvalid(t *testing.T) {
	for _, b := range []builder{policy.ClusterPolicy{}, policy.ClassicException{}, policy.CleanupPolicy{}, policy.GlobalContextEntry{}} {
		_, err := b.Build(policy.Kyverno(1, 17))
		require.True(t, apierrors.IsInvalid(err), "%T: %v", b, err)
	}
}
