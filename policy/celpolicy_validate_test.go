package policy_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/policy"
)

func matching(rule policy.ResourceRule) policy.MatchResources {
	return policy.MatchResources{Rules: []policy.ResourceRule{rule}}
}

func validating(change func(*policy.ValidatingPolicy)) builder {
	return with(policy.ValidatingPolicy{Name: "a", Match: pods, Validations: []policy.Validation{{Expression: "true"}}}, change)
}

func matched(match policy.MatchResources) builder {
	return validating(func(p *policy.ValidatingPolicy) { p.Match = match })
}

func mutating(change func(*policy.MutatingPolicy)) builder {
	return with(policy.MutatingPolicy{Name: "a", Match: pods, Mutations: []policy.Mutation{policy.JSONPatch{Expression: "[]"}}}, change)
}

func deleting(change func(*policy.DeletingPolicy)) builder {
	return with(policy.DeletingPolicy{Name: "a", Match: pods, Schedule: "0 3 * * *"}, change)
}

func verifying(change func(*policy.ImageValidatingPolicy)) builder {
	return with(policy.ImageValidatingPolicy{Name: "a", Match: pods, Validations: []policy.Validation{{Expression: "true"}}}, change)
}

func attested(signature policy.Signature) builder {
	return verifying(func(p *policy.ImageValidatingPolicy) {
		p.Attestors = []policy.Attestor{{Name: "a", Signature: signature}}
	})
}

func excepting(change func(*policy.CELException)) builder {
	return with(policy.CELException{Name: "a", Namespace: "n", Policies: []policy.ExceptedPolicy{{Kind: "ValidatingPolicy", Name: "a"}}}, change)
}

func named(names ...string) []policy.NamedExpression {
	out := make([]policy.NamedExpression, len(names))
	for i, name := range names {
		out[i] = policy.NamedExpression{Name: name, Expression: "true"}
	}
	return out
}

func many(count int) []policy.NamedExpression {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	return named(names...)
}

func TestMatchResourcesValidate(t *testing.T) {
	tests := map[string]struct {
		match policy.MatchResources
		want  []string
	}{
		"a rule is required":      {want: []string{"match.rules: FieldValueRequired"}},
		"resources are required":  {match: matching(policy.ResourceRule{}), want: []string{"match.rules[0].resources: FieldValueRequired"}},
		"subresources are valid":  {match: matching(policy.ResourceRule{Resources: []string{"pods", "pods/log", "*/scale", "deployments/*"}})},
		"the core group is valid": {match: matching(policy.ResourceRule{Groups: []string{"", "apps"}, Resources: []string{"*"}})},
		"everything is valid": {match: matching(policy.ResourceRule{
			Groups: []string{"*"}, Versions: []string{"*"}, Operations: []string{"*"}, Resources: []string{"*", "*/status"}, Scope: policy.AnyScope,
		})},
		"a star stands alone": {
			match: matching(policy.ResourceRule{
				Groups: []string{"*", "apps"}, Versions: []string{"v1", "*"}, Operations: []string{"CREATE", "*"}, Resources: []string{"*", "pods"},
			}),
			want: []string{
				"match.rules[0].groups: FieldValueInvalid", "match.rules[0].versions: FieldValueInvalid",
				"match.rules[0].operations: FieldValueInvalid", "match.rules[0].resources[1]: FieldValueInvalid",
			},
		},
		"a resource is named once": {
			match: matching(policy.ResourceRule{Resources: []string{"pods", "pods", "a/*", "a/b", "*/c", "d/c"}}),
			want: []string{
				"match.rules[0].resources[1]: FieldValueInvalid", "match.rules[0].resources[3]: FieldValueInvalid",
				"match.rules[0].resources[5]: FieldValueInvalid",
			},
		},
		"two stars stand for every resource": {
			match: matching(policy.ResourceRule{Resources: []string{"pods", "*/*"}}),
			want:  []string{"match.rules[0].resources[0]: FieldValueInvalid"},
		},
		"operations are those of the API server": {
			match: matching(policy.ResourceRule{Resources: []string{"pods"}, Operations: []string{"CREATE", "create", "PATCH"}}),
			want:  []string{"match.rules[0].operations[1]: FieldValueNotSupported", "match.rules[0].operations[2]: FieldValueNotSupported"},
		},
		"empty names are faults": {
			match: matching(policy.ResourceRule{Resources: []string{""}, Versions: []string{""}, Names: []string{""}}),
			want: []string{
				"match.rules[0].versions[0]: FieldValueRequired", "match.rules[0].resources[0]: FieldValueRequired",
				"match.rules[0].names[0]: FieldValueRequired",
			},
		},
		"choices are known": {
			match: policy.MatchResources{Rules: []policy.ResourceRule{{Resources: []string{"pods"}, Scope: "All"}}, MatchPolicy: "Same"},
			want:  []string{"match.rules[0].scope: FieldValueNotSupported", "match.matchPolicy: FieldValueNotSupported"},
		},
		"exclusions and selectors are checked": {
			match: policy.MatchResources{
				Rules: pods.Rules, Exclude: []policy.ResourceRule{{}},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a b": "c"}},
				ObjectSelector:    &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is"}}},
			},
			want: []string{
				"match.exclude[0].resources: FieldValueRequired", "match.namespaceSelector.matchLabels: FieldValueInvalid",
				"match.objectSelector.matchExpressions[0].operator: FieldValueInvalid",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, faults(matched(test.match).Validate()))
		})
	}
}

func TestCELBuildersValidate(t *testing.T) {
	tests := map[string]struct {
		builder builder
		want    []string
	}{
		"a minimal ValidatingPolicy is valid":      {builder: validating(func(*policy.ValidatingPolicy) {})},
		"a minimal MutatingPolicy is valid":        {builder: mutating(func(*policy.MutatingPolicy) {})},
		"a minimal DeletingPolicy is valid":        {builder: deleting(func(*policy.DeletingPolicy) {})},
		"a minimal ImageValidatingPolicy is valid": {builder: verifying(func(*policy.ImageValidatingPolicy) {})},
		"a minimal exception is valid":             {builder: excepting(func(*policy.CELException) {})},
		"a ValidatingPolicy needs a name, a match and a validation": {
			builder: policy.ValidatingPolicy{},
			want:    []string{"name: FieldValueRequired", "match.rules: FieldValueRequired", "validations: FieldValueRequired"},
		},
		"an audit annotation is enough": {builder: validating(func(p *policy.ValidatingPolicy) {
			p.Validations, p.AuditAnnotations = nil, []policy.AuditAnnotation{{Key: "example.com/a", ValueExpression: "'a'"}}
		})},
		"metadata follows Kubernetes' rules": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.Name, p.Namespace, p.Labels, p.Annotations = "A", "n.s", map[string]string{"a b": ""}, map[string]string{"a b": ""}
			}),
			want: []string{"name: FieldValueInvalid", "namespace: FieldValueInvalid", "labels: FieldValueInvalid", "annotations: FieldValueInvalid"},
		},
		"match conditions have qualified names of their own": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.MatchConditions = append(named("a", "a", "example.com/b", "a b", ""), policy.NamedExpression{Name: "c"})
			}),
			want: []string{
				"matchConditions[1].name: FieldValueDuplicate", "matchConditions[3].name: FieldValueInvalid",
				"matchConditions[4].name: FieldValueRequired", "matchConditions[5].expression: FieldValueRequired",
			},
		},
		"64 match conditions are valid": {builder: validating(func(p *policy.ValidatingPolicy) { p.MatchConditions = many(64) })},
		"65 match conditions are too many": {
			builder: validating(func(p *policy.ValidatingPolicy) { p.MatchConditions = many(65) }),
			want:    []string{"matchConditions: FieldValueTooMany"},
		},
		"variables have names that expressions can use": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.Variables = named("a", "_b1", "namespace", "a-b", "1a", "in", "a", "")
			}),
			want: []string{
				"variables[3].name: FieldValueInvalid", "variables[4].name: FieldValueInvalid", "variables[5].name: FieldValueInvalid",
				"variables[6].name: FieldValueDuplicate", "variables[7].name: FieldValueRequired",
			},
		},
		"validations need an expression and a known reason": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.Validations = []policy.Validation{{Reason: "Because", Message: "\xff"}}
			}),
			want: []string{
				"validations[0].expression: FieldValueRequired", "validations[0].message: FieldValueInvalid", "validations[0].reason: FieldValueNotSupported",
			},
		},
		"audit annotations have qualified keys of their own": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.AuditAnnotations = []policy.AuditAnnotation{{Key: "a", ValueExpression: "''"}, {Key: "a"}, {Key: "a b", ValueExpression: "''"}}
			}),
			want: []string{
				"auditAnnotations[1].key: FieldValueDuplicate", "auditAnnotations[1].valueExpression: FieldValueRequired",
				"auditAnnotations[2].key: FieldValueInvalid",
			},
		},
		"actions are a set of what there is": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.Actions, p.FailurePolicy = []policy.ValidationAction{"Deny", "Deny", "Enforce", ""}, "Open"
			}),
			want: []string{
				"actions[1]: FieldValueDuplicate", "actions[2]: FieldValueNotSupported", "actions[3]: FieldValueRequired",
				"failurePolicy: FieldValueNotSupported",
			},
		},
		"controllers are those that Kyverno derives rules for": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.Autogen.Controllers = []string{"deployments", "replicationcontrollers", "deployments"}
			}),
			want: []string{"autogen.controllers[1]: FieldValueNotSupported", "autogen.controllers[2]: FieldValueDuplicate"},
		},
		"controllers need a match of pods alone": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.Match, p.Autogen.Controllers = matching(policy.ResourceRule{Resources: []string{"pods", "services"}}), []string{"jobs"}
			}),
			want: []string{"autogen.controllers: FieldValueForbidden"},
		},
		"controllers and none exclude each other": {
			builder: validating(func(p *policy.ValidatingPolicy) {
				p.Autogen = policy.Autogen{None: true, Controllers: []string{"jobs"}}
			}),
			want: []string{"autogen.controllers: FieldValueForbidden"},
		},
		"modes and timeouts are those there are": {
			builder: validating(func(p *policy.ValidatingPolicy) { p.Evaluation.Mode, p.Webhook.TimeoutSeconds = "YAML", 31 }),
			want:    []string{"evaluation.mode: FieldValueNotSupported", "webhook.timeoutSeconds: FieldValueInvalid"},
		},
		"a raw fragment is JSON": {
			builder: validating(func(p *policy.ValidatingPolicy) { p.Raw = map[string]any{"a": make(chan int)} }),
			want:    []string{"raw: FieldValueInvalid"},
		},
		"a MutatingPolicy needs mutations with expressions": {
			builder: mutating(func(p *policy.MutatingPolicy) {
				p.Mutations = []policy.Mutation{policy.ApplyConfiguration{}, policy.JSONPatch{}, nil, (*policy.JSONPatch)(nil)}
				p.Reinvocation, p.Evaluation.Mode = "Always", "YAML"
			}),
			want: []string{
				"mutations[0].expression: FieldValueRequired", "mutations[1].expression: FieldValueRequired", "mutations[2]: FieldValueRequired",
				"mutations[3]: FieldValueRequired", "reinvocation: FieldValueNotSupported", "evaluation.mode: FieldValueNotSupported",
			},
		},
		"a MutatingPolicy without a mutation changes nothing": {
			builder: mutating(func(p *policy.MutatingPolicy) { p.Mutations = nil }), want: []string{"mutations: FieldValueRequired"},
		},
		"targets are for existing objects": {
			builder: mutating(func(p *policy.MutatingPolicy) { p.Targets = &policy.MatchResources{} }),
			want:    []string{"targets.rules: FieldValueRequired", "targets: FieldValueForbidden"},
		},
		"a target expression is for existing objects": {
			builder: mutating(func(p *policy.MutatingPolicy) { p.TargetExpression = "[]" }), want: []string{"targetExpression: FieldValueForbidden"},
		},
		"targets are selected in one way": {
			builder: mutating(func(p *policy.MutatingPolicy) {
				p.Targets, p.TargetExpression, p.Evaluation.MutateExisting = &pods, "[]", true
			}),
			want: []string{"targetExpression: FieldValueForbidden"},
		},
		"a GeneratingPolicy needs expressions": {
			builder: policy.GeneratingPolicy{Name: "a", Match: pods, Generate: []string{""}}, want: []string{"generate[0]: FieldValueRequired"},
		},
		"a GeneratingPolicy without an expression makes nothing": {
			builder: policy.GeneratingPolicy{Name: "a", Match: pods}, want: []string{"generate: FieldValueRequired"},
		},
		"a DeletingPolicy needs a schedule":   {builder: deleting(func(p *policy.DeletingPolicy) { p.Schedule = "" }), want: []string{"schedule: FieldValueRequired"}},
		"a descriptor is a schedule":          {builder: deleting(func(p *policy.DeletingPolicy) { p.Schedule = "@weekly" })},
		"a schedule has five fields":          {builder: deleting(func(p *policy.DeletingPolicy) { p.Schedule = "0 3 * *" }), want: []string{"schedule: FieldValueInvalid"}},
		"a schedule is within the clock":      {builder: deleting(func(p *policy.DeletingPolicy) { p.Schedule = "0 24 * * *" }), want: []string{"schedule: FieldValueInvalid"}},
		"a schedule has no time zone":         {builder: deleting(func(p *policy.DeletingPolicy) { p.Schedule = "TZ=UTC" }), want: []string{"schedule: FieldValueInvalid"}},
		"a schedule is no interval":           {builder: deleting(func(p *policy.DeletingPolicy) { p.Schedule = "@every 5m" }), want: []string{"schedule: FieldValueInvalid"}},
		"a propagation is one there is":       {builder: deleting(func(p *policy.DeletingPolicy) { p.Propagation = "Later" }), want: []string{"propagation: FieldValueNotSupported"}},
		"names of conditions are of any kind": {builder: deleting(func(p *policy.DeletingPolicy) { p.Conditions = named("is done") })},
		"no object on its own has an operation": {
			builder: deleting(func(p *policy.DeletingPolicy) {
				p.Match = policy.MatchResources{
					Rules:   []policy.ResourceRule{{Resources: []string{"pods"}, Operations: []string{"CREATE"}}},
					Exclude: []policy.ResourceRule{{Resources: []string{"jobs"}, Operations: []string{"*"}}},
				}
			}),
			want: []string{"match.rules[0].operations[0]: FieldValueNotSupported"},
		},
		"an ImageValidatingPolicy needs a validation": {
			builder: verifying(func(p *policy.ImageValidatingPolicy) { p.Validations = nil }), want: []string{"validations: FieldValueRequired"},
		},
		"images are selected by one glob or expression": {
			builder: verifying(func(p *policy.ImageValidatingPolicy) {
				p.References = []policy.ImageReference{{}, {Glob: "a", Expression: "true"}, {Glob: "a[["}}
			}),
			want: []string{
				"references[0].glob: FieldValueRequired", "references[1].expression: FieldValueForbidden", "references[2].glob: FieldValueInvalid",
			},
		},
		"attestors have a name of their own and a signature": {
			builder: verifying(func(p *policy.ImageValidatingPolicy) {
				p.Attestors = []policy.Attestor{{}, {Name: "a", Signature: (*policy.Cosign)(nil)}, {Name: "a", Signature: policy.Cosign{}}}
			}),
			want: []string{
				"attestors[0].name: FieldValueRequired", "attestors[0].signature: FieldValueRequired", "attestors[1].signature: FieldValueRequired",
				"attestors[2].name: FieldValueDuplicate", "attestors[2].signature.signer: FieldValueRequired",
			},
		},
		"a key is in PEM": {
			builder: attested(policy.Cosign{Signer: policy.CosignKey{Data: "c2VjcmV0", HashAlgorithm: "md5"}}),
			want:    []string{"attestors[0].signature.signer.data: FieldValueInvalid", "attestors[0].signature.signer.hashAlgorithm: FieldValueNotSupported"},
		},
		"a key comes from one place": {
			builder: attested(policy.Cosign{Signer: policy.CosignKey{KMS: "awskms:///a", Expression: "variables.key"}}),
			want:    []string{"attestors[0].signature.signer.expression: FieldValueForbidden"},
		},
		"keyless signatures need identities that say something": {
			builder: attested(policy.Cosign{Signer: policy.CosignKeyless{
				Identities: []policy.CosignIdentity{{}, {SubjectRegExp: "("}, {Issuer: "https://issuer.example.com"}}, Roots: "x",
			}}),
			want: []string{
				"attestors[0].signature.signer.roots: FieldValueInvalid", "attestors[0].signature.signer.identities[0]: FieldValueRequired",
				"attestors[0].signature.signer.identities[1].subjectRegExp: FieldValueInvalid",
			},
		},
		"keyless signatures need an identity": {
			builder: attested(policy.Cosign{Signer: policy.CosignKeyless{}}), want: []string{"attestors[0].signature.signer.identities: FieldValueRequired"},
		},
		"a certificate needs its chain": {
			builder: attested(policy.Cosign{Signer: policy.CosignCertificate{Certificate: policy.ExpressionOr{Value: "x"}}}),
			want: []string{
				"attestors[0].signature.signer.chain.value: FieldValueRequired", "attestors[0].signature.signer.certificate.value: FieldValueInvalid",
			},
		},
		"what cosign reads is checked": {
			builder: attested(policy.Cosign{
				Signer: policy.CosignKey{KMS: "awskms:///a"}, Annotations: map[string]string{"": "a"},
				Source: policy.CosignSource{PullSecrets: []string{"A"}}, Log: policy.CosignLog{RekorPublicKey: "x"},
				TUF: policy.CosignTUF{RootPath: "a", RootData: "b"},
			}),
			want: []string{
				"attestors[0].signature.annotations: FieldValueRequired", "attestors[0].signature.source.pullSecrets[0]: FieldValueInvalid",
				"attestors[0].signature.log.rekorPublicKey: FieldValueInvalid", "attestors[0].signature.tuf.rootData: FieldValueForbidden",
			},
		},
		"notary needs certificates": {
			builder: attested(policy.Notary{TSACertificates: &policy.ExpressionOr{}}),
			want: []string{
				"attestors[0].signature.certificates.value: FieldValueRequired", "attestors[0].signature.tsaCertificates.value: FieldValueRequired",
			},
		},
		"attestations have a name of their own and one type": {
			builder: verifying(func(p *policy.ImageValidatingPolicy) {
				p.Attestations = []policy.Attestation{{Name: "a"}, {Name: "a", InToto: "x", Referrer: "y"}}
			}),
			want: []string{
				"attestations[0].inToto: FieldValueRequired", "attestations[1].name: FieldValueDuplicate", "attestations[1].referrer: FieldValueForbidden",
			},
		},
		"credentials come from those there are": {
			builder: verifying(func(p *policy.ImageValidatingPolicy) {
				p.Credentials = policy.ImageCredentials{Providers: []string{"gitlab", ""}, Secrets: []string{"A"}}
			}),
			want: []string{
				"credentials.providers[0]: FieldValueNotSupported", "credentials.providers[1]: FieldValueRequired", "credentials.secrets[0]: FieldValueInvalid",
			},
		},
		"an exception needs a name, a namespace and policies": {
			builder: policy.CELException{},
			want:    []string{"name: FieldValueRequired", "namespace: FieldValueRequired", "policies: FieldValueRequired"},
		},
		"an exception is from policies of the group": {
			builder: excepting(func(e *policy.CELException) {
				e.Policies = []policy.ExceptedPolicy{{Kind: "ClusterPolicy", Name: "a"}, {}, {Kind: "PolicyException", Name: "a"}, {Kind: "DeletingPolicy", Name: "a"}, {Kind: "DeletingPolicy", Name: "a"}}
			}),
			want: []string{
				"policies[0].kind: FieldValueNotSupported", "policies[1].name: FieldValueRequired", "policies[1].kind: FieldValueRequired",
				"policies[2].kind: FieldValueNotSupported", "policies[4]: FieldValueDuplicate",
			},
		},
		"an exception's lists hold something": {
			builder: excepting(func(e *policy.CELException) {
				e.Images, e.AllowedValues, e.ReportResult = []string{""}, []string{"\xff"}, "fail"
			}),
			want: []string{"images[0]: FieldValueRequired", "allowedValues[0]: FieldValueInvalid", "reportResult: FieldValueNotSupported"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.ElementsMatch(t, test.want, faults(test.builder.Validate()))
		})
	}
}

func TestKeysAreNotRepeated(t *testing.T) {
	const key = "-----BEGIN PRIVATE secretsecret"
	for name, b := range map[string]builder{
		"a key":         attested(policy.Cosign{Signer: policy.CosignKey{Data: key}}),
		"a certificate": attested(policy.Cosign{Signer: policy.CosignCertificate{Certificate: policy.ExpressionOr{Value: key, Expression: key}}}),
		"a log":         attested(policy.Cosign{Signer: policy.CosignKey{KMS: "a"}, Log: policy.CosignLog{CTLogPublicKey: key}}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Build(policy.Kyverno(1, 17))
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secretsecret")
		})
	}
}
