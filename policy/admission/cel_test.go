package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/policy/admission"
)

const pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {containers: [{name: app, image: registry.example.com/app:1}]}}"

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: shop}
spec:
  selector: {matchLabels: {app: d}}
  template: {metadata: {labels: {app: d}}, spec: {containers: [{name: app, image: registry.example.com/app:1}]}}
`

// celPolicy is a policy of policies.kyverno.io for one resource.
func celPolicy(kind, group, resource, spec string) string {
	return fmt.Sprintf(`
apiVersion: policies.kyverno.io/v1alpha1
kind: %s
metadata: {name: x}
spec:
  matchConstraints: {resourceRules: [{apiGroups: ['%s'], apiVersions: [v1], resources: [%s], operations: [CREATE, UPDATE]}]}
%s`, kind, group, resource, spec)
}

func TestLibrariesAnswerFromTheData(t *testing.T) {
	secret := "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop, labels: {a: b}}}"
	image := map[string]map[string]any{"registry.example.com/app:1": {
		"registry": "registry.example.com", "configData": map[string]any{"config": map[string]any{"User": "1000"}},
	}}
	tests := map[string]struct {
		expression string
		data       admission.Data
		// missing says that the expression needs what the data does not hold.
		missing bool
	}{
		"an object is read":                  {expression: `resource.Get("v1", "secrets", "shop", "s").metadata.labels.a == "b"`, data: admission.Data{Objects: objects(t, secret)}},
		"an object of no data is missing":    {expression: `resource.Get("v1", "secrets", "shop", "s").metadata.labels.a == "b"`, missing: true},
		"an object of no kind is missing":    {expression: `resource.Get("example.com/v1", "gadgets", "shop", "s").metadata.name == "s"`, missing: true},
		"a list is read":                     {expression: `resource.List("v1", "secrets", "shop").items.size() == 1`, data: admission.Data{Objects: objects(t, secret)}},
		"a list of another namespace":        {expression: `resource.List("v1", "secrets", "other").items.size() == 0`, data: admission.Data{Objects: objects(t, secret)}},
		"a list that is complete is empty":   {expression: `resource.List("v1", "secrets", "").items.size() == 0`, data: admission.Data{Complete: []schema.GroupKind{{Kind: "Secret"}}}},
		"a list of no data is missing":       {expression: `resource.List("v1", "secrets", "").items.size() == 0`, missing: true},
		"what is posted has no answer":       {expression: `resource.Post("authorization.k8s.io/v1", "subjectaccessreviews", {"kind": dyn("SubjectAccessReview")}).status.allowed == true`, missing: true},
		"an entry is read":                   {expression: `globalContext.Get("teams", "") == "good"`, data: admission.Data{GlobalContext: map[string]any{"teams": "good"}}},
		"a projection of an entry is read":   {expression: `globalContext.Get("teams", "first") == "good"`, data: admission.Data{GlobalContext: map[string]any{"teams": map[string]any{"first": "good"}}}},
		"an entry of no data is missing":     {expression: `globalContext.Get("teams", "") == "good"`, missing: true},
		"an image is read":                   {expression: `image.GetMetadata("registry.example.com/app:1").configData.config.User == "1000"`, data: admission.Data{Images: image}},
		"an image of no data is missing":     {expression: `image.GetMetadata("registry.example.com/app:1").configData.config.User == "1000"`, missing: true},
		"a swallowed error is still missing": {expression: `globalContext.Get("teams", "") == "good" || true`, missing: true},
		"an alternative is still missing":    {expression: `true || globalContext.Get("teams", "") == "good"`},
		"a service is never called":          {expression: `http.Get("https://judge.example.com/").ok == true`, missing: true},
		"a service is never called, however": {expression: `[http].all(h, h.Get("https://judge.example.com/").ok == true)`, missing: true},
		"a word is no call":                  {expression: `"http.Get" != object.metadata.name`},
		"an image reference is parsed":       {expression: `image("registry.example.com/app:1").registry() == "registry.example.com"`},
		"a service account is parsed":        {expression: `parseServiceAccount("system:serviceaccount:shop:app").Namespace == "shop"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := engine(t, admission.Options{Data: test.data}, celPolicy("ValidatingPolicy", "", "configmaps",
				fmt.Sprintf("  validations: [{expression: '%s'}]", test.expression)))
			response, err := e.Evaluate(t.Context(), admission.Request{Object: object(t, configMap)})
			require.NoError(t, err)
			require.Len(t, response.Verdicts, 1)
			verdict := response.Verdicts[0]
			if !test.missing {
				require.Equal(t, admission.Pass, verdict.Status, verdict.Message)
				return
			}
			require.Equal(t, admission.Error, verdict.Status, verdict.Message)
			var missing *admission.MissingContextError
			require.ErrorAs(t, verdict.Err, &missing)
		})
	}
}

func TestPoliciesForPodsJudgeTheirControllers(t *testing.T) {
	tests := map[string]string{
		"validating": celPolicy("ValidatingPolicy", "", "pods",
			`  validations: [{expression: 'object.spec.containers.all(c, c.image.endsWith(":2"))'}]`),
		"validating, by the labels of the namespace": celPolicy("ValidatingPolicy", "", "pods",
			`  validations: [{expression: 'namespaceObject.metadata.labels.a == "c"'}]`),
	}
	for name, policy := range tests {
		t.Run(name, func(t *testing.T) {
			labels := map[string]string{"a": "b"}
			e := engine(t, admission.Options{}, policy)
			admission.RequireDenied(t, e, admission.Request{Object: object(t, pod), NamespaceLabels: labels}, "x")
			admission.RequireDenied(t, e, admission.Request{Object: object(t, deployment), NamespaceLabels: labels}, "x")
		})
	}
	t.Run("labels of the namespace that are missing are an error for controllers", func(t *testing.T) {
		e := engine(t, admission.Options{}, tests["validating, by the labels of the namespace"])
		require.Equal(t, []outcome{{"", admission.Error, true}}, outcomes(t, e, admission.Request{Object: object(t, deployment)}))
	})
	t.Run("mutating", func(t *testing.T) {
		e := engine(t, admission.Options{}, celPolicy("MutatingPolicy", "", "pods", `
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{spec: Object.spec{containers: [Object.spec.containers{name: "app", imagePullPolicy: "Always"}]}}'}`))
		for _, text := range []string{pod, deployment} {
			response := admission.RequireAllowed(t, e, admission.Request{Object: object(t, text)})
			require.Contains(t, response.Diff(), "imagePullPolicy: Always")
			// Containers merge by name, as the API server merges them.
			require.NotContains(t, response.Diff(), "-      image:")
		}
	})
}

func TestMutationsReadTheSchemasOfCustomKinds(t *testing.T) {
	policy := celPolicy("MutatingPolicy", "example.com", "gadgets", `
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{spec: Object.spec{ports: [Object.spec.ports{name: "b", port: 2}]}}'}`)
	crd := `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              ports:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, port: {type: integer}}}
`
	request := admission.Request{Object: object(t, "{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}, spec: {ports: [{name: a, port: 1}]}}")}
	response := admission.RequireAllowed(t, engine(t, admission.Options{Data: admission.Data{Objects: objects(t, crd)}}, policy), request)
	ports, _, err := unstructured.NestedSlice(response.Object.Object, "spec", "ports")
	require.NoError(t, err)
	require.Len(t, ports, 2)

	response, err = engine(t, admission.Options{}, policy).Evaluate(t.Context(), request)
	require.NoError(t, err)
	var missing *admission.MissingContextError
	require.ErrorAs(t, response.Verdicts[0].Err, &missing)
}

func TestActionsOfAFailure(t *testing.T) {
	tests := map[string]struct {
		actions  string
		enforced bool
		warns    bool
	}{
		"deny":           {"[Deny]", true, false},
		"audit":          {"[Audit]", false, false},
		"warn":           {"[Warn]", false, true},
		"deny and warn":  {"[Deny, Warn]", true, true},
		"audit and warn": {"[Audit, Warn]", false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := engine(t, admission.Options{}, celPolicy("ValidatingPolicy", "", "configmaps", "  validationActions: "+test.actions+`
  validations: [{expression: 'false', messageExpression: '"not " + object.metadata.name'}]
  auditAnnotations: [{key: who, valueExpression: 'string(object.metadata.name)'}]`))
			response, err := e.Evaluate(t.Context(), admission.Request{Object: object(t, configMap)})
			require.NoError(t, err)
			require.Equal(t, !test.enforced, response.Allowed())
			require.Equal(t, test.warns, len(response.Warnings) == 1)
			require.Equal(t, "not c", response.Verdicts[0].Message)
			require.Equal(t, map[string]string{"who": "c"}, response.Verdicts[0].Properties)
		})
	}
}

func TestDeletingPoliciesSelectObjects(t *testing.T) {
	policy := `
apiVersion: policies.kyverno.io/v1alpha1
kind: DeletingPolicy
metadata: {name: x}
spec:
  schedule: '* * * * *'
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: ['*']}]}
  conditions: [{name: c, expression: 'object.metadata.labels.tier == "silver"'}]
`
	e := engine(t, admission.Options{}, policy)
	silver := strings.Replace(configMap, "gold", "silver", 1)
	require.Equal(t, []outcome{{"x", admission.Pass, false}}, outcomes(t, e, admission.Request{Object: object(t, silver)}))
	require.Equal(t, []outcome{{"x", admission.Fail, false}}, outcomes(t, e, admission.Request{Object: object(t, configMap)}))
}

func TestImagesWithoutARegistryAreAnError(t *testing.T) {
	policy := celPolicy("ImageValidatingPolicy", "", "pods", `
  matchImageReferences: [{glob: 'registry.example.com/*'}]
  attestors: [{name: cosign, cosign: {key: {data: "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6QsNef3SKYhJVYSVj+ZfbPwJd0pv\nDLYNHXITZkhIzfE+apcxDjCCkDPcJ3A3zvhPATYOIsCxYPch7Q2JdJLsDQ==\n-----END PUBLIC KEY-----"}}}]
  validations: [{expression: 'images.containers.map(i, verifyImageSignatures(i, [attestors.cosign])).all(e, e >= 0)'}]`)
	e := engine(t, admission.Options{}, policy)
	for _, text := range []string{pod, deployment} {
		response, err := e.Evaluate(t.Context(), admission.Request{Object: object(t, text)})
		require.NoError(t, err)
		require.False(t, response.Allowed())
		var missing *admission.MissingContextError
		require.ErrorAs(t, response.Verdicts[0].Err, &missing)
	}
	admission.RequireAllowed(t, e, admission.Request{Object: object(t, strings.Replace(pod, "registry.example.com", "elsewhere.example.com", 1))})
}

func TestPoliciesOfANamespace(t *testing.T) {
	text := strings.NewReplacer("kind: ValidatingPolicy", "kind: NamespacedValidatingPolicy", "name: x", "name: x, namespace: shop", "v1alpha1", "v1beta1").
		Replace(celPolicy("ValidatingPolicy", "", "configmaps", "  validations: [{expression: 'false'}]"))
	e := engine(t, admission.Options{}, text)
	admission.RequireDenied(t, e, admission.Request{Object: object(t, configMap)}, "x")
	require.Empty(t, outcomes(t, e, admission.Request{Object: object(t, strings.Replace(configMap, "shop", "other", 1))}))
}

func TestWhatChangesExistingObjectsIsNotPassedOver(t *testing.T) {
	text := celPolicy("MutatingPolicy", "", "configmaps", "  evaluation: {mutateExisting: {enabled: true}}\n"+
		"  mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"remove\", path: \"/data\"}]'}}]")
	e := engine(t, admission.Options{}, text)
	response := admission.RequireAllowed(t, e, admission.Request{Object: object(t, configMap)})
	require.Len(t, response.Verdicts, 1)
	require.Equal(t, admission.Skip, response.Verdicts[0].Status)
	require.NotEmpty(t, response.Verdicts[0].Message)
	require.Empty(t, outcomes(t, e, admission.Request{Object: object(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}}")}))
}

func TestACostBombIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("1,", 99) + "1]"
	nested := func(source string, depth int) string {
		text := "true"
		for i := range depth {
			text = fmt.Sprintf("%s.all(v%d, %s)", source, i, text)
		}
		return text
	}
	for name, spec := range map[string]string{
		"loops in loops":            "  validations: [{expression: '" + nested(list, 8) + "'}]",
		"a list of a billion":       "  validations: [{expression: 'lists.range(1000000000).size() > 0'}]",
		"loops over long lists":     "  validations: [{expression: '" + nested("lists.range(10000)", 3) + "'}]",
		"loops over a variable":     "  variables: [{name: l, expression: 'lists.range(10000)'}]\n  validations: [{expression: '" + nested("variables.l", 3) + "'}]",
		"loops over a bound value":  "  validations: [{expression: 'cel.bind(l, lists.range(10000), " + nested("l", 3) + ")'}]",
		"a text that doubles":       "  variables:\n" + doubling(40) + "  validations: [{expression: 'variables.v40 != \"\"'}]",
		"in a condition of a match": "  matchConditions: [{name: c, expression: '" + nested(list, 8) + "'}]\n  validations: [{expression: 'true'}]",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := admission.New(objects(t, celPolicy("ValidatingPolicy", "", "configmaps", spec)), admission.Options{})
			var fault *admission.CompileError
			require.ErrorAs(t, err, &fault)
			require.True(t, strings.HasSuffix(fault.Path, ".expression"), fault.Path)
		})
	}
	t.Run("on what an object holds it ends with the context", func(t *testing.T) {
		big := object(t, configMap)
		keys := map[string]any{}
		for i := range 300 {
			keys[fmt.Sprint("k", i)] = "v"
		}
		big.Object["data"] = keys
		e := engine(t, admission.Options{}, celPolicy("ValidatingPolicy", "", "configmaps",
			"  validations: [{expression: '"+nested("object.data", 3)+"'}]"))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := e.Evaluate(ctx, admission.Request{Object: big})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("an ordinary expression is none", func(t *testing.T) {
		e := engine(t, admission.Options{}, celPolicy("ValidatingPolicy", "", "configmaps",
			"  validations: [{expression: '"+nested(list, 2)+" && lists.range(1000).size() == 1000'}]"))
		admission.RequireAllowed(t, e, admission.Request{Object: object(t, configMap)})
	})
}

func doubling(count int) string {
	text := "  - {name: v0, expression: '\"0123456789\"'}\n"
	for i := 1; i <= count; i++ {
		text += fmt.Sprintf("  - {name: v%d, expression: 'variables.v%d + variables.v%d'}\n", i, i-1, i-1)
	}
	return text
}

func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{
		"true", "object.metadata.name == 'c'", "resource.Get('v1', 'secrets', 'a', 'b').x", "cel.bind(a, [1], a.all(b, b > 0))",
		"object.?data[?'a'].orValue('') == ''", "[[[[1]]]]", "lists.range(1000)", "http.Get('x')", "\"a\" +", "image('a').tag() != ''",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		policy := object(t, celPolicy("ValidatingPolicy", "", "configmaps", "  validations: [{expression: 'true'}]"))
		require.NoError(t, unstructured.SetNestedSlice(policy.Object, []any{map[string]any{"expression": expression}}, "spec", "validations"))
		e, err := admission.New([]*unstructured.Unstructured{policy}, admission.Options{})
		if err != nil {
			var fault *admission.CompileError
			require.ErrorAs(t, err, &fault)
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		response, err := e.Evaluate(ctx, admission.Request{Object: object(t, configMap)})
		require.NoError(t, err)
		require.Len(t, response.Verdicts, 1)
	})
}
