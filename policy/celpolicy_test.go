package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/policy"
)

// builder is what the builders of policies have in common.
type builder interface {
	Validate() field.ErrorList
	Build(kyverno policy.Version) (*unstructured.Unstructured, error)
}

// publicKey is in PEM; that it is none is for Kyverno to find.
const publicKey = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"

var pods = policy.MatchResources{Rules: []policy.ResourceRule{{Resources: []string{"pods"}}}}

func TestPoliciesAsDocuments(t *testing.T) {
	tests := map[string][]builder{
		"validating-policy": {
			policy.ValidatingPolicy{
				Name: "minimal", Match: pods, Validations: []policy.Validation{{Expression: "object.metadata.name != 'x'"}},
			},
			policy.ValidatingPolicy{
				Name: "full", Namespace: "team-a", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"},
				Match: policy.MatchResources{
					Rules: []policy.ResourceRule{{
						Groups: []string{"apps"}, Versions: []string{"v1", "v1beta1"}, Resources: []string{"deployments", "deployments/scale"},
						Operations: []string{"CREATE"}, Names: []string{"a"}, Scope: policy.NamespacedScope,
					}},
					Exclude:           []policy.ResourceRule{{Resources: []string{"configmaps"}}},
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}},
					ObjectSelector:    &metav1.LabelSelector{},
					MatchPolicy:       policy.MatchExact,
				},
				MatchConditions:  []policy.NamedExpression{{Name: "not-system", Expression: "true"}},
				Variables:        []policy.NamedExpression{{Name: "name", Expression: "object.metadata.name"}},
				Validations:      []policy.Validation{{Expression: "variables.name != 'x'", Message: "no", MessageExpression: "'no'", Reason: policy.ReasonForbidden}},
				AuditAnnotations: []policy.AuditAnnotation{{Key: "name", ValueExpression: "string(variables.name)"}},
				Actions:          []policy.ValidationAction{policy.ActionAudit, policy.ActionWarn},
				FailurePolicy:    policy.FailOpen,
				Autogen:          policy.Autogen{None: true},
				AdmissionPolicy:  true,
				Evaluation:       policy.Evaluation{Mode: policy.ModeKubernetes, SkipAdmission: true, SkipBackground: true},
				Webhook:          policy.Webhook{TimeoutSeconds: 30},
				Raw: map[string]any{
					"validationActions": []string{"Deny"},
					"evaluation":        map[string]any{"mode": nil, "background": map[string]any{"enabled": true}},
					"futureField":       map[string]any{"a": 1, "b": nil},
				},
			},
		},
		"mutating-policy": {
			policy.MutatingPolicy{
				Name: "label", Match: pods, Autogen: policy.Autogen{Controllers: []string{"deployments"}},
				Mutations: []policy.Mutation{
					policy.ApplyConfiguration{Expression: `Object{metadata: Object.metadata{labels: {"a": "b"}}}`},
					policy.JSONPatch{Expression: `[JSONPatch{op: "add", path: "/metadata/labels/a", value: "b"}]`},
				},
				Reinvocation: policy.ReinvokeIfNeeded,
			},
			policy.MutatingPolicy{
				Name: "existing", Match: pods, Targets: &pods, AdmissionPolicy: true,
				Evaluation: policy.MutatingEvaluation{MutateExisting: true, SkipAdmission: true},
				Mutations:  []policy.Mutation{policy.ApplyConfiguration{Expression: "Object{}"}},
			},
		},
		"generating-policy": {
			policy.GeneratingPolicy{
				Name: "quota", Match: policy.MatchResources{Rules: []policy.ResourceRule{{Resources: []string{"namespaces"}, Operations: []string{"CREATE"}}}},
				Generate:   []string{`generator.Apply(object.metadata.name, [])`},
				Evaluation: policy.GeneratingEvaluation{GenerateExisting: true, Synchronize: true, OrphanOnPolicyDelete: true},
			},
		},
		"deleting-policy": {
			policy.DeletingPolicy{
				Name: "nightly", Match: pods, Schedule: "0 3 * * *", Propagation: metav1.DeletePropagationBackground,
				Conditions: []policy.NamedExpression{{Name: "done", Expression: "object.status.phase == 'Succeeded'"}},
				Variables:  []policy.NamedExpression{{Name: "a", Expression: "1"}},
			},
		},
		"image-validating-policy": {
			policy.ImageValidatingPolicy{
				Name: "signed", Match: pods,
				References: []policy.ImageReference{{Glob: "registry.example.com/*"}, {Expression: "ref.startsWith('registry.example.com/')"}},
				Images:     []policy.NamedExpression{{Name: "task", Expression: "[object.spec.image]"}},
				Attestors: []policy.Attestor{
					{Name: "key", Signature: policy.Cosign{Signer: policy.CosignKey{Data: publicKey, HashAlgorithm: "sha512"}}},
					{Name: "keyless", Signature: policy.Cosign{
						Signer: policy.CosignKeyless{Identities: []policy.CosignIdentity{{Issuer: "https://issuer.example.com", SubjectRegExp: ".*@example.com"}}},
						Log:    policy.CosignLog{URL: "https://rekor.example.com", IgnoreSCT: true},
					}},
					{Name: "notary", Signature: policy.Notary{Certificates: policy.ExpressionOr{Value: publicKey}}},
				},
				Attestations: []policy.Attestation{{Name: "sbom", InToto: "https://cyclonedx.org/bom"}, {Name: "scan", Referrer: "scan/v1"}},
				Validations:  []policy.Validation{{Expression: "images.containers.map(i, verifyImageSignatures(i, [attestors.key])).all(n, n > 0)"}},
				Checks:       policy.ImageChecks{KeepTags: true, AllowUnverified: true},
				Credentials:  policy.ImageCredentials{Providers: []string{"amazon"}, Secrets: []string{"registry"}, AllowInsecureRegistry: true},
			},
			policy.ImageValidatingPolicy{Name: "digests", Match: pods, Validations: []policy.Validation{{Expression: "true"}}},
		},
		"cel-exception": {
			policy.CELException{
				Name: "legacy", Namespace: "kyverno", Policies: []policy.ExceptedPolicy{{Kind: "ValidatingPolicy", Name: "full"}},
				MatchConditions: []policy.NamedExpression{{Name: "legacy", Expression: "object.metadata.namespace == 'legacy'"}},
				Images:          []string{"registry.example.com/legacy:*"}, AllowedValues: []string{"root"}, ReportResult: policy.ReportPass,
			},
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

func TestTheKyvernoVersionLimitsKindsAndFields(t *testing.T) {
	validations := []policy.Validation{{Expression: "true"}}
	mutations := []policy.Mutation{policy.JSONPatch{Expression: "[]"}}
	exception := policy.CELException{Name: "a", Namespace: "n", Policies: []policy.ExceptedPolicy{{Kind: "ValidatingPolicy", Name: "a"}}}
	tests := map[string]struct {
		builder builder
		// first is the oldest version that builds it.
		first policy.Version
		// field that the version before lacks, or none if it lacks the kind.
		field      string
		apiVersion string
	}{
		"a ValidatingPolicy": {
			builder: policy.ValidatingPolicy{Name: "a", Match: pods, Validations: validations},
			first:   policy.Kyverno(1, 14), apiVersion: "policies.kyverno.io/v1alpha1 ValidatingPolicy",
		},
		"a ValidatingPolicy in a namespace": {
			builder: policy.ValidatingPolicy{Name: "a", Namespace: "n", Match: pods, Validations: validations},
			first:   policy.Kyverno(1, 16), apiVersion: "policies.kyverno.io/v1beta1 NamespacedValidatingPolicy",
		},
		"an ImageValidatingPolicy": {
			builder: policy.ImageValidatingPolicy{Name: "a", Match: pods, Validations: validations},
			first:   policy.Kyverno(1, 14), apiVersion: "policies.kyverno.io/v1alpha1 ImageValidatingPolicy",
		},
		"an ImageValidatingPolicy in a namespace": {
			builder: policy.ImageValidatingPolicy{Name: "a", Namespace: "n", Match: pods, Validations: validations},
			first:   policy.Kyverno(1, 16), apiVersion: "policies.kyverno.io/v1beta1 NamespacedImageValidatingPolicy",
		},
		"a MutatingPolicy": {
			builder: policy.MutatingPolicy{Name: "a", Match: pods, Mutations: mutations},
			first:   policy.Kyverno(1, 15), apiVersion: "policies.kyverno.io/v1alpha1 MutatingPolicy",
		},
		"a MutatingPolicy in a namespace": {
			builder: policy.MutatingPolicy{Name: "a", Namespace: "n", Match: pods, Mutations: mutations},
			first:   policy.Kyverno(1, 17), apiVersion: "policies.kyverno.io/v1 NamespacedMutatingPolicy",
		},
		"the mode of a MutatingPolicy": {
			builder: policy.MutatingPolicy{Name: "a", Match: pods, Mutations: mutations, Evaluation: policy.MutatingEvaluation{Mode: policy.ModeJSON}},
			first:   policy.Kyverno(1, 16), field: "evaluation.mode", apiVersion: "policies.kyverno.io/v1beta1 MutatingPolicy",
		},
		"the background of a MutatingPolicy": {
			builder: policy.MutatingPolicy{Name: "a", Match: pods, Mutations: mutations, Evaluation: policy.MutatingEvaluation{SkipBackground: true}},
			first:   policy.Kyverno(1, 16), field: "evaluation.skipBackground", apiVersion: "policies.kyverno.io/v1beta1 MutatingPolicy",
		},
		"the target expression of a MutatingPolicy": {
			builder: policy.MutatingPolicy{Name: "a", Match: pods, Mutations: mutations, TargetExpression: "[]", Evaluation: policy.MutatingEvaluation{MutateExisting: true}},
			first:   policy.Kyverno(1, 17), field: "targetExpression", apiVersion: "policies.kyverno.io/v1 MutatingPolicy",
		},
		"a GeneratingPolicy": {
			builder: policy.GeneratingPolicy{Name: "a", Match: pods, Generate: []string{"true"}},
			first:   policy.Kyverno(1, 15), apiVersion: "policies.kyverno.io/v1alpha1 GeneratingPolicy",
		},
		"a GeneratingPolicy in a namespace": {
			builder: policy.GeneratingPolicy{Name: "a", Namespace: "n", Match: pods, Generate: []string{"true"}},
			first:   policy.Kyverno(1, 17), apiVersion: "policies.kyverno.io/v1 NamespacedGeneratingPolicy",
		},
		"a DeletingPolicy": {
			builder: policy.DeletingPolicy{Name: "a", Match: pods, Schedule: "@daily"},
			first:   policy.Kyverno(1, 15), apiVersion: "policies.kyverno.io/v1alpha1 DeletingPolicy",
		},
		"a DeletingPolicy in a namespace": {
			builder: policy.DeletingPolicy{Name: "a", Namespace: "n", Match: pods, Schedule: "@daily"},
			first:   policy.Kyverno(1, 16), apiVersion: "policies.kyverno.io/v1beta1 NamespacedDeletingPolicy",
		},
		"an exception": {builder: exception, first: policy.Kyverno(1, 14), apiVersion: "policies.kyverno.io/v1alpha1 PolicyException"},
		"an exception for images": {
			builder: with(exception, func(e *policy.CELException) { e.Images = []string{"a"} }),
			first:   policy.Kyverno(1, 16), field: "images", apiVersion: "policies.kyverno.io/v1beta1 PolicyException",
		},
		"an exception for values": {
			builder: with(exception, func(e *policy.CELException) { e.AllowedValues = []string{"a"} }),
			first:   policy.Kyverno(1, 16), field: "allowedValues", apiVersion: "policies.kyverno.io/v1beta1 PolicyException",
		},
		"an exception with a result": {
			builder: with(exception, func(e *policy.CELException) { e.ReportResult = policy.ReportSkip }),
			first:   policy.Kyverno(1, 16), field: "reportResult", apiVersion: "policies.kyverno.io/v1beta1 PolicyException",
		},
		"an exception from a kind that is newer": {
			builder: with(exception, func(e *policy.CELException) {
				e.Policies = []policy.ExceptedPolicy{{Kind: "NamespacedMutatingPolicy", Name: "a"}}
			}),
			first: policy.Kyverno(1, 17), field: "policies[0].kind", apiVersion: "policies.kyverno.io/v1 PolicyException",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			obj, err := test.builder.Build(test.first)
			require.NoError(t, err)
			require.Equal(t, test.apiVersion, obj.GetAPIVersion()+" "+obj.GetKind())

			older := policy.Kyverno(1, test.first.Minor-1)
			_, err = test.builder.Build(older)
			var unsupported *policy.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			require.Equal(t, test.field, unsupported.Field)
			require.Equal(t, older, unsupported.Kyverno)
			require.Equal(t, strings.Fields(test.apiVersion)[1], unsupported.Kind)
			require.Equal(t, "a", unsupported.Rule)
		})
	}
}

func TestBuiltPoliciesShareNothingWithTheirInput(t *testing.T) {
	raw := map[string]any{"a": map[string]any{"b": "c"}}
	source := policy.ValidatingPolicy{
		Name: "a", Labels: map[string]string{"a": "b"}, Raw: raw,
		Match: policy.MatchResources{
			Rules:          []policy.ResourceRule{{Resources: []string{"pods"}}},
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		},
		Validations: []policy.Validation{{Expression: "true"}},
	}
	first, err := source.Build(policy.Kyverno(1, 17))
	require.NoError(t, err)
	want := first.DeepCopy()
	source.Labels["a"], source.Match.Rules[0].Resources[0], source.Match.ObjectSelector.MatchLabels["a"] = "x", "x", "x"
	raw["a"].(map[string]any)["b"] = "x" //nolint:forcetypeassert // it is written above
	if diff := cmp.Diff(want.Object, first.Object); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	second, err := source.Build(policy.Kyverno(1, 17))
	require.NoError(t, err)
	require.NotEqual(t, want.Object, second.Object)
}

func TestFaultsAreInvalid(t *testing.T) {
	for _, b := range []builder{
		policy.ValidatingPolicy{}, policy.MutatingPolicy{}, policy.GeneratingPolicy{}, policy.DeletingPolicy{},
		policy.ImageValidatingPolicy{}, policy.CELException{},
	} {
		_, err := b.Build(policy.Kyverno(1, 17))
		require.True(t, apierrors.IsInvalid(err), "%T: %v", b, err)
	}
}

// with returns a changed copy.
func with[T any](value T, change func(*T)) T {
	change(&value)
	return value
}
