package policy_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy"
)

// found is the part of a finding that tests compare.
type found struct{ code, object, path string }

func findings(kyverno policy.Version, objects []*unstructured.Unstructured) []found {
	var out []found
	for _, f := range policy.Check(kyverno, objects) {
		out = append(out, found{f.Code, f.Object, f.Path})
	}
	return out
}

func documents(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for _, document := range strings.Split(text, "\n---\n") {
		obj := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(document), &obj.Object), document)
		out = append(out, obj)
	}
	return out
}

// classic is a ClusterPolicy "p" with one rule that has nothing to complain about, whose parts tests replace.
func classic(t testing.TB, changes ...func(spec, rule map[string]any)) *unstructured.Unstructured {
	t.Helper()
	obj := documents(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Ingress]}}]}
    validate:
      message: 'Not {{ request.object.metadata.name }}.'
      pattern: {metadata: {labels: {team: "?*"}}}
`)[0]
	spec := obj.Object["spec"].(map[string]any)
	for _, change := range changes {
		change(spec, spec["rules"].([]any)[0].(map[string]any))
	}
	return obj
}

// set replaces a part of the rule.
func set(t testing.TB, key, text string) func(spec, rule map[string]any) {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value))
	return func(_, rule map[string]any) { rule[key] = value }
}

// setSpec replaces a part of the spec.
func setSpec(t testing.TB, key, text string) func(spec, rule map[string]any) {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value))
	return func(spec, _ map[string]any) { spec[key] = value }
}

func drop(key string) func(spec, rule map[string]any) {
	return func(_, rule map[string]any) { delete(rule, key) }
}

func TestCheckFindsWhatClassicPoliciesGetWrong(t *testing.T) {
	type change = func(spec, rule map[string]any)
	tests := map[string]struct {
		changes []change
		want    []found
	}{
		"nothing is wrong": {},
		"a rule that is no object": {
			changes: []change{func(spec, _ map[string]any) { spec["rules"] = append(spec["rules"].([]any), "r") }},
			want: []found{
				{"POLICY001", "ClusterPolicy p", "spec.rules[1]"}, {"POLICY005", "ClusterPolicy p", "spec.rules[1].name"},
				{"POLICY006", "ClusterPolicy p", "spec.rules[1]"}, {"POLICY010", "ClusterPolicy p", "spec.rules[1].match"},
			},
		},
		"no rule": {
			changes: []change{setSpec(t, "rules", "[]")},
			want:    []found{{"POLICY006", "ClusterPolicy p", "spec.rules"}},
		},
		"two rules of one name": {
			changes: []change{func(spec, rule map[string]any) { spec["rules"] = []any{rule, rule} }},
			want:    []found{{"POLICY005", "ClusterPolicy p", "spec.rules[1].name"}},
		},
		"a name that is too long": {
			changes: []change{set(t, "name", strings.Repeat("n", 64))},
			want:    []found{{"POLICY005", "ClusterPolicy p", "spec.rules[0].name"}},
		},
		"a rule that does two things": {
			changes: []change{set(t, "mutate", "{patchStrategicMerge: {metadata: {labels: {a: b}}}}")},
			want:    []found{{"POLICY006", "ClusterPolicy p", "spec.rules[0]"}},
		},
		"CEL preconditions without CEL": {
			changes: []change{set(t, "celPreconditions", "[{name: a, expression: 'true'}]")},
			want:    []found{{"POLICY006", "ClusterPolicy p", "spec.rules[0].celPreconditions"}},
		},
		"an empty match": {
			changes: []change{set(t, "match", "{}")},
			want:    []found{{"POLICY010", "ClusterPolicy p", "spec.rules[0].match"}},
		},
		"a match without kinds": {
			changes: []change{set(t, "match", "{any: [{resources: {namespaces: [a]}}]}")},
			want:    []found{{"POLICY010", "ClusterPolicy p", "spec.rules[0].match.any[0].resources.kinds"}},
		},
		"any and all at once": {
			changes: []change{set(t, "match", "{any: [{resources: {kinds: [Ingress]}}], all: [{resources: {kinds: [Ingress]}}]}")},
			want:    []found{{"POLICY010", "ClusterPolicy p", "spec.rules[0].match"}},
		},
		"a kind in the plural": {
			changes: []change{set(t, "match", "{any: [{resources: {kinds: [ingresses]}}]}")},
			want:    []found{{"POLICY011", "ClusterPolicy p", "spec.rules[0].match.any[0].resources.kinds[0]"}},
		},
		"a kind in the wrong group": {
			changes: []change{set(t, "match", "{any: [{resources: {kinds: [apps/v1/Ingress]}}]}")},
			want:    []found{{"POLICY011", "ClusterPolicy p", "spec.rules[0].match.any[0].resources.kinds[0]"}},
		},
		"a selector that is none": {
			changes: []change{set(t, "match", "{any: [{resources: {kinds: [a/b/c/d/e]}}]}")},
			want:    []found{{"POLICY011", "ClusterPolicy p", "spec.rules[0].match.any[0].resources.kinds[0]"}},
		},
		"kinds that may exist": {
			changes: []change{set(t, "match", "{any: [{resources: {kinds: [example.com/v1/Widget, Gadget, 'networking.k8s.io/*/Ingress', Ingress/status, 'v1/Config*']}}]}")},
		},
		"an exclude block like the match block": {
			changes: []change{set(t, "exclude", "{any: [{resources: {kinds: [Ingress, Service]}}]}")},
			want:    []found{{"POLICY012", "ClusterPolicy p", "spec.rules[0].exclude"}},
		},
		"an exclude block that asks more": {
			changes: []change{set(t, "exclude", "{any: [{resources: {kinds: [Ingress], namespaces: [a]}}]}")},
		},
		"all kinds in the background": {
			changes: []change{set(t, "match", "{any: [{resources: {kinds: ['*']}}]}")},
			want:    []found{{"POLICY013", "ClusterPolicy p", "spec.rules[0].match.any[0].resources.kinds"}},
		},
		"a variable that does not parse": {
			changes: []change{set(t, "validate", "{message: '{{ request.. }}', deny: {}}")},
			want:    []found{{"POLICY020", "ClusterPolicy p", "spec.rules[0].validate.message"}},
		},
		"a variable that nobody declares": {
			changes: []change{set(t, "validate", "{message: '{{ owner }}', deny: {}}")},
			want:    []found{{"POLICY021", "ClusterPolicy p", "spec.rules[0].validate.message"}},
		},
		"a variable of the context": {
			changes: []change{
				set(t, "context", "[{name: owner.data, configMap: {name: a, namespace: b}}]"),
				set(t, "validate", `{message: '{{ owner.data.name }} {{ "owner".data }}', deny: {}}`),
			},
		},
		"an element outside of a loop": {
			changes: []change{set(t, "validate", "{message: '{{ element.name }}', deny: {}}")},
			want:    []found{{"POLICY021", "ClusterPolicy p", "spec.rules[0].validate.message"}},
		},
		"an element within a loop": {
			changes: []change{set(t, "validate", "{foreach: [{list: request.object.spec.rules, deny: {conditions: {any: [{key: '{{ element.host }}', operator: Equals, value: a}]}}}]}")},
		},
		"a function that Kyverno lacks": {
			changes: []change{set(t, "validate", "{message: '{{ upper(request.object.kind) }}', deny: {}}")},
			want:    []found{{"POLICY022", "ClusterPolicy p", "spec.rules[0].validate.message"}},
		},
		"a variable in the match block": {
			changes: []change{set(t, "match", "{any: [{resources: {kinds: [Ingress], names: ['{{ request.name }}']}}]}")},
			want:    []found{{"POLICY023", "ClusterPolicy p", "spec.rules[0].match.any[0].resources.names[0]"}},
		},
		"CEL that does not parse": {
			changes: []change{set(t, "validate", "{cel: {expressions: [{expression: 'object.'}]}}")},
			want:    []found{{"POLICY024", "ClusterPolicy p", "spec.rules[0].validate.cel.expressions[0].expression"}},
		},
		"CEL with a variable that nobody declares": {
			changes: []change{set(t, "validate", "{cel: {expressions: [{expression: 'params.x == resource.y && variables.z'}]}}")},
			want: []found{
				{"POLICY025", "ClusterPolicy p", "spec.rules[0].validate.cel.expressions[0].expression"},
				{"POLICY025", "ClusterPolicy p", "spec.rules[0].validate.cel.expressions[0].expression"},
				{"POLICY025", "ClusterPolicy p", "spec.rules[0].validate.cel.expressions[0].expression"},
			},
		},
		"the user in the background": {
			changes: []change{set(t, "validate", "{message: '{{ request.userInfo.username }}', deny: {}}")},
			want:    []found{{"POLICY030", "ClusterPolicy p", "spec.rules[0].validate.message"}},
		},
		"subjects in the background": {
			changes: []change{set(t, "exclude", "{any: [{clusterRoles: [admin]}]}")},
			want:    []found{{"POLICY030", "ClusterPolicy p", "spec.rules[0].exclude.any[0]"}},
		},
		"the user at admission only": {
			changes: []change{
				setSpec(t, "background", "false"), set(t, "exclude", "{any: [{clusterRoles: [admin]}]}"),
				set(t, "validate", "{message: '{{ serviceAccountName }}', deny: {}}"),
			},
		},
		"a policy that is never evaluated": {
			changes: []change{setSpec(t, "background", "false"), setSpec(t, "admission", "false")},
			want:    []found{{"POLICY031", "ClusterPolicy p", "spec.admission"}},
		},
		"a kind that Kyverno may not generate": {
			changes: []change{drop("validate"), set(t, "generate", "{apiVersion: v1, kind: Secret, name: a, namespace: b, data: {}}")},
			want:    []found{{"POLICY040", "ClusterPolicy p", "spec.rules[0].generate.kind"}},
		},
		"a kind that Kyverno may generate": {
			changes: []change{drop("validate"), set(t, "generate", "{apiVersion: v1, kind: ConfigMap, name: a, namespace: b, data: {}}")},
		},
		"objects that Kyverno may not change": {
			changes: []change{drop("validate"), set(t, "mutate", "{targets: [{apiVersion: apps/v1, kind: Deployment}], patchStrategicMerge: {}}")},
			want:    []found{{"POLICY040", "ClusterPolicy p", "spec.rules[0].mutate.targets[0].kind"}},
		},
		"a rule that generates what it matches": {
			changes: []change{
				drop("validate"), set(t, "match", "{resources: {kinds: [ConfigMap]}}"),
				set(t, "generate", "{apiVersion: v1, kind: ConfigMap, name: a, namespace: b, data: {}}"),
			},
			want: []found{
				{"POLICY041", "ClusterPolicy p", "spec.rules[0].generate.kind"}, {"POLICY060", "ClusterPolicy p", "spec.rules[0].match.resources"},
			},
		},
		"conditions that Kyverno does not know": {
			changes: []change{set(t, "preconditions", "{all: [{key: a, operator: Is, value: b}, {key: a, operator: NotIn, value: b}, {operator: Equals, value: b}]}")},
			want: []found{
				{"POLICY050", "ClusterPolicy p", "spec.rules[0].preconditions.all[0].operator"},
				{"POLICY051", "ClusterPolicy p", "spec.rules[0].preconditions.all[1].operator"},
				{"POLICY050", "ClusterPolicy p", "spec.rules[0].preconditions.all[2]"},
			},
		},
		"operations that Kubernetes does not know": {
			changes: []change{
				set(t, "match", "{any: [{resources: {kinds: [Ingress], operations: [PATCH]}}]}"),
				set(t, "preconditions", "{all: [{key: '{{request.operation}}', operator: AnyIn, value: [CREATE, Update]}]}"),
			},
			want: []found{
				{"POLICY052", "ClusterPolicy p", "spec.rules[0].match.any[0].resources.operations[0]"},
				{"POLICY052", "ClusterPolicy p", "spec.rules[0].preconditions.all[0].value[1]"},
			},
		},
		"patterns that nothing matches": {
			changes: []change{set(t, "validate", "{pattern: {spec: {a: '>5 & <3', b: 10-5, c: '>x', d: '>5 & <3 | 7', e: '>1Gi & <2Gi', f: 1-5}}}")},
			want: []found{
				{"POLICY053", "ClusterPolicy p", "spec.rules[0].validate.pattern.spec.a"},
				{"POLICY053", "ClusterPolicy p", "spec.rules[0].validate.pattern.spec.b"},
				{"POLICY053", "ClusterPolicy p", "spec.rules[0].validate.pattern.spec.c"},
			},
		},
		"context entries that are not valid": {
			changes: []change{set(t, "context", "[{name: request, variable: {value: a}}, {name: a}, {name: b, configMap: {name: c}}, {name: d, variable: {default: e}}]")},
			want: []found{
				{"POLICY054", "ClusterPolicy p", "spec.rules[0].context[0].name"}, {"POLICY054", "ClusterPolicy p", "spec.rules[0].context[1]"},
				{"POLICY054", "ClusterPolicy p", "spec.rules[0].context[2].configMap.namespace"},
				{"POLICY054", "ClusterPolicy p", "spec.rules[0].context[3].variable"}, {"POLICY054", "ClusterPolicy p", "spec.rules[0].context[3].variable.default"},
			},
		},
		"deprecated fields": {
			changes: []change{setSpec(t, "validationFailureAction", "audit"), setSpec(t, "schemaValidation", "false")},
			want: []found{
				{"POLICY060", "ClusterPolicy p", "spec.schemaValidation"}, {"POLICY060", "ClusterPolicy p", "spec.validationFailureAction"},
				{"POLICY060", "ClusterPolicy p", "spec.validationFailureAction"},
			},
		},
		"enforcement that fails open": {
			changes: []change{
				setSpec(t, "webhookConfiguration", "{failurePolicy: Ignore, timeoutSeconds: 31}"),
				set(t, "validate", "{failureAction: Enforce, deny: {}}"),
			},
			want: []found{
				{"POLICY061", "ClusterPolicy p", "spec.webhookConfiguration.failurePolicy"},
				{"POLICY062", "ClusterPolicy p", "spec.webhookConfiguration.timeoutSeconds"},
			},
		},
		"enforcement on the pods of Argo CD": {
			changes: []change{
				set(t, "match", "{any: [{resources: {kinds: [Pod]}}]}"), set(t, "validate", "{failureAction: Enforce, deny: {}}"),
				set(t, "exclude", "{any: [{resources: {namespaces: [kube-*]}}]}"),
			},
			want: []found{{"POLICY070", "ClusterPolicy p", "spec.rules[0].match.any[0]"}},
		},
		"enforcement on all pods but those of Argo CD": {
			changes: []change{
				set(t, "match", "{any: [{resources: {kinds: [Pod]}}]}"), set(t, "validate", "{failureAction: Enforce, deny: {}}"),
				set(t, "exclude", "{any: [{resources: {namespaces: [argo*]}}]}"),
			},
		},
		"synchronisation that does not restore": {
			changes: []change{
				drop("validate"), set(t, "match", "{any: [{resources: {kinds: [Namespace], operations: [CREATE]}}]}"),
				set(t, "generate", "{synchronize: true, apiVersion: v1, kind: ConfigMap, name: a, namespace: b, data: {}}"),
			},
			want: []found{{"POLICY082", "ClusterPolicy p", "spec.rules[0].match"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			obj := classic(t, test.changes...)
			require.ElementsMatch(t, test.want, findings(policy.Kyverno(1, 15), []*unstructured.Unstructured{obj}))
		})
	}
}

// vpol is a ValidatingPolicy "v" that has nothing to complain about.
const vpol = `
apiVersion: policies.kyverno.io/v1alpha1
kind: ValidatingPolicy
metadata: {name: v}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [networking.k8s.io], apiVersions: [v1], resources: [ingresses], operations: [CREATE, UPDATE]}
  variables:
  - {name: labels, expression: 'object.metadata.?labels.orValue({})'}
  validations:
  - expression: 'cel.bind(team, variables.labels[?"team"], team.hasValue() && team.value() in ["a"]) && [1].all(n, n > 0)'
    message: Every ingress has a team.
`

func TestCheckFindsWhatCELPoliciesGetWrong(t *testing.T) {
	tests := map[string]struct {
		text string
		// replace holds pairs of what is replaced in the text by what.
		replace []string
		kyverno policy.Version
		want    []found
	}{
		"nothing is wrong": {text: vpol},
		"an expression that does not parse": {
			text: vpol, replace: []string{"object.metadata.?labels.orValue({})", "object.metadata["},
			want: []found{{"POLICY024", "ValidatingPolicy v", "spec.variables[0].expression"}},
		},
		"an expression of a megabyte": {
			text: vpol, replace: []string{"object.metadata.?labels.orValue({})", strings.Repeat("a+", 500_000) + "a"},
			want: []found{{"POLICY024", "ValidatingPolicy v", "spec.variables[0].expression"}},
		},
		"an expression that is nested too deep": {
			text: vpol, replace: []string{"object.metadata.?labels.orValue({})", strings.Repeat("(", 40_000) + "a" + strings.Repeat(")", 40_000)},
			want: []found{{"POLICY024", "ValidatingPolicy v", "spec.variables[0].expression"}},
		},
		"a variable that is not declared": {
			text: vpol, replace: []string{"variables.labels", "variables.label"},
			want: []found{{"POLICY025", "ValidatingPolicy v", "spec.validations[0].expression"}},
		},
		"a name that is not known": {
			text: vpol, replace: []string{"object.metadata.?labels", "resources.metadata.?labels"},
			want: []found{{"POLICY025", "ValidatingPolicy v", "spec.variables[0].expression"}},
		},
		"a resource in the wrong group": {
			text: vpol, replace: []string{"[networking.k8s.io]", "[apps]"},
			want: []found{{"POLICY011", "ValidatingPolicy v", "spec.matchConstraints.resourceRules[0].resources[0]"},
				{"POLICY040", "ValidatingPolicy v", "spec.matchConstraints.resourceRules[0].resources[0]"}},
		},
		"no operation": {
			text: vpol, replace: []string{"[CREATE, UPDATE]", "[]"},
			want: []found{{"POLICY010", "ValidatingPolicy v", "spec.matchConstraints.resourceRules[0].operations"}},
		},
		"an operation that there is not": {
			text: vpol, replace: []string{"[CREATE, UPDATE]", "[PATCH]"},
			want: []found{{"POLICY052", "ValidatingPolicy v", "spec.matchConstraints.resourceRules[0].operations[0]"}},
		},
		"what the reports controller may not read": {
			text: vpol, replace: []string{"[networking.k8s.io]", "['']", "[ingresses]", "[secrets]", "  variables:", "  validationActions: [Audit]\n  variables:"},
			want: []found{{"POLICY040", "ValidatingPolicy v", "spec.matchConstraints.resourceRules[0].resources[0]"}},
		},
		"the pods of Argo CD": {
			text: vpol, replace: []string{"[networking.k8s.io]", "['']", "[ingresses]", "[pods]"},
			want: []found{{"POLICY070", "ValidatingPolicy v", "spec.matchConstraints.resourceRules[0].resources[0]"}},
		},
		"an API version of later": {
			text: vpol, replace: []string{"v1alpha1", "v1"},
			want: []found{{"POLICY002", "ValidatingPolicy v", "apiVersion"}},
		},
		"an API version in its time": {text: vpol, replace: []string{"v1alpha1", "v1"}, kyverno: policy.Kyverno(1, 17)},
		"a kind of later": {
			text: vpol, kyverno: policy.Kyverno(1, 13),
			want: []found{{"POLICY002", "ValidatingPolicy v", "kind"}},
		},
		"two variables of one name": {
			text: vpol, replace: []string{"  validations:", "  - {name: labels, expression: '1'}\n  validations:"},
			want: []found{{"POLICY005", "ValidatingPolicy v", "spec.variables[1].name"}},
		},
		"a policy that fails open": {
			text: vpol, replace: []string{"  variables:", "  failurePolicy: Ignore\n  webhookConfiguration: {timeoutSeconds: 0}\n  variables:"},
			want: []found{{"POLICY061", "ValidatingPolicy v", "spec.failurePolicy"}, {"POLICY062", "ValidatingPolicy v", "spec.webhookConfiguration.timeoutSeconds"}},
		},
		"a generating policy that loses what it generates": {
			text: `
apiVersion: policies.kyverno.io/v1alpha1
kind: GeneratingPolicy
metadata: {name: g}
spec:
  evaluation: {synchronize: {enabled: true}, admission: {enabled: false}}
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [namespaces], operations: [CREATE]}]}
  generate: [{expression: 'generator.Apply("a", [])'}]`,
			want: []found{{"POLICY081", "GeneratingPolicy g", "spec.evaluation.synchronize.enabled"}, {"POLICY031", "GeneratingPolicy g", "spec.evaluation.admission.enabled"}},
		},
		"a deleting policy that cannot": {
			text: `
apiVersion: policies.kyverno.io/v1alpha1
kind: DeletingPolicy
metadata: {name: d}
spec:
  schedule: every day
  matchConstraints: {resourceRules: [{apiGroups: [batch], apiVersions: [v1], resources: [jobs]}]}
  conditions: [{name: done, expression: 'object.status.succeeded > 0'}]`,
			want: []found{{"POLICY080", "DeletingPolicy d", "spec.schedule"}, {"POLICY040", "DeletingPolicy d", "spec.matchConstraints.resourceRules[0].resources[0]"}},
		},
		"a clean-up policy that cannot": {
			text: `
apiVersion: kyverno.io/v2
kind: ClusterCleanupPolicy
metadata: {name: c}
spec:
  schedule: TZ=UTC
  match: {any: [{resources: {kinds: [Job]}}]}
  conditions: {all: [{key: a, operator: Is, value: b}]}`,
			want: []found{
				{"POLICY080", "ClusterCleanupPolicy c", "spec.schedule"}, {"POLICY050", "ClusterCleanupPolicy c", "spec.conditions.all[0].operator"},
				{"POLICY040", "ClusterCleanupPolicy c", "spec.match.any[0].resources.kinds[0]"},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.kyverno == (policy.Version{}) {
				test.kyverno = policy.Kyverno(1, 15)
			}
			text := strings.NewReplacer(test.replace...).Replace(test.text)
			require.ElementsMatch(t, test.want, findings(test.kyverno, documents(t, text)))
		})
	}
}

func TestCheckLooksAtTheWholeSet(t *testing.T) {
	exceptions := documents(t, `
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: e, namespace: ns}
spec:
  exceptions:
  - {policyName: p, ruleNames: [r, autogen-r, 'r*', other]}
  - {policyName: q, ruleNames: [r]}
---
apiVersion: policies.kyverno.io/v1alpha1
kind: PolicyException
metadata: {name: f, namespace: ns}
spec: {policyRefs: [{kind: ValidatingPolicy, name: v}, {kind: ValidatingPolicy, name: w}, {kind: MutatingPolicy, name: x}]}`)
	objects := append(documents(t, vpol), classic(t), classic(t))
	objects = append(objects, exceptions...)
	require.Equal(t, []found{
		{"POLICY004", "ClusterPolicy p", "metadata.name"},
		{"POLICY090", "PolicyException ns/e", "spec.exceptions[0].ruleNames[3]"},
		{"POLICY090", "PolicyException ns/e", "spec.exceptions[1].policyName"},
		{"POLICY090", "PolicyException ns/f", "spec.policyRefs[1].name"},
	}, findings(policy.Kyverno(1, 15), objects))
	require.Empty(t, findings(policy.Kyverno(1, 15), exceptions), "without policies, what they name is open")
}

func TestCheckKnowsTheLifeOfClusterPolicy(t *testing.T) {
	for version, code := range map[policy.Version]string{
		policy.Kyverno(1, 16): "", policy.Kyverno(1, 17): "POLICY003", policy.Kyverno(1, 19): "POLICY003", policy.Kyverno(1, 20): "POLICY002",
	} {
		t.Run(version.String(), func(t *testing.T) {
			var want []found
			if code != "" {
				want = []found{{code, "ClusterPolicy p", "apiVersion"}}
			}
			require.Equal(t, want, findings(version, []*unstructured.Unstructured{classic(t)}))
		})
	}
}

func TestRequiredRBACIsWhatIsMissing(t *testing.T) {
	generate := classic(t, drop("validate"), set(t, "generate", "{synchronize: true, apiVersion: v1, kind: Secret, name: a, namespace: b, data: {}}"))
	change := classic(t, drop("validate"), set(t, "mutate", "{targets: [{apiVersion: apps/v1, kind: Deployment}], patchStrategicMerge: {}}"))
	change.SetName("q")
	objects := []*unstructured.Unstructured{generate, change}
	require.Len(t, findings(policy.Kyverno(1, 15), objects), 3)

	roles := policy.RequiredRBAC(policy.Kyverno(1, 15), objects)
	require.Len(t, roles, 2)
	require.Equal(t, "kyverno:policies:admission-controller", roles[0].GetName())
	require.Equal(t, map[string]string{"rbac.kyverno.io/aggregate-to-background-controller": "true"}, roles[1].GetLabels())
	require.Equal(t, []any{
		map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"create", "delete", "get", "update"}},
		map[string]any{"apiGroups": []any{"apps"}, "resources": []any{"deployments"}, "verbs": []any{"update"}},
	}, roles[1].Object["rules"])

	objects = append(objects, roles...)
	require.Empty(t, findings(policy.Kyverno(1, 15), objects))
	require.Empty(t, policy.RequiredRBAC(policy.Kyverno(1, 15), objects))
}

func TestCheckTakesTheRulesOfThisPackage(t *testing.T) {
	all := rules()
	for name, rule := range conventions() {
		all[name] = rule
	}
	for name, rule := range all {
		for _, version := range []policy.Version{policy.Kyverno(1, 15), policy.Kyverno(1, 16)} {
			for generation, build := range map[string]func(policy.Version) (*unstructured.Unstructured, error){
				"CEL": rule.CEL, "classic": rule.Classic,
			} {
				built, err := build(version)
				if errors.As(err, new(*policy.UnsupportedError)) {
					continue
				}
				require.NoError(t, err)
				for _, finding := range policy.Check(version, append(rule.RBAC(), built)) {
					// Some of the samples do not exempt Argo CD's namespace.
					require.Equal(t, "POLICY070", finding.Code, "%s, %s for %s: %s", name, generation, version, finding)
				}
			}
		}
	}
}

func TestCheckKnowsThatMutationsSeeNoOldObject(t *testing.T) {
	const text = `apiVersion: policies.kyverno.io/v1alpha1
kind: MutatingPolicy
metadata: {name: m}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [configmaps]}]}
  matchConditions: [{name: changed, expression: object.data != oldObject.data}]
  variables: [{name: was, expression: oldObject.data}, {name: "is", expression: object.data}]
  mutations:
    - {patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: "add", path: "/data/was", value: variables.was.a}]'}}
    - {patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: "add", path: "/data/was", value: oldObject.data.a}]'}}`
	require.Equal(t, []found{
		{"POLICY091", "MutatingPolicy m", "spec.matchConditions[0].expression"},
		{"POLICY091", "MutatingPolicy m", "spec.mutations[1].jsonPatch.expression"},
		{"POLICY091", "MutatingPolicy m", "spec.variables[0].expression"},
	}, findings(policy.Kyverno(1, 15), documents(t, text)))
}

// FuzzCheck changes policies at random: no panic, and the order of the objects does not matter.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(vpol))
	seed, err := yaml.Marshal(classic(f).Object)
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var objects []*unstructured.Unstructured
		for _, document := range bytes.Split(raw, []byte("\n---\n")) {
			obj := &unstructured.Unstructured{}
			if yaml.Unmarshal(document, &obj.Object) == nil && obj.Object != nil {
				objects = append(objects, obj)
			}
		}
		began := time.Now()
		before := policy.Check(policy.Kyverno(1, 15), objects)
		require.Less(t, time.Since(began), 2*time.Second)
		rand.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		require.Equal(t, before, policy.Check(policy.Kyverno(1, 15), objects))
		policy.RequiredRBAC(policy.Kyverno(1, 17), objects)
	})
}
