package conformance_test

import (
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/policy"
)

// policyBuilder is a builder of either generation.
type policyBuilder = celBuilder

func everySelector() *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels:      map[string]string{"app": "web"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"front"}}},
	}
}

// everyFilter sets every field of a filter that takes no user.
func everyFilter() policy.ResourceFilter {
	return policy.ResourceFilter{
		Kinds: []string{"ConfigMap", "apps/v1/Deployment"}, Names: []string{"a-*"}, Namespaces: []string{"default"},
		Annotations: map[string]string{"a": "b*"}, Selector: everySelector(), NamespaceSelector: everySelector(),
		Operations: []string{"CREATE", "UPDATE"},
	}
}

func everyUser() policy.ResourceFilter {
	filter := everyFilter()
	filter.Subjects = []rbacv1.Subject{
		{Kind: "ServiceAccount", Name: "a", Namespace: "b"}, {APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "c"},
	}
	filter.Roles, filter.ClusterRoles = []string{"default:editor"}, []string{"admin"}
	return filter
}

func matching(kinds ...string) policy.ResourceFilters {
	return policy.ResourceFilters{Any: []policy.ResourceFilter{{Kinds: kinds}}}
}

func everyCondition() policy.Conditions {
	condition := policy.Condition{Key: "{{ request.operation }}", Operator: policy.AnyIn, Value: []any{"CREATE", "UPDATE"}, Message: "no"}
	return policy.Conditions{Any: []policy.Condition{condition}, All: []policy.Condition{
		condition, {Key: "{{ request.object.spec.replicas || `1` }}", Operator: policy.LessThan, Value: int64(3)},
	}}
}

// everyContext has entries of every source, each of which Kyverno can look at without a cluster.
func everyContext() []policy.ContextEntry {
	service := &policy.ServiceCall{
		URL: "https://answers.example.com/ask", CABundle: pem, Headers: []policy.APICallHeader{{Key: "X-From", Value: "kyverno"}},
	}
	return []policy.ContextEntry{
		{Name: "settings", Source: policy.ConfigMapContext{Name: "settings", Namespace: "default"}},
		{Name: "pods", Source: policy.APICallContext{
			Call: policy.APICall{URLPath: "/api/v1/pods", Method: "GET"}, JMESPath: "items | length(@)", Default: int64(0),
		}},
		{Name: "answer", Source: policy.APICallContext{Call: policy.APICall{
			Service: service, Method: "POST", Data: []policy.APICallData{{Key: "name", Value: "{{ request.name }}"}},
		}}},
		{Name: "replicas", Source: policy.VariableContext{Value: map[string]any{"a": int64(1)}, JMESPath: "a", Default: int64(2)}},
		{Name: "image", Source: policy.ImageRegistryContext{
			Reference: "registry.example.com/a:1", JMESPath: "manifest", Credentials: everyCredential(),
		}},
		{Name: "shared", Source: policy.GlobalContext{Name: "deployments", JMESPath: "length(@)"}},
	}
}

func everyCredential() policy.ImageCredentials {
	return policy.ImageCredentials{AllowInsecureRegistry: true, Providers: []string{"default", "github"}, Secrets: []string{"registry"}}
}

func everyExclusion() []policy.PodSecurityExclusion {
	return []policy.PodSecurityExclusion{
		{Control: "Capabilities", Images: []string{"registry.example.com/*"}, Field: "spec.containers[*].securityContext.capabilities.add", Values: []string{"KILL"}},
		{Control: "Host Namespaces"},
	}
}

func everyAttestorSet() []policy.AttestorSet {
	log := policy.ClassicLog{
		URL: "https://rekor.example.com", RekorPublicKey: pem, IgnoreTlog: true, CTLogPublicKey: pem, TSACertificateChain: pem, IgnoreSCT: true,
	}
	nested := policy.AttestorSet{Entries: []policy.ClassicAttestor{{Signer: policy.KeysSigner{PublicKeys: pem}}}}
	return []policy.AttestorSet{{Count: 1, Entries: []policy.ClassicAttestor{
		{
			Signer:      policy.KeysSigner{PublicKeys: pem, Log: log},
			Annotations: map[string]string{"a": "b"}, Repository: "registry.example.com/signatures", SignatureAlgorithm: "sha512",
		},
		{Signer: policy.KeysSigner{KMS: "awskms:///a"}},
		{Signer: policy.KeysSigner{Secret: &policy.SecretRef{Name: "cosign", Namespace: "default"}}},
		{Signer: policy.KeylessSigner{
			Issuer: "https://issuer.example.com", IssuerRegExp: "https://.*", Subject: "a@example.com", SubjectRegExp: ".*@example.com",
			Roots: pem, Extensions: map[string]string{"githubWorkflowName": "release"}, Log: log,
		}},
		{Signer: policy.CertificateSigner{Certificate: pem, Chain: pem, Log: log}},
		{Signer: policy.NestedAttestors{Set: nested}},
	}}}
}

func verification() policy.ImageVerification {
	return policy.ImageVerification{
		References: []string{"registry.example.com/*"}, SkipReferences: []string{"registry.example.com/public/*"}, Type: policy.VerifySigstoreBundle,
		Attestors: everyAttestorSet(), Action: policy.Audit,
		Attestations: []policy.ClassicAttestation{{
			Name: "provenance", Type: "https://slsa.dev/provenance/v1", Attestors: everyAttestorSet(),
			Conditions: []policy.Conditions{{
				Any: []policy.Condition{{Key: "{{ builder.id }}", Operator: policy.Equals, Value: "a", Message: "no"}},
				All: []policy.Condition{{Key: "{{ builder.id }}", Operator: policy.NotEquals, Value: "b", Message: "no"}},
			}},
		}},
		Checks: policy.ImageChecks{KeepTags: true, AllowTags: true, AllowUnverified: true},
		Deny:   &policy.DenyCheck{Conditions: everyCondition()}, Message: "no",
		Repository: "registry.example.com/signatures", OCI11: true, NoCache: true, Credentials: everyCredential(),
	}
}

// classicRules are one for each type of rules and checks.
func classicRules(namespace string) map[string]policy.ClassicRule {
	patternOfElement := policy.PatternCheck{Pattern: map[string]any{"name": "?*"}}
	rules := map[string]policy.ClassicRule{
		"a pattern": {
			Preconditions: everyCondition(), ReportProperties: map[string]string{"a": "b"}, JudgeBackgroundRequests: true,
			Validate: &policy.ClassicValidate{
				Message: "no", DenyExistingViolations: true, Action: policy.Audit,
				Overrides: []policy.ActionOverride{{Action: policy.Enforce, Namespaces: []string{"prod-*"}, NamespaceSelector: everySelector()}},
				Check:     policy.PatternCheck{Pattern: map[string]any{"data": map[string]any{"=(a)": "?*", "X(b)": nil}}},
			},
		},
		"any pattern": {
			Validate: &policy.ClassicValidate{Check: policy.AnyPatternCheck{Patterns: []any{
				map[string]any{"data": map[string]any{"a": "?*"}}, map[string]any{"data": map[string]any{"^(list)": []any{map[string]any{"b": "?*"}}}},
			}}},
		},
		"conditions that deny": {
			Context:  everyContext(),
			Validate: &policy.ClassicValidate{Message: "no", Check: policy.DenyCheck{Conditions: everyCondition()}},
		},
		"denying everything": {Validate: &policy.ClassicValidate{Check: policy.DenyCheck{}}},
		"lists": {
			Match: matching("Pod"),
			Validate: &policy.ClassicValidate{Check: policy.ForEachCheck{Each: []policy.ForEachValidation{
				{List: "request.object.spec.containers", Context: everyContext(), Preconditions: everyCondition(), Check: patternOfElement},
				{List: "request.object.spec.containers", WholeObject: true, Check: policy.AnyPatternCheck{Patterns: []any{map[string]any{"spec": map[string]any{}}}}},
				{List: "request.object.spec.containers", Check: policy.ForEachCheck{Each: []policy.ForEachValidation{
					{List: "element.ports", Check: policy.DenyCheck{Conditions: policy.Conditions{
						All: []policy.Condition{{Key: "{{ element.hostPort || `0` }}", Operator: policy.GreaterThan, Value: int64(0)}},
					}}},
				}}},
				{List: "request.object.spec.containers", Check: policy.DenyCheck{Conditions: everyCondition()}},
			}}},
		},
		"pod security": {
			Match: matching("Pod"),
			Validate: &policy.ClassicValidate{Check: policy.PodSecurityCheck{
				Level: policy.PodSecurityRestricted, Version: "v1.29", Exclude: everyExclusion(),
			}},
		},
		"expressions": {
			CELPreconditions: []policy.NamedExpression{{Name: "named", Expression: "object.metadata.name != 'x'"}},
			Validate: &policy.ClassicValidate{Check: policy.CELCheck{
				Variables: []policy.NamedExpression{{Name: "name", Expression: "object.metadata.name"}},
				Validations: []policy.Validation{{
					Expression: "variables.name != 'x'", Message: "no", MessageExpression: "'no ' + variables.name", Reason: policy.ReasonForbidden,
				}},
				AuditAnnotations: []policy.AuditAnnotation{{Key: "name", ValueExpression: "string(variables.name)"}},
				Params:           &policy.CELParams{APIVersion: "v1", Kind: "ConfigMap", Name: "settings", Namespace: "default", NotFound: policy.ParamsAllow},
				AdmissionPolicy:  true,
			}},
		},
		"expressions on selected params": {
			Validate: &policy.ClassicValidate{Check: policy.CELCheck{
				Validations: []policy.Validation{{Expression: "object.metadata.name != params.metadata.name"}},
				Params:      &policy.CELParams{APIVersion: "v1", Kind: "ConfigMap", Selector: everySelector()},
			}},
		},
		"an assertion": {
			Validate: &policy.ClassicValidate{Check: policy.AssertCheck{Tree: map[string]any{"object": map[string]any{"metadata": map[string]any{"(name != 'x')": true}}}}},
		},
		"signed manifests": {
			Validate: &policy.ClassicValidate{Check: policy.ManifestsCheck{
				Attestors: everyAttestorSet(), AnnotationDomain: "example.com", DryRun: true, DryRunNamespace: "default", Repository: "registry.example.com/manifests",
				IgnoreFields: []policy.IgnoredFields{{Fields: []string{"spec.replicas"}, Objects: []policy.ManifestObject{
					{Group: "apps", Version: "v1", Kind: "Deployment", Name: "a", Namespace: "b"},
				}}},
			}},
		},
		"a merge patch of targets": {
			Mutate: &policy.ClassicMutate{
				OnPolicyUpdate: true,
				Targets: []policy.MutateTarget{{
					APIVersion: "v1", Kind: "Secret", Name: "a-*", Namespace: orDefaultNamespace(namespace), Selector: everySelector(), Context: everyContext(),
					Preconditions: policy.Conditions{All: []policy.Condition{{Key: "{{ target.metadata.name }}", Operator: policy.NotEquals, Value: ""}}},
				}},
				Patch: policy.StrategicMergePatch{Patch: map[string]any{"metadata": map[string]any{"labels": map[string]any{"+(a)": "b"}}, "data": nil}},
			},
		},
		"JSON patches": {
			Mutate: &policy.ClassicMutate{Patch: policy.JSON6902Patch{
				Patches: "- {op: add, path: /metadata/labels/a, value: \"{{ request.namespace }}\"}\n- {op: remove, path: /data/b}\n",
			}},
		},
		"patches for lists": {
			Match: matching("Pod"),
			Mutate: &policy.ClassicMutate{Patch: policy.ForEachPatch{Each: []policy.ForEachMutation{
				{
					List: "request.object.spec.containers", Order: policy.Descending, Context: everyContext(), Preconditions: everyCondition(),
					Patch: policy.JSON6902Patch{Patches: "- {op: add, path: \"/spec/containers/{{elementIndex}}/tty\", value: false}"},
				},
				{List: "request.object.spec.containers", Patch: policy.StrategicMergePatch{Patch: map[string]any{"spec": map[string]any{
					"containers": []any{map[string]any{"(name)": "{{ element.name }}", "tty": false}},
				}}}},
				{List: "request.object.spec.containers", Patch: policy.ForEachPatch{Each: []policy.ForEachMutation{{
					List: "element.env", Patch: policy.StrategicMergePatch{Patch: map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b"}}}},
				}}}},
			}}},
		},
		"data": {
			Match: matching("Secret"),
			Generate: &policy.ClassicGenerate{
				Source: policy.GenerateData{
					Target: policy.GeneratedObject{APIVersion: "v1", Kind: "ConfigMap", Name: "a", Namespace: orDefaultNamespace(namespace)},
					Data:   map[string]any{"data": map[string]any{"a": "b"}},
				},
				Synchronize: true, OrphanOnPolicyDelete: true, Existing: true,
			},
		},
		"a copy": {
			Match: matching("Secret"),
			Generate: &policy.ClassicGenerate{Source: policy.GenerateClone{
				Target: policy.GeneratedObject{APIVersion: "v1", Kind: "ConfigMap", Name: "a", Namespace: orDefaultNamespace(namespace)},
				Name:   "original", Namespace: orDefaultNamespace(namespace),
			}},
		},
		"copies": {
			Match:    matching("Secret"),
			Generate: &policy.ClassicGenerate{Source: copies(namespace)},
		},
		"generating for lists": {
			Match: matching("Secret"),
			Generate: &policy.ClassicGenerate{Source: policy.GenerateForEach{Each: []policy.ForEachGeneration{
				{List: "request.object.data | keys(@)", Context: everyContext(), Preconditions: everyCondition(), Source: policy.GenerateData{
					Target: policy.GeneratedObject{APIVersion: "v1", Kind: "ConfigMap", Name: "{{ element }}", Namespace: orDefaultNamespace(namespace)},
					Data:   map[string]any{"data": map[string]any{"a": "b"}},
				}},
				{List: "request.object.data | keys(@)", Source: policy.GenerateClone{
					Target: policy.GeneratedObject{APIVersion: "v1", Kind: "ConfigMap", Name: "{{ element }}", Namespace: orDefaultNamespace(namespace)},
					Name:   "original", Namespace: orDefaultNamespace(namespace),
				}},
				{List: "request.object.data | keys(@)", Source: copies(namespace)},
			}}},
		},
		"signatures": {
			Match:           matching("Pod"),
			VerifyImages:    []policy.ImageVerification{verification()},
			ImageExtractors: map[string][]policy.ImageExtractor{"Pod": {{Path: "/spec/steps/*", Value: "image", Name: "steps", Key: "name", JMESPath: "trim_prefix(@, 'docker://')"}}},
		},
	}
	for name, rule := range rules {
		rule.Name = "rule"
		if len(rule.Match.Any) == 0 {
			rule.Match = matching("ConfigMap")
		}
		rules[name] = rule
	}
	return rules
}

func copies(namespace string) policy.GenerateCloneList {
	return policy.GenerateCloneList{
		TargetNamespace: orDefaultNamespace(namespace), Kinds: []string{"v1/ConfigMap", "v1/Secret"}, Namespace: orDefaultNamespace(namespace),
		Selector: everySelector(),
	}
}

func orDefaultNamespace(namespace string) string {
	if namespace == "" {
		return "default"
	}
	return namespace
}

// classicPolicies are one for each rule, and those that set the other fields.
func classicPolicies(namespace string) map[string]policyBuilder {
	all := everyFilter()
	if namespace != "" {
		all.Namespaces = nil
	}
	others := all
	others.Names = []string{"b-*"}
	user := everyUser()
	user.Namespaces = all.Namespaces
	everyPattern := &policy.ClassicValidate{Check: policy.PatternCheck{Pattern: map[string]any{"metadata": map[string]any{"name": "?*"}}}}
	out := map[string]policyBuilder{
		"every field of a policy": policy.ClusterPolicy{
			Name: "every-field", Namespace: namespace, Apply: policy.ApplyOne, SkipBackground: true, EmitWarning: true, ServerSideApply: true,
			FailurePolicy: policy.FailOpen, Webhook: policy.Webhook{TimeoutSeconds: 5},
			MatchConditions: []policy.NamedExpression{{Name: "named", Expression: "object.metadata.name != 'x'"}},
			Autogen:         policy.ClassicAutogen{Controllers: []string{"Deployment", "CronJob"}},
			Rules: []policy.ClassicRule{
				{Name: "any", Match: policy.ResourceFilters{Any: []policy.ResourceFilter{all, user}}, Exclude: policy.ResourceFilters{Any: []policy.ResourceFilter{others}}, Validate: everyPattern},
				{Name: "all", Match: policy.ResourceFilters{All: []policy.ResourceFilter{all, user}}, Exclude: policy.ResourceFilters{All: []policy.ResourceFilter{others, user}}, Validate: everyPattern},
				{Name: "everything", Match: matching("*"), Exclude: policy.ResourceFilters{Any: []policy.ResourceFilter{user}}, Validate: everyPattern},
				{Name: "subresource", Match: matching("Pod/exec"), Validate: everyPattern},
			},
		},
		"the background alone": policy.ClusterPolicy{
			Name: "background", Namespace: namespace, SkipAdmission: true, Autogen: policy.ClassicAutogen{None: true},
			Rules: []policy.ClassicRule{{Name: "rule", Match: matching("Pod"), Validate: everyPattern}},
		},
	}
	for name, rule := range classicRules(namespace) {
		out[name] = policy.ClusterPolicy{Name: "policy", Namespace: namespace, Rules: []policy.ClassicRule{rule}}
	}
	return out
}

// classicOthers are the kinds of the older generation besides ClusterPolicy and Policy.
func classicOthers() map[string]policyBuilder {
	filter, others := everyFilter(), everyFilter()
	others.Names = []string{"b-*"}
	one, all := policy.ResourceFilters{Any: []policy.ResourceFilter{filter}}, policy.ResourceFilters{All: []policy.ResourceFilter{filter}}
	user := policy.ResourceFilters{Any: []policy.ResourceFilter{everyUser()}}
	allUsers := policy.ResourceFilters{All: []policy.ResourceFilter{everyUser()}}
	excepted := []policy.ExceptedRules{{Policy: "policy", Rules: []string{"rule", "autogen-*"}}, {Policy: "default/policy", Rules: []string{"*"}}}
	// A deletion by schedule is no request.
	filter.Operations, others.Operations = nil, nil
	named := func(list ...policy.ResourceFilter) []policy.ResourceFilter { return list }
	confined, confinedOthers := filter, others
	confined.Namespaces, confinedOthers.Namespaces = nil, nil
	var entries []policy.ContextEntry
	for _, entry := range everyContext() {
		switch entry.Source.(type) {
		case policy.ConfigMapContext, policy.ImageRegistryContext:
		default:
			entries = append(entries, entry)
		}
	}
	conditions := policy.Conditions{
		Any: []policy.Condition{{Key: "{{ target.metadata.name }}", Operator: policy.NotEquals, Value: "x", Message: "no"}},
		All: []policy.Condition{{Key: "{{ pods }}", Operator: policy.LessThan, Value: int64(3), Message: "no"}},
	}
	return map[string]policyBuilder{
		"an exception": policy.ClassicException{
			Name: "exception", Namespace: "default", Match: one, Conditions: everyCondition(), Exceptions: excepted, PodSecurity: everyExclusion(),
		},
		"an exception of all":           policy.ClassicException{Name: "all", Namespace: "default", Match: all, Exceptions: excepted},
		"an exception for users":        policy.ClassicException{Name: "users", Namespace: "default", Match: user, Exceptions: excepted, SkipBackground: true},
		"an exception for all of users": policy.ClassicException{Name: "all-users", Namespace: "default", Match: allUsers, Exceptions: excepted, SkipBackground: true},
		"a cleanup of the cluster": policy.CleanupPolicy{
			Name: "cleanup", Match: policy.ResourceFilters{Any: named(filter)}, Exclude: policy.ResourceFilters{Any: named(others)},
			Context: entries, Conditions: conditions, Schedule: "0 3 * * *", Propagation: metav1.DeletePropagationForeground,
		},
		"a cleanup of all": policy.CleanupPolicy{
			Name: "cleanup-all", Match: policy.ResourceFilters{All: named(filter)}, Exclude: policy.ResourceFilters{All: named(others)}, Schedule: "@daily",
		},
		"a cleanup of a namespace": policy.CleanupPolicy{
			Name: "cleanup", Namespace: "default", Match: policy.ResourceFilters{Any: named(confined)}, Exclude: policy.ResourceFilters{Any: named(confinedOthers)},
			Context: entries, Conditions: conditions, Schedule: "0 3 * * *", Propagation: metav1.DeletePropagationOrphan,
		},
		"a cleanup of all of a namespace": policy.CleanupPolicy{
			Name: "cleanup-all", Namespace: "default", Match: policy.ResourceFilters{All: named(confined)}, Exclude: policy.ResourceFilters{All: named(confinedOthers)}, Schedule: "@daily",
		},
		"cached resources": policy.GlobalContextEntry{
			Name:        "deployments",
			Source:      policy.CachedResources{Group: "apps", Version: "v1", Resource: "deployments", Namespace: "default"},
			Projections: []policy.Projection{{Name: "names", JMESPath: "[].metadata.name"}},
		},
		"a polled call": policy.GlobalContextEntry{
			Name: "pods", Source: policy.PolledCall{Call: policy.APICall{URLPath: "/api/v1/pods", Method: "GET"}, RefreshInterval: time.Minute, RetryLimit: 5},
		},
		"a polled service": policy.GlobalContextEntry{
			Name: "service", Source: policy.PolledCall{
				RefreshInterval: 90 * time.Second,
				Call: policy.APICall{
					Service: &policy.ServiceCall{URL: "https://answers.example.com", CABundle: pem, Headers: []policy.APICallHeader{{Key: "a", Value: "b"}}},
					Method:  "POST", Data: []policy.APICallData{{Key: "a", Value: map[string]any{"b": int64(1)}}},
				},
			},
		},
	}
}
