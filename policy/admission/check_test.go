package admission_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

func TestCheckCompilesPolicies(t *testing.T) {
	const vpol = `apiVersion: policies.kyverno.io/v1alpha1
kind: ValidatingPolicy
metadata: {name: v}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}
  validations: [{expression: 'EXPRESSION'}]`
	const cpol = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: c}
spec:
  background: false
  rules:
    - name: r
      match: {any: [{resources: {kinds: [ConfigMap]}}]}
      validate: {failureAction: Enforce, message: m, deny: {conditions: {all: [{key: "KEY", operator: Equals, value: a}]}}}`
	tests := map[string]struct {
		kyverno policy.Version
		text    string
		want    []string
	}{
		"nothing is wrong":                 {policy.Kyverno(1, 15), strings.Replace(vpol, "EXPRESSION", "has(object.data)", 1), nil},
		"nothing is wrong with conditions": {policy.Kyverno(1, 15), strings.Replace(cpol, "KEY", "{{ request.object.data.a || '' }}", 1), nil},
		"a function that nobody has": {
			policy.Kyverno(1, 15), strings.Replace(vpol, "EXPRESSION", "size(object.data, 1) > 0", 1),
			[]string{"POLICY100 ValidatingPolicy v spec.validations[0].expression"},
		},
		"a function that a later release may have": {
			policy.Kyverno(1, 17), strings.Replace(vpol, "EXPRESSION", "time.now() > timestamp(object.data.a)", 1),
			[]string{"POLICY101 ValidatingPolicy v spec.validations[0].expression"},
		},
		"what policy.Check finds is not repeated": {
			policy.Kyverno(1, 15), strings.Replace(vpol, "EXPRESSION", "object.", 1),
			[]string{"POLICY024 ValidatingPolicy v spec.validations[0].expression"},
		},
		"a value that no release has": {
			policy.Kyverno(1, 15), strings.Replace(cpol, "Enforce", "Perhaps", 1),
			[]string{"POLICY100 ClusterPolicy c "},
		},
		"an exception that does not compile": {
			policy.Kyverno(1, 15), strings.Replace(vpol, "EXPRESSION", "has(object.data)", 1) + `
---
apiVersion: policies.kyverno.io/v1alpha1
kind: PolicyException
metadata: {name: e, namespace: ns}
spec: {policyRefs: [{kind: ValidatingPolicy, name: v}], matchConditions: [{name: m, expression: "size(1, 2)"}]}`,
			[]string{"POLICY100 ValidatingPolicy v spec.matchConditions[0].expression"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range admission.Check(test.kyverno, objects(t, strings.Split(test.text, "---\n")...), time.Time{}) {
				if f.Code != "POLICY070" { // the policies are for every namespace
					got = append(got, f.Code+" "+f.Object+" "+f.Path)
				}
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestCheckTakesTheRulesOfTheLibrary(t *testing.T) {
	for _, rule := range []policy.Rule{
		policy.RequireLabels{Name: "labels", Labels: policy.PlatformLabels()}, policy.DefaultSecurityContext{Name: "security"},
		policy.Cleanup{Name: "jobs", Kind: policy.ResourceKind{Group: "batch", Kind: "Job"}, Finished: true, Schedule: "@daily"},
	} {
		for name, build := range generations {
			obj, err := build(rule)
			require.NoError(t, err)
			require.Empty(t, admission.Check(policy.Kyverno(1, 15), append(rule.RBAC(), obj), time.Now()), name)
		}
	}
}

func TestCheckFindsWhatHasEnded(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	exception := policy.Exception{
		Name: "e", Namespace: "n", Rules: []policy.Rule{policy.RequireResources{Name: "r"}}, Owner: "o", Reason: "r",
		Kinds: []policy.ResourceKind{{Kind: "Pod"}}, Names: []string{"a"},
	}
	expired := func(ends, now time.Time, label string) bool {
		exception.Expires = ends
		obj, err := exception.CEL(policy.Kyverno(1, 15))
		require.NoError(t, err)
		if label != "" {
			obj.SetLabels(map[string]string{policy.TTLLabel: label})
		}
		return slices.ContainsFunc(admission.Check(policy.Kyverno(1, 15), []*unstructured.Unstructured{obj}, now), func(f policy.Finding) bool {
			return f.Code == "POLICY102"
		})
	}
	require.True(t, expired(now, now, ""))
	require.False(t, expired(now.Add(time.Second), now, ""))
	require.False(t, expired(now, time.Time{}, ""), "nobody has said what time it is")
	require.True(t, expired(now, now, "2026-11-23"))
	require.False(t, expired(now, now, "2026-11-24"))
	require.False(t, expired(now, now, "1h"), "it is not known when the exception was made")
}
