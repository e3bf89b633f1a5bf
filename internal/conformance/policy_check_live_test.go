package conformance_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy"
)

// aggregationTime is more than the controller manager needs to aggregate ClusterRoles.
const aggregationTime = 20 * time.Second

// soundPolicy has nothing to complain about; the tests replace parts of its rule.
const soundPolicy = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: checked}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Ingress]}}]}
    validate: {message: 'Not {{ request.object.metadata.name }}.', pattern: {metadata: {labels: {team: "?*"}}}}
`

// changed returns the policy with parts of its spec and rule replaced; an empty part is removed.
func changed(t *testing.T, spec, rule map[string]string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(soundPolicy), &obj.Object))
	replace := func(in map[string]any, parts map[string]string) {
		for key, text := range parts {
			var value any
			require.NoError(t, yaml.Unmarshal([]byte(text), &value))
			in[key] = value
			if text == "" {
				delete(in, key)
			}
		}
	}
	specMap := obj.Object["spec"].(map[string]any)
	replace(specMap["rules"].([]any)[0].(map[string]any), rule)
	replace(specMap, spec)
	// Through JSON once more, so that numbers are what a client sends.
	raw, err := obj.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, obj.UnmarshalJSON(raw))
	return obj
}

// TestKyvernoRejectsWhatCheckFinds sends what Check reports as an error to the real admission controller.
func TestKyvernoRejectsWhatCheckFinds(t *testing.T) {
	c := liveKube(t)
	type parts = map[string]string
	secret := "{synchronize: true, apiVersion: v1, kind: Secret, name: a, namespace: b, data: {kind: Secret}}"
	tests := map[string]struct {
		code       string
		spec, rule parts
	}{
		"names that are too long":          {"POLICY005", nil, parts{"name": "'0123456789012345678901234567890123456789012345678901234567890123'"}},
		"two things at once":               {"POLICY006", nil, parts{"mutate": "{patchStrategicMerge: {metadata: {labels: {a: b}}}}"}},
		"CEL preconditions without CEL":    {"POLICY006", nil, parts{"celPreconditions": "[{name: a, expression: 'true'}]"}},
		"an empty match":                   {"POLICY010", nil, parts{"match": "{}"}},
		"a match without kinds":            {"POLICY010", nil, parts{"match": "{any: [{resources: {namespaces: [a]}}]}"}},
		"all kinds in the background":      {"POLICY013", nil, parts{"match": "{any: [{resources: {kinds: ['*']}}]}"}},
		"a variable that does not parse":   {"POLICY020", nil, parts{"validate": "{message: '{{ request.. }}', deny: {}}"}},
		"a variable that is not declared":  {"POLICY021", nil, parts{"validate": "{message: '{{ owner }}', deny: {}}"}},
		"a variable in the match block":    {"POLICY023", nil, parts{"match": "{any: [{resources: {kinds: [Ingress], names: ['{{ request.name }}']}}]}"}},
		"the user in the background":       {"POLICY030", nil, parts{"validate": "{message: '{{ request.userInfo.username }}', deny: {}}"}},
		"subjects in the background":       {"POLICY030", nil, parts{"exclude": "{any: [{clusterRoles: [admin]}]}"}},
		"no evaluation at all":             {"POLICY031", parts{"admission": "false", "background": "false"}, nil},
		"a kind it may not generate":       {"POLICY040", nil, parts{"validate": "", "generate": secret}},
		"objects it may not change":        {"POLICY040", nil, parts{"validate": "", "mutate": "{targets: [{apiVersion: v1, kind: Secret}], patchStrategicMerge: {metadata: {labels: {a: b}}}}"}},
		"an operator it does not know":     {"POLICY050", nil, parts{"preconditions": "{all: [{key: a, operator: Is, value: b}]}"}},
		"an operation it does not know":    {"POLICY052", nil, parts{"preconditions": "{all: [{key: '{{request.operation}}', operator: AnyIn, value: [CREATE, Update]}]}"}},
		"a context entry that is built in": {"POLICY054", nil, parts{"context": "[{name: request, variable: {value: a}}]"}},
		"a context entry without a source": {"POLICY054", nil, parts{"context": "[{name: a}]"}},
		"a time-out of a minute":           {"POLICY062", parts{"webhookConfiguration": "{timeoutSeconds: 60}"}, nil},
	}
	sound := changed(t, nil, nil)
	require.Empty(t, policy.Check(kyverno, []*unstructured.Unstructured{sound}))
	require.NoError(t, c.Create(t.Context(), sound, client.DryRunAll))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			obj := changed(t, test.spec, test.rule)
			findings := policy.Check(kyverno, []*unstructured.Unstructured{obj})
			require.True(t, slices.ContainsFunc(findings, func(f policy.Finding) bool {
				return f.Code == test.code && f.Severity == policy.SeverityError
			}), "%v", findings)
			require.Error(t, c.Create(t.Context(), obj, client.DryRunAll), "Kyverno takes it")
		})
	}
}

// TestRequiredRBACSatisfiesKyverno has the real admission controller accept a policy after the ClusterRoles that it
// needs.
func TestRequiredRBACSatisfiesKyverno(t *testing.T) {
	c := liveKube(t)
	obj := changed(t, nil, map[string]string{
		"validate": "",
		"generate": "{synchronize: true, apiVersion: v1, kind: Secret, name: a, namespace: b, data: {type: Opaque}}",
	})
	require.Error(t, c.Create(t.Context(), obj.DeepCopy(), client.DryRunAll))
	roles := policy.RequiredRBAC(kyverno, []*unstructured.Unstructured{obj})
	require.NotEmpty(t, roles)
	require.NoError(t, policy.NewClient(c, policy.ClientOptions{}).Apply(t.Context(), roles...))
	t.Cleanup(func() {
		for _, role := range roles {
			require.NoError(t, c.Delete(context.Background(), role))
		}
	})
	// The aggregation of ClusterRoles takes a moment.
	require.Eventually(t, func() bool {
		return c.Create(t.Context(), obj.DeepCopy(), client.DryRunAll) == nil
	}, aggregationTime, aggregationTime/100)
}
