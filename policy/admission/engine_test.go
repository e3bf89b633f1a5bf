package admission_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy/admission"
)

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	require.NoError(t, obj.UnmarshalJSON(raw), text)
	return obj
}

func objects(t testing.TB, texts ...string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for _, text := range texts {
		for _, document := range strings.Split(text, "\n---\n") {
			out = append(out, object(t, document))
		}
	}
	return out
}

// engine compiles the policies of a text.
func engine(t testing.TB, options admission.Options, policies ...string) *admission.Engine {
	t.Helper()
	e, err := admission.New(objects(t, policies...), options)
	require.NoError(t, err)
	return e
}

// outcome is the part of a verdict that tests compare.
type outcome struct {
	rule     string
	status   admission.Status
	enforced bool
}

func outcomes(t testing.TB, e *admission.Engine, request admission.Request) []outcome {
	t.Helper()
	response, err := e.Evaluate(t.Context(), request)
	require.NoError(t, err)
	var out []outcome
	for _, v := range response.Verdicts {
		out = append(out, outcome{v.Rule, v.Status, v.Enforced})
	}
	return out
}

const configMap = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop, labels: {tier: gold}}, data: {size: '3'}}"

// classicRule is a ClusterPolicy "p" with one enforcing rule "r" for ConfigMaps.
func classicRule(rule string) string {
	return `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [ConfigMap]}}]}
` + indent(rule)
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}

// vpol is a ValidatingPolicy "v" for ConfigMaps with one expression.
func vpol(spec, expression string) string {
	return `
apiVersion: policies.kyverno.io/v1alpha1
kind: ValidatingPolicy
metadata: {name: v}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: ['*']}]}
` + spec + `
  validations: [{expression: '` + expression + `', message: Not allowed}]
`
}

// called is the webhook of a ClusterPolicy with one condition.
func called(condition, failurePolicy string) string {
	return "  webhookConfiguration: {failurePolicy: " + failurePolicy + ", matchConditions: [{name: c, expression: '" + condition + "'}]}\n"
}

func TestVerdicts(t *testing.T) {
	pattern := "validate: {failureAction: Enforce, message: Gold only, pattern: {metadata: {labels: {tier: gold}}}}"
	silver := object(t, strings.Replace(configMap, "gold", "silver", 1))
	tests := map[string]struct {
		policy  string
		request admission.Request
		want    []outcome
	}{
		"a classic rule passes":          {classicRule(pattern), admission.Request{Object: object(t, configMap)}, []outcome{{"r", admission.Pass, false}}},
		"a classic rule fails":           {classicRule(pattern), admission.Request{Object: silver}, []outcome{{"r", admission.Fail, true}}},
		"a rule that audits":             {strings.Replace(classicRule(pattern), "Enforce", "Audit", 1), admission.Request{Object: silver}, []outcome{{"r", admission.Fail, false}}},
		"an action for some namespaces":  {classicRule("validate: {failureAction: Audit, failureActionOverrides: [{action: Enforce, namespaces: [sh*]}], deny: {}}"), admission.Request{Object: silver}, []outcome{{"r", admission.Fail, true}}},
		"a rule for another kind":        {classicRule(pattern), admission.Request{Object: object(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}}")}, nil},
		"a precondition that is not met": {classicRule("preconditions: {all: [{key: '{{request.operation}}', operator: Equals, value: DELETE}]}\n" + pattern), admission.Request{Object: silver}, []outcome{{"r", admission.Skip, false}}},
		"the user":                       {classicRule("validate: {failureAction: Enforce, deny: {conditions: {all: [{key: '{{request.userInfo.username}}', operator: NotEquals, value: root}]}}}\n") + "  background: false\n", admission.Request{Object: silver, User: admission.User{Name: "root"}}, []outcome{{"r", admission.Pass, false}}},
		"an update":                      {classicRule("validate: {failureAction: Enforce, deny: {conditions: {all: [{key: '{{request.oldObject.metadata.labels.tier}}', operator: NotEquals, value: '{{request.object.metadata.labels.tier}}'}]}}}"), admission.Request{Object: silver, OldObject: object(t, configMap)}, []outcome{{"r", admission.Fail, true}}},
		"a deletion":                     {classicRule("validate: {failureAction: Enforce, deny: {conditions: {all: [{key: '{{request.operation}}', operator: Equals, value: DELETE}]}}}"), admission.Request{OldObject: silver}, []outcome{{"r", admission.Fail, true}}},
		"a policy that is not scored":    {strings.Replace(classicRule(pattern), "{name: p}", "{name: p, annotations: {policies.kyverno.io/scored: 'false'}}", 1), admission.Request{Object: silver}, []outcome{{"r", admission.Warn, true}}},
		"an error of a policy that fails open": {classicRule("validate: {failureAction: Enforce, deny: {conditions: {all: [{key: '{{request.object.data.missing}}', operator: Equals, value: x}]}}}") + "  webhookConfiguration: {failurePolicy: Ignore}\n",
			admission.Request{Object: silver}, []outcome{{"r", admission.Error, false}}},

		"a condition of the webhook that is met": {
			classicRule(pattern) + called(`object.metadata.labels.tier == "silver"`, "Fail"),
			admission.Request{Object: silver}, []outcome{{"r", admission.Fail, true}},
		},
		"a condition of the webhook that is not met": {
			classicRule(pattern) + called(`object.metadata.labels.tier == "gold"`, "Fail"), admission.Request{Object: silver}, nil,
		},
		"a condition of the webhook that fails": {
			classicRule(pattern) + called(`object.metadata.labels.other == "gold"`, "Fail"),
			admission.Request{Object: silver}, []outcome{{"", admission.Error, true}},
		},
		"a condition of a webhook that fails open": {
			classicRule(pattern) + called(`object.metadata.labels.other == "gold"`, "Ignore"), admission.Request{Object: silver}, nil,
		},
		"a condition on what the user may do": {
			classicRule(pattern) + called(`authorizer.path("/healthz").check("get").allowed()`, "Fail"),
			admission.Request{Object: silver}, []outcome{{"", admission.Error, true}},
		},
		"an expression on what the user may do": {
			classicRule("validate: {failureAction: Enforce, cel: {expressions: [{expression: 'authorizer.path(\"/healthz\").check(\"get\").allowed()'}]}}"),
			admission.Request{Object: silver}, []outcome{{"", admission.Error, true}},
		},

		"an expression holds":             {vpol("", `object.data.size == "3"`), admission.Request{Object: silver}, []outcome{{"", admission.Pass, true}}},
		"an expression does not hold":     {vpol("", `object.data.size == "4"`), admission.Request{Object: silver}, []outcome{{"", admission.Fail, true}}},
		"an expression that audits":       {vpol("  validationActions: [Audit]", `false`), admission.Request{Object: silver}, []outcome{{"", admission.Fail, false}}},
		"an expression that fails":        {vpol("", `object.data.missing == "4"`), admission.Request{Object: silver}, []outcome{{"evaluation", admission.Error, true}}},
		"an expression on the old object": {vpol("", `object.metadata.labels.tier == oldObject.metadata.labels.tier`), admission.Request{Object: silver, OldObject: object(t, configMap)}, []outcome{{"", admission.Fail, true}}},
		"a condition that is not met":     {vpol("  matchConditions: [{name: a, expression: 'request.name == \"x\"'}]", `false`), admission.Request{Object: silver}, []outcome{{"", admission.Skip, true}}},
		"a later API version":             {strings.Replace(vpol("", `false`), "v1alpha1", "v1", 1), admission.Request{Object: silver}, []outcome{{"", admission.Fail, true}}},
		"a namespaced policy elsewhere": {strings.NewReplacer("kind: ValidatingPolicy", "kind: NamespacedValidatingPolicy", "{name: v}", "{name: v, namespace: other}", "v1alpha1", "v1").Replace(vpol("", `false`)),
			admission.Request{Object: silver}, nil},
		"a policy of Kubernetes that is bound":     {native, admission.Request{Object: silver}, []outcome{{"native", admission.Fail, true}}},
		"a policy of Kubernetes that is not bound": {strings.Split(native, "\n---\n")[0], admission.Request{Object: silver}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, outcomes(t, engine(t, admission.Options{}, test.policy), test.request))
		})
	}
}

const native = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: native}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [CREATE, UPDATE]}]}
  validations: [{expression: 'object.metadata.labels.tier == "gold"'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: native}
spec: {policyName: native, validationActions: [Deny]}
`

func TestAMessageNamesThePath(t *testing.T) {
	e := engine(t, admission.Options{}, classicRule("validate: {failureAction: Enforce, message: Gold only, pattern: {data: {size: '>5'}}}"))
	response := admission.RequireDenied(t, e, admission.Request{Object: object(t, configMap)}, "p")
	require.Equal(t, "/data/size/", response.Denials()[0].Path)
	require.Contains(t, response.Denials()[0].Message, "Gold only")
}

func TestMissingContextIsAnError(t *testing.T) {
	deny := "validate: {failureAction: Enforce, deny: {conditions: {all: [{key: '{{ x }}', operator: Equals, value: bad}]}}}\n"
	// Without what is missing, the expression would fall back to a value.
	lenient := strings.Replace(deny, "{{ x }}", "{{ x || `\"good\"` }}", 1)
	tests := map[string]struct {
		policy string
		data   admission.Data
		labels map[string]string
	}{
		"a ConfigMap": {
			policy: classicRule("context: [{name: x, configMap: {name: settings, namespace: shop}}]\n" + strings.Replace(deny, "{{ x }}", "{{ x.data.a }}", 1)),
			data:   admission.Data{Objects: objects(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {a: good}}")},
		},
		"a call of the API server": {
			policy: classicRule("context: [{name: x, apiCall: {urlPath: /api/v1/namespaces/shop/secrets, jmesPath: 'items[0].metadata.name'}}]\n" + lenient),
			data:   admission.Data{Objects: objects(t, "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop}}")},
		},
		"a call of a service": {
			policy: classicRule("context: [{name: x, apiCall: {method: POST, service: {url: 'https://judge.example.com/'}}}]\n" + lenient),
			data:   admission.Data{APICalls: []admission.APICall{{URL: "https://judge.example.com/", Method: "POST", Answer: "good"}}},
		},
		"a global context entry": {
			policy: classicRule("context: [{name: x, globalReference: {name: teams}}]\n" + lenient),
			data:   admission.Data{GlobalContext: map[string]any{"teams": "good"}},
		},
		"an image": {
			policy: classicRule("context: [{name: x, imageRegistry: {reference: registry.example.com/app, jmesPath: configData.config.User}}]\n" + lenient),
			data: admission.Data{Images: map[string]map[string]any{"registry.example.com/app": {
				"manifest": map[string]any{}, "configData": map[string]any{"config": map[string]any{"User": "good"}},
			}}},
		},
		"the labels of a namespace, for a classic policy": {
			policy: strings.Replace(classicRule("validate: {failureAction: Enforce, pattern: {data: {size: '3'}}}"), "kinds: [ConfigMap]",
				"kinds: [ConfigMap], namespaceSelector: {matchLabels: {a: b}}", 1),
			labels: map[string]string{"a": "b"},
		},
		"the labels of a namespace, for an expression": {
			policy: vpol("", `namespaceObject.metadata.labels.a == "b"`), labels: map[string]string{"a": "b"},
		},
		"the annotations of a namespace, for an expression": {
			policy: vpol("", `namespaceObject.metadata.annotations.a == "b"`), labels: map[string]string{"a": "b"},
			data: admission.Data{Objects: objects(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {a: b}}}")},
		},
		"an object that an expression gets": {
			policy: vpol("", `resource.Get("v1", "secrets", "shop", "s").metadata.name == "s" || true`),
			data:   admission.Data{Objects: objects(t, "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop}}")},
		},
		"a list that an expression reads": {
			policy: vpol("", `resource.List("v1", "secrets", "shop").items.size() == 1`),
			data:   admission.Data{Objects: objects(t, "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop}}")},
		},
		"a global context entry of an expression": {
			policy: vpol("", `globalContext.Get("teams", "") == "good"`), data: admission.Data{GlobalContext: map[string]any{"teams": "good"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := admission.Request{Object: object(t, configMap)}
			response, err := engine(t, admission.Options{}, test.policy).Evaluate(t.Context(), request)
			require.NoError(t, err)
			require.Len(t, response.Verdicts, 1)
			verdict := response.Verdicts[0]
			require.Equal(t, admission.Error, verdict.Status, verdict.Message)
			var missing *admission.MissingContextError
			require.ErrorAs(t, verdict.Err, &missing)
			require.NotEmpty(t, missing.Supply)
			require.False(t, response.Allowed())

			request.NamespaceLabels = test.labels
			admission.RequireAllowed(t, engine(t, admission.Options{Data: test.data}, test.policy), request)
		})
	}
}

func TestADefaultStandsInForAMissingAnswer(t *testing.T) {
	e := engine(t, admission.Options{}, classicRule("context: [{name: x, apiCall: {urlPath: /api/v1/nodes, default: good}}]\n"+
		"validate: {failureAction: Enforce, deny: {conditions: {all: [{key: '{{ x }}', operator: Equals, value: bad}]}}}"))
	admission.RequireAllowed(t, e, admission.Request{Object: object(t, configMap)})
}

func TestMutationChangesTheObject(t *testing.T) {
	cel := `
apiVersion: policies.kyverno.io/v1alpha1
kind: MutatingPolicy
metadata: {name: m}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [CREATE]}]}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: Object.metadata.labels{added: "yes"}}}'}
`
	for name, policy := range map[string]string{
		"classic": classicRule("mutate: {patchStrategicMerge: {metadata: {labels: {added: 'yes'}}}}"),
		"CEL":     cel,
	} {
		t.Run(name, func(t *testing.T) {
			// What is judged is the object as it was mutated.
			e := engine(t, admission.Options{}, policy, vpol("", `object.metadata.labels.added == "yes"`))
			original := object(t, configMap)
			response := admission.RequireAllowed(t, e, admission.Request{Object: original})
			require.Equal(t, map[string]string{"added": "yes", "tier": "gold"}, response.Object.GetLabels())
			require.Equal(t, map[string]string{"tier": "gold"}, original.GetLabels(), "the caller's object")
			require.Contains(t, response.Diff(), "+    added: \"yes\"")
		})
	}
}

func TestGenerationMakesObjects(t *testing.T) {
	source := "{apiVersion: v1, kind: Secret, metadata: {name: pull, namespace: platform}, data: {a: Yg==}}"
	namespace := object(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
	tests := map[string]struct{ policy, kind string }{
		"of data, classic": {`
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: g}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Namespace]}}]}
    generate: {apiVersion: v1, kind: ConfigMap, name: made, namespace: '{{request.object.metadata.name}}', data: {data: {a: b}}}
`, "ConfigMap"},
		"of a clone, classic": {`
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: g}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Namespace]}}]}
    generate: {apiVersion: v1, kind: Secret, name: made, namespace: '{{request.object.metadata.name}}', clone: {name: pull, namespace: platform}}
`, "Secret"},
		"of data, in CEL": {`
apiVersion: policies.kyverno.io/v1alpha1
kind: GeneratingPolicy
metadata: {name: g}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [namespaces], operations: [CREATE]}]}
  generate: [{expression: 'generator.Apply(object.metadata.name, [{"apiVersion": dyn("v1"), "kind": dyn("ConfigMap"), "metadata": dyn({"name": "made"})}])'}]
`, "ConfigMap"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := engine(t, admission.Options{Data: admission.Data{Objects: objects(t, source)}}, test.policy)
			response := admission.RequireAllowed(t, e, admission.Request{Object: namespace})
			require.Len(t, response.Generated, 1)
			require.Equal(t, test.kind, response.Generated[0].GetKind())
			require.Equal(t, "shop/made", response.Generated[0].GetNamespace()+"/"+response.Generated[0].GetName())
		})
	}
}

func TestExceptionsSkipRules(t *testing.T) {
	tests := map[string]struct{ policy, exception string }{
		"classic": {classicRule("validate: {failureAction: Enforce, deny: {}}"), `
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: e, namespace: platform}
spec: {exceptions: [{policyName: p, ruleNames: [r]}], match: {any: [{resources: {kinds: [ConfigMap], names: [c]}}]}}
`},
		"CEL": {vpol("", "false"), `
apiVersion: policies.kyverno.io/v1alpha1
kind: PolicyException
metadata: {name: e, namespace: platform}
spec: {policyRefs: [{name: v, kind: ValidatingPolicy}], matchConditions: [{name: c, expression: 'object.metadata.name == "c"'}]}
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := engine(t, admission.Options{Exceptions: objects(t, test.exception)}, test.policy)
			response := admission.RequireAllowed(t, e, admission.Request{Object: object(t, configMap)})
			require.Equal(t, admission.Skip, response.Verdicts[0].Status)
			require.Equal(t, []string{"platform/e"}, response.Verdicts[0].Exceptions)
			admission.RequireDenied(t, e, admission.Request{Object: object(t, strings.Replace(configMap, "name: c,", "name: d,", 1))})
		})
	}
}

func TestNewRefusesWhatCannotBeEvaluated(t *testing.T) {
	tests := map[string]struct{ policy, path string }{
		"a kind that is no policy":        {configMap, ""},
		"a field that nobody knows":       {strings.Replace(vpol("", "true"), "spec:", "spec:\n  unknown: 1", 1), ""},
		"an expression of the wrong type": {vpol("", "1"), "spec.validations[0].expression"},
		"an expression of a megabyte":     {vpol("", strings.Repeat("1 + ", 1<<18)+"1 > 0"), "spec.validations[0].expression"},
		"a variable that is unknown":      {classicRule("validate: {deny: {conditions: {all: [{key: '{{ nobody }}', operator: Equals, value: a}]}}}"), ""},
		"a policy of Kubernetes":          {strings.Replace(native, "object.metadata.labels.tier", "object.metadata[", 1), "spec.validations"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := admission.New(objects(t, test.policy), admission.Options{})
			var fault *admission.CompileError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, test.path, fault.Path)
		})
	}
}

func TestEvaluateRefusesWhatIsNoRequest(t *testing.T) {
	e := engine(t, admission.Options{}, vpol("", "true"))
	for name, request := range map[string]admission.Request{
		"nothing":                      {},
		"an update of nothing":         {Operation: admission.Update, Object: object(t, configMap)},
		"an operation there is not":    {Operation: "PATCH", Object: object(t, configMap)},
		"an object without a kind":     {Object: &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1"}}},
		"a deletion without an object": {Operation: admission.Delete, Object: object(t, configMap)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Evaluate(t.Context(), request)
			require.Error(t, err)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.Evaluate(ctx, admission.Request{Object: object(t, configMap)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAKindThatNobodyDefines(t *testing.T) {
	policy := strings.NewReplacer("apiGroups: ['']", "apiGroups: [example.com]", "[configmaps]", "[gadgetries]").Replace(vpol("", "false"))
	gadget := admission.Request{Object: object(t, "{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}}")}
	require.Equal(t, []outcome{{"", admission.Error, true}}, outcomes(t, engine(t, admission.Options{}, policy), gadget))
	crd := objects(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: gadgetries.example.com},
  spec: {group: example.com, scope: Cluster, names: {kind: Gadget, plural: gadgetries, singular: gadget}, versions: [{name: v1, served: true, storage: true}]}}`)
	admission.RequireDenied(t, engine(t, admission.Options{Data: admission.Data{Objects: crd}}, policy), gadget, "v")
	// A policy for other groups does not care.
	require.Empty(t, outcomes(t, engine(t, admission.Options{}, vpol("", "false")), gadget))
}

func TestNullsAreDroppedAsByTheAPIServer(t *testing.T) {
	e := engine(t, admission.Options{}, vpol("", `!has(object.binaryData)`))
	admission.RequireAllowed(t, e, admission.Request{Object: object(t, strings.Replace(configMap, "data:", "binaryData: null, data:", 1))})
}

func TestAnEngineServesManyAtOnce(t *testing.T) {
	e := engine(t, admission.Options{Data: admission.Data{Objects: objects(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {a: '3'}}")}},
		classicRule("context: [{name: x, configMap: {name: settings, namespace: shop}}]\nvalidate: {failureAction: Enforce, deny: {conditions: {all: [{key: '{{ request.object.data.size }}', operator: NotEquals, value: '{{ x.data.a }}'}]}}}"),
		vpol("", `object.data.size == "3"`))
	var group sync.WaitGroup
	for i := range 50 {
		size, allowed := "3", true
		if i%2 == 0 {
			size, allowed = "4", false
		}
		group.Go(func() {
			response, err := e.Evaluate(context.Background(), admission.Request{Object: object(t, strings.Replace(configMap, "'3'", "'"+size+"'", 1))})
			if err != nil || response.Allowed() != allowed {
				t.Errorf("size %s: %v", size, err)
			}
		})
	}
	group.Wait()
}
