package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/policy"
)

// celBuilder is what the builders of the policies.kyverno.io group have in common.
type celBuilder interface {
	Build(kyverno policy.Version) (*unstructured.Unstructured, error)
}

// pem is what a key or certificate looks like from outside.
const pem = "-----BEGIN CERTIFICATE-----\nMFkw\n-----END CERTIFICATE-----\n"

// everyMatch sets every field of a match block.
func everyMatch() policy.MatchResources {
	rule := policy.ResourceRule{
		Groups: []string{""}, Versions: []string{"v1"}, Resources: []string{"configmaps"}, Names: []string{"a"}, Scope: policy.NamespacedScope,
	}
	selector := &metav1.LabelSelector{
		MatchLabels:      map[string]string{"a": "b"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "c", Operator: metav1.LabelSelectorOpIn, Values: []string{"d"}}},
	}
	return policy.MatchResources{
		Rules: []policy.ResourceRule{rule}, Exclude: []policy.ResourceRule{rule},
		NamespaceSelector: selector, ObjectSelector: selector, MatchPolicy: policy.MatchExact,
	}
}

func podsAlone() policy.MatchResources {
	return policy.MatchResources{Rules: []policy.ResourceRule{{Resources: []string{"pods"}}}}
}

// celBuilders set, together, every field of the CRDs of 1.15.2. Their expressions compile. The namespace is empty for the
// kinds of the cluster.
func celBuilders(namespace string) map[string]celBuilder {
	conditions := []policy.NamedExpression{{Name: "named", Expression: "object.metadata.name != 'x'"}}
	variables := []policy.NamedExpression{{Name: "name", Expression: "object.metadata.name"}}
	validations := []policy.Validation{{
		Expression: "variables.name != 'x'", Message: "no", MessageExpression: "'no ' + variables.name", Reason: policy.ReasonForbidden,
	}}
	annotations := []policy.AuditAnnotation{{Key: "name", ValueExpression: "string(variables.name)"}}
	webhook := policy.Webhook{TimeoutSeconds: 5}
	text := &policy.ExpressionOr{Value: pem}
	expression := &policy.ExpressionOr{Expression: "variables.name"}
	return map[string]celBuilder{
		"validating with every field": policy.ValidatingPolicy{
			Name: "validating", Namespace: namespace, Match: everyMatch(), MatchConditions: conditions, Variables: variables,
			Validations: validations, AuditAnnotations: annotations, Actions: []policy.ValidationAction{policy.ActionAudit, policy.ActionWarn},
			FailurePolicy: policy.FailOpen, AdmissionPolicy: true, Webhook: webhook,
			Evaluation: policy.Evaluation{Mode: policy.ModeKubernetes, SkipAdmission: true, SkipBackground: true},
		},
		"validating pods and some controllers": policy.ValidatingPolicy{
			Name: "validating-pods", Namespace: namespace, Match: podsAlone(), Validations: validations, Variables: variables,
			Autogen: policy.Autogen{Controllers: []string{"deployments"}}, Actions: []policy.ValidationAction{policy.ActionAudit},
		},
		"mutating with every field": policy.MutatingPolicy{
			Name: "mutating", Namespace: namespace, Match: everyMatch(), MatchConditions: conditions, Variables: variables,
			Targets: new(everyMatch()), AdmissionPolicy: true, Webhook: webhook,
			Mutations: []policy.Mutation{
				policy.ApplyConfiguration{Expression: `Object{metadata: Object.metadata{labels: {"a": "b"}}}`},
				policy.JSONPatch{Expression: `[JSONPatch{op: "add", path: "/metadata/labels/a", value: variables.name}]`},
			},
			Reinvocation: policy.ReinvokeIfNeeded, FailurePolicy: policy.FailOpen,
			Evaluation: policy.MutatingEvaluation{SkipAdmission: true, MutateExisting: true},
		},
		"mutating pods and some controllers": policy.MutatingPolicy{
			Name: "mutating-pods", Namespace: namespace, Match: podsAlone(), Autogen: policy.Autogen{Controllers: []string{"jobs"}},
			Mutations: []policy.Mutation{policy.ApplyConfiguration{Expression: `Object{metadata: Object.metadata{labels: {"a": "b"}}}`}},
		},
		"generating with every field": policy.GeneratingPolicy{
			Name: "generating", Namespace: namespace, Match: everyMatch(), MatchConditions: conditions, Variables: variables, Webhook: webhook,
			Generate:   []string{`generator.Apply(variables.name, [{"kind": dyn("ConfigMap"), "apiVersion": dyn("v1"), "metadata": dyn({"name": "a"})}])`},
			Evaluation: policy.GeneratingEvaluation{SkipAdmission: true, GenerateExisting: true, Synchronize: true, OrphanOnPolicyDelete: true},
		},
		"deleting with every field": policy.DeletingPolicy{
			Name: "deleting", Namespace: namespace, Match: everyMatch(), Conditions: conditions, Variables: variables,
			Schedule: "0 3 * * *", Propagation: metav1.DeletePropagationForeground,
		},
		"verifying images with every field": policy.ImageValidatingPolicy{
			Name: "verifying", Namespace: namespace, Match: everyMatch(), MatchConditions: conditions, Variables: variables,
			References: []policy.ImageReference{{Glob: "registry.example.com/*"}, {Expression: "ref.startsWith('registry.example.com/')"}},
			Images:     []policy.NamedExpression{{Name: "data", Expression: "[object.data.image]"}},
			Attestors: []policy.Attestor{
				{Name: "key", Signature: policy.Cosign{
					Signer:      policy.CosignKey{Data: pem, HashAlgorithm: "sha512"},
					Annotations: map[string]string{"a": "b"},
					Source:      policy.CosignSource{Repository: "registry.example.com/signatures", PullSecrets: []string{"pull"}, TagPrefix: "sig-"},
					Log: policy.CosignLog{
						URL: "https://rekor.example.com", RekorPublicKey: pem, CTLogPublicKey: pem, TSACertificateChain: pem, IgnoreTlog: true, IgnoreSCT: true,
					},
					TUF: policy.CosignTUF{Mirror: "https://tuf.example.com", RootPath: "https://tuf.example.com/root.json"},
				}},
				{Name: "kms", Signature: policy.Cosign{Signer: policy.CosignKey{KMS: "awskms:///a"}, TUF: policy.CosignTUF{RootData: "e30="}}},
				{Name: "computed", Signature: policy.Cosign{Signer: policy.CosignKey{Expression: "variables.name"}}},
				{Name: "keyless", Signature: policy.Cosign{Signer: policy.CosignKeyless{Roots: pem, Identities: []policy.CosignIdentity{
					{Issuer: "https://issuer.example.com", Subject: "a@example.com"}, {IssuerRegExp: ".*", SubjectRegExp: ".*@example.com"},
				}}}},
				{Name: "certificate", Signature: policy.Cosign{Signer: policy.CosignCertificate{Certificate: *text, Chain: *text}}},
				{Name: "computedcertificate", Signature: policy.Cosign{Signer: policy.CosignCertificate{Certificate: *expression, Chain: *expression}}},
				{Name: "notary", Signature: policy.Notary{Certificates: *text, TSACertificates: text}},
				{Name: "computednotary", Signature: policy.Notary{Certificates: *expression, TSACertificates: expression}},
			},
			Attestations: []policy.Attestation{{Name: "sbom", InToto: "https://cyclonedx.org/bom"}, {Name: "scan", Referrer: "scan/v1"}},
			Validations:  validations, AuditAnnotations: annotations,
			Checks:      policy.ImageChecks{KeepTags: true, AllowTags: true, AllowUnverified: true},
			Credentials: policy.ImageCredentials{AllowInsecureRegistry: true, Providers: []string{"default", "github"}, Secrets: []string{"registry"}},
			Actions:     []policy.ValidationAction{policy.ActionDeny}, FailurePolicy: policy.FailOpen, Webhook: webhook,
			Evaluation: policy.Evaluation{Mode: policy.ModeKubernetes, SkipAdmission: true, SkipBackground: true},
		},
		"verifying pods and some controllers": policy.ImageValidatingPolicy{
			Name: "verifying-pods", Namespace: namespace, Match: podsAlone(), Variables: variables, Validations: validations,
			Autogen: policy.Autogen{Controllers: []string{"cronjobs"}},
		},
	}
}

// celExceptions are of a namespace always.
func celExceptions() map[string]celBuilder {
	return map[string]celBuilder{
		"an exception": policy.CELException{
			Name: "exception", Namespace: "default", Policies: []policy.ExceptedPolicy{{Kind: "ValidatingPolicy", Name: "validating"}},
			MatchConditions: []policy.NamedExpression{{Name: "named", Expression: "object.metadata.name == 'x'"}},
		},
	}
}

// newerCELBuilders set the fields that 1.17.1 has and 1.15.2 has not.
func newerCELBuilders(namespace string) map[string]celBuilder {
	mutations := []policy.Mutation{policy.JSONPatch{Expression: "[]"}}
	return map[string]celBuilder{
		"an exception with newer fields": policy.CELException{
			Name: "newer", Namespace: "default", Policies: []policy.ExceptedPolicy{{Kind: "NamespacedValidatingPolicy", Name: "validating"}},
			Images: []string{"registry.example.com/*"}, AllowedValues: []string{"a"}, ReportResult: policy.ReportPass,
		},
		"mutating with newer fields": policy.MutatingPolicy{
			Name: "newer", Namespace: namespace, Match: podsAlone(), Mutations: mutations, TargetExpression: "[]",
			Evaluation: policy.MutatingEvaluation{Mode: policy.ModeKubernetes, SkipBackground: true, MutateExisting: true},
		},
	}
}

// without are the policies that no controller's rules are derived from, which a list without items says.
func without(namespace string) map[string]celBuilder {
	none, validations := policy.Autogen{None: true}, []policy.Validation{{Expression: "true"}}
	return map[string]celBuilder{
		"validating pods alone": policy.ValidatingPolicy{Name: "no-controllers", Namespace: namespace, Match: podsAlone(), Validations: validations, Autogen: none},
		"verifying pods alone":  policy.ImageValidatingPolicy{Name: "no-controllers", Namespace: namespace, Match: podsAlone(), Validations: validations, Autogen: none},
		"mutating pods alone": policy.MutatingPolicy{
			Name: "no-controllers", Namespace: namespace, Match: podsAlone(), Autogen: none, Mutations: []policy.Mutation{policy.JSONPatch{Expression: "[]"}},
		},
	}
}

func buildAll(t *testing.T, version policy.Version, sets ...map[string]celBuilder) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{}
	for _, set := range sets {
		for name, builder := range set {
			obj, err := builder.Build(version)
			require.NoError(t, err, name)
			objects[name] = obj
		}
	}
	return objects
}
