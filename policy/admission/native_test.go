package admission_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/policy/admission"
)

// nativePolicy is a policy of Kubernetes for ConfigMaps, bound.
func nativePolicy(kind, spec, binding string) string {
	return `
apiVersion: admissionregistration.k8s.io/v1beta1
kind: ` + kind + `
metadata: {name: native}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [UPDATE, CREATE]}]}
` + spec + `
---
apiVersion: admissionregistration.k8s.io/v1beta1
kind: ` + kind + `Binding
metadata: {name: b}
spec: {policyName: native` + binding + `}
`
}

func TestNativePoliciesValidate(t *testing.T) {
	limit := "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations: [{expression: 'object.data.size == params.data.size'}]"
	named := ", validationActions: [Deny], paramRef: {name: limits, namespace: platform, parameterNotFoundAction: "
	limits := admission.Data{Objects: objects(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: limits, namespace: platform}, data: {size: '4'}}")}
	none := admission.Data{Complete: []schema.GroupKind{{Kind: "ConfigMap"}}}
	label := ", validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {a: b}}}"
	tests := map[string]struct {
		policy  string
		data    admission.Data
		labels  map[string]string
		want    []outcome
		missing bool
	}{
		"an expression that fails denies": {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'false'}]", ", validationActions: [Deny]"), want: []outcome{{"native", admission.Fail, true}}},
		"an expression that fails audits": {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'false'}]", ", validationActions: [Audit]"), want: []outcome{{"native", admission.Fail, false}}},
		"a second expression that fails denies": {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'true'}, {expression: 'false'}]", ", validationActions: [Deny]"),
			want: []outcome{{"native", admission.Fail, true}}},
		"an error denies": {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'object.data.none == \"\"'}]", ", validationActions: [Deny]"), want: []outcome{{"native", admission.Error, true}}},
		"an error is ignored where the policy says so": {policy: nativePolicy("ValidatingAdmissionPolicy", "  failurePolicy: Ignore\n  validations: [{expression: 'object.data.none == \"\"'}]", ", validationActions: [Deny]"),
			want: []outcome{{"native", admission.Error, false}}},
		"a condition that is not met skips": {policy: nativePolicy("ValidatingAdmissionPolicy", "  matchConditions: [{name: c, expression: 'false'}]\n  validations: [{expression: 'false'}]", ", validationActions: [Deny]"),
			want: []outcome{{"native", admission.Skip, true}}},
		"a variable is read": {policy: nativePolicy("ValidatingAdmissionPolicy", "  variables: [{name: size, expression: 'object.data.size'}]\n  validations: [{expression: 'variables.size == \"3\"'}]", ", validationActions: [Deny]"),
			want: []outcome{{"native", admission.Pass, true}}},
		"parameters are read":                        {policy: nativePolicy("ValidatingAdmissionPolicy", limit, named+"Deny}"), data: limits, want: []outcome{{"native", admission.Fail, true}}},
		"parameters that no data holds":              {policy: nativePolicy("ValidatingAdmissionPolicy", limit, named+"Deny}"), want: []outcome{{"native", admission.Error, true}}, missing: true},
		"parameters that there are not":              {policy: nativePolicy("ValidatingAdmissionPolicy", limit, named+"Deny}"), data: none, want: []outcome{{"native", admission.Error, true}}},
		"parameters that there need not be":          {policy: nativePolicy("ValidatingAdmissionPolicy", limit, named+"Allow}"), data: none, want: []outcome{{"native", admission.Skip, true}}},
		"a binding for other namespaces":             {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'false'}]", label), labels: map[string]string{"a": "c"}},
		"a binding for the namespace":                {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'false'}]", label), labels: map[string]string{"a": "b"}, want: []outcome{{"native", admission.Fail, true}}},
		"a binding for namespaces, none known":       {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'false'}]", label), want: []outcome{{"native", admission.Error, true}}, missing: true},
		"a costly expression ends in an error":       {policy: nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: '"+strings.Repeat("[1,2,3,4,5,6,7,8,9].all(x, ", 7)+"true"+strings.Repeat(")", 7)+"'}]", ", validationActions: [Deny]"), want: []outcome{{"native", admission.Error, true}}},
		"a policy for what the object is no kind of": {policy: strings.Replace(nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'false'}]", ", validationActions: [Deny]"), "[configmaps]", "[secrets]", 1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := admission.Request{Object: object(t, configMap), NamespaceLabels: test.labels}
			e := engine(t, admission.Options{Data: test.data}, test.policy)
			require.Equal(t, test.want, outcomes(t, e, request))
			response, err := e.Evaluate(t.Context(), request)
			require.NoError(t, err)
			for _, verdict := range response.Verdicts {
				var missing *admission.MissingContextError
				if test.missing {
					require.ErrorAs(t, verdict.Err, &missing)
				} else {
					require.NoError(t, verdict.Err)
				}
			}
		})
	}
}

func TestNativePoliciesMutate(t *testing.T) {
	label := func(value string) string {
		return `
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: {"added": ` + value + `}}}'}`
	}
	limits := admission.Data{Objects: objects(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: limits, namespace: platform}, data: {size: '4'}}")}
	tests := map[string]struct {
		policy string
		data   admission.Data
		update bool
		added  string
		want   []outcome
	}{
		"a configuration is applied": {policy: nativePolicy("MutatingAdmissionPolicy", label(`"yes"`), ""), added: "yes", want: []outcome{{"native", admission.Pass, false}}},
		"an update is one too":       {policy: strings.Replace(nativePolicy("MutatingAdmissionPolicy", label(`"yes"`), ""), "UPDATE, CREATE", "UPDATE", 1), update: true, added: "yes", want: []outcome{{"native", admission.Pass, false}}},
		"a patch is applied": {policy: nativePolicy("MutatingAdmissionPolicy", `
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: '[JSONPatch{op: "add", path: "/metadata/labels/added", value: "patched"}]'}`, ""), added: "patched", want: []outcome{{"native", admission.Pass, false}}},
		"a variable is read": {policy: nativePolicy("MutatingAdmissionPolicy", "  variables: [{name: v, expression: 'object.metadata.name'}]"+label("variables.v"), ""), added: "c", want: []outcome{{"native", admission.Pass, false}}},
		"parameters are read": {policy: nativePolicy("MutatingAdmissionPolicy", "  paramKind: {apiVersion: v1, kind: ConfigMap}"+label("params.data.size"),
			", paramRef: {name: limits, namespace: platform, parameterNotFoundAction: Deny}"), data: limits, added: "4", want: []outcome{{"native", admission.Pass, false}}},
		"a condition that is not met skips":            {policy: nativePolicy("MutatingAdmissionPolicy", "  matchConditions: [{name: c, expression: 'false'}]"+label(`"yes"`), ""), want: []outcome{{"native", admission.Skip, false}}},
		"an error denies":                              {policy: nativePolicy("MutatingAdmissionPolicy", label("object.data.none"), ""), want: []outcome{{"", admission.Error, true}}},
		"an error is ignored where the policy says so": {policy: nativePolicy("MutatingAdmissionPolicy", "  failurePolicy: Ignore"+label("object.data.none"), ""), want: []outcome{{"", admission.Error, false}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := admission.Request{Object: object(t, configMap)}
			if test.update {
				request.OldObject = object(t, configMap)
			}
			e := engine(t, admission.Options{Data: test.data}, test.policy)
			require.Equal(t, test.want, outcomes(t, e, request))
			response, err := e.Evaluate(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, test.added, response.Object.GetLabels()["added"])
			require.Equal(t, "gold", response.Object.GetLabels()["tier"])
		})
	}
}

func TestContainersMergeByNameInNativeMutations(t *testing.T) {
	e := engine(t, admission.Options{}, strings.Replace(nativePolicy("MutatingAdmissionPolicy", `
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{spec: Object.spec{containers: [Object.spec.containers{name: "app", imagePullPolicy: "Always"}]}}'}`, ""), "configmaps", "pods", 1))
	response := admission.RequireAllowed(t, e, admission.Request{Object: object(t, pod)})
	containers, _, err := unstructured.NestedSlice(response.Object.Object, "spec", "containers")
	require.NoError(t, err)
	require.Equal(t, []any{map[string]any{"name": "app", "image": "registry.example.com/app:1", "imagePullPolicy": "Always"}}, containers)
}

func TestNativePoliciesThatDoNotCompile(t *testing.T) {
	tests := map[string]struct{ policy, path string }{
		"a validation": {nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'object['}]", ""), "spec.validations"},
		"a message":    {nativePolicy("ValidatingAdmissionPolicy", "  validations: [{expression: 'true', messageExpression: '1'}]", ""), "spec.validations.messageExpression"},
		"a variable":   {nativePolicy("MutatingAdmissionPolicy", "  variables: [{name: v, expression: 'object['}]", ""), "spec.variables[0].expression"},
		"a condition":  {nativePolicy("MutatingAdmissionPolicy", "  matchConditions: [{name: v, expression: '1'}]", ""), "spec.matchConditions"},
		"a mutation":   {nativePolicy("MutatingAdmissionPolicy", "  mutations: [{patchType: JSONPatch, jsonPatch: {expression: '1'}}]", ""), "spec.mutations[0].jsonPatch.expression"},
		"a field":      {nativePolicy("MutatingAdmissionPolicy", "  unknown: 1", ""), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := admission.New(objects(t, test.policy), admission.Options{})
			var fault *admission.CompileError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, test.path, fault.Path)
			require.Equal(t, "native", fault.Policy.Name)
		})
	}
}
