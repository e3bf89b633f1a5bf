package kyvernotest_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/policy/admission/kyvernotest"
)

const policy = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labels}
spec:
  rules:
  - name: owner
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {message: owner, pattern: {metadata: {labels: {owner: "?*"}}}}
---
apiVersion: policies.kyverno.io/v1alpha1
kind: ValidatingPolicy
metadata: {name: cel-labels}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
  validations:
  - {expression: "'owner' in object.metadata.?labels.orValue({})", message: no owner}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: copies}
spec:
  rules:
  - name: copy
    match: {any: [{resources: {kinds: [Namespace]}}]}
    generate:
      {apiVersion: v1, kind: Secret, name: pull, namespace: "{{ request.object.metadata.name }}", data: {data: {token: c2VjcmV0}}}
`

const resources = `
apiVersion: v1
kind: Pod
metadata: {name: owned, labels: {owner: me}}
spec: {containers: [{name: app, image: "example/app:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stray}
spec: {containers: [{name: app, image: "example/app:1"}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
`

// write makes a directory of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for name, content := range files {
		path := filepath.Join(directory, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return directory
}

// suite is a test with the policy, the resources and the lines given.
func suite(lines string) map[string]string {
	return map[string]string{
		"policy.yaml": policy, "resources.yaml": resources,
		kyvernotest.FileName: "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: labels}\n" +
			"policies: [policy.yaml]\nresources: [resources.yaml]\n" + lines,
	}
}

func run(t *testing.T, files map[string]string) *kyvernotest.Report {
	t.Helper()
	tests, err := kyvernotest.Load(write(t, files))
	require.NoError(t, err)
	return kyvernotest.Run(t.Context(), tests)
}

func TestRowsSayWhatEachExpectationGave(t *testing.T) {
	owned := kyvernotest.Resource{APIVersion: "v1", Kind: "Pod", Namespace: "default", Name: "owned"}
	stray := kyvernotest.Resource{APIVersion: "v1", Kind: "Pod", Namespace: "default", Name: "stray"}
	tests := map[string]struct {
		result string
		want   []kyvernotest.Row
	}{
		"the expected verdict passes": {
			result: "{policy: labels, rule: owner, kind: Pod, resources: [owned], result: pass}",
			want:   []kyvernotest.Row{{Policy: "labels", Rule: "owner", Resource: owned, Passed: true, Want: "pass", Got: "pass", Reason: kyvernotest.AsExpected}},
		},
		"another verdict fails": {
			result: "{policy: labels, rule: owner, kind: Pod, resources: [stray], result: pass}",
			want:   []kyvernotest.Row{{Policy: "labels", Rule: "owner", Resource: stray, Want: "pass", Got: "fail", Reason: kyvernotest.OtherVerdict}},
		},
		"the command line passes a classic policy that was to fail and does not": {
			result: "{policy: labels, rule: owner, kind: Pod, resources: [owned], result: fail}",
			want:   []kyvernotest.Row{{Policy: "labels", Rule: "owner", Resource: owned, Passed: true, Want: "fail", Got: "pass", Reason: kyvernotest.OtherVerdict}},
		},
		"a CEL policy that was to fail and does not fails": {
			result: "{policy: cel-labels, isValidatingPolicy: true, kind: Pod, resources: [owned], result: fail}",
			want:   []kyvernotest.Row{{Policy: "cel-labels", Resource: owned, Want: "fail", Got: "pass", Reason: kyvernotest.OtherVerdict}},
		},
		"a rule without a verdict passes as excluded": {
			result: "{policy: labels, rule: other, kind: Pod, resources: [default/stray], result: pass}",
			want:   []kyvernotest.Row{{Policy: "labels", Rule: "other", Resource: stray, Passed: true, Want: "pass", Reason: kyvernotest.Excluded}},
		},
		"a policy that there is not fails": {
			result: "{policy: other, rule: owner, kind: Pod, resources: [stray], result: pass}",
			want:   []kyvernotest.Row{{Policy: "other", Rule: "owner", Resource: stray, Want: "pass", Reason: kyvernotest.NotFound}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			report := run(t, suite("results: ["+test.result+"]"))
			require.NoError(t, report.Tests[0].Err)
			if difference := cmp.Diff(test.want, report.Tests[0].Rows, cmpopts.IgnoreFields(kyvernotest.Row{}, "Message")); difference != "" {
				t.Error(difference)
			}
			require.Equal(t, test.want[0].Passed, report.OK())
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	files := suite("results: [{policy: copies, rule: copy, kind: Namespace, resources: [shop], result: pass, generatedResource: secret.yaml}]")
	files["secret.yaml"] = "apiVersion: v1\nkind: Secret\nmetadata: {name: pull, namespace: shop}\ndata: {token: b3RoZXI=}\n"
	report := run(t, files)
	require.Len(t, report.Tests[0].Rows, 1)
	require.Equal(t, kyvernotest.OtherResource, report.Tests[0].Rows[0].Reason)
	require.NotContains(t, report.Text(), "c2VjcmV0")
	require.NotContains(t, report.Text(), "b3RoZXI=")
}

func TestBrokenSuitesAreRejectedAllAtOnce(t *testing.T) {
	directory := write(t, map[string]string{
		"a/" + kyvernotest.FileName: "kind: {",
		"b/" + kyvernotest.FileName: "kind: Test\ncolour: blue\n",
		"c/other.yaml":              "not: a suite",
	})
	_, err := kyvernotest.Load(directory)
	var fault *kyvernotest.LoadError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, filepath.Join(directory, "a", kyvernotest.FileName), fault.Path)
	require.ErrorContains(t, err, filepath.Join("b", kyvernotest.FileName))

	_, err = kyvernotest.Load(filepath.Join(directory, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSuitesThatCannotRunAreErrorsOfTheirOwn(t *testing.T) {
	expectation := "results: [{policy: labels, rule: owner, kind: Pod, resources: [owned], result: pass}]\n"
	tests := map[string]map[string]string{
		"a policy by URL":                     {kyvernotest.FileName: suite(expectation)[kyvernotest.FileName] + "targetResources: [\"https://registry.example.com/x.yaml\"]\n"},
		"a deprecated schema":                 {kyvernotest.FileName: "policies: [policy.yaml]\n" + expectation},
		"a policy that does not parse":        {"policy.yaml": "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: labels}\nspec: {rulez: []}\n"},
		"an object in place of a policy":      {"policy.yaml": resources},
		"values with a deprecated schema":     {kyvernotest.FileName: suite(expectation)[kyvernotest.FileName] + "variables: resources.yaml\n"},
		"a user that cannot be read":          {kyvernotest.FileName: suite(expectation)[kyvernotest.FileName] + "userinfo: nowhere.yaml\n"},
		"a payload that is none":              {kyvernotest.FileName: suite(expectation)[kyvernotest.FileName] + "jsonPayload: nowhere.json\n"},
		"exceptions that cannot be read":      {kyvernotest.FileName: suite(expectation)[kyvernotest.FileName] + "exceptions: [nowhere.yaml]\n"},
		"a context that cannot be read":       {kyvernotest.FileName: suite(expectation)[kyvernotest.FileName] + "context: nowhere.yaml\n"},
		"resources of which none can be read": {"resources.yaml": "kind: Pod\n  broken"},
	}
	for name, changed := range tests {
		t.Run(name, func(t *testing.T) {
			files := suite(expectation)
			for file, content := range changed {
				files[file] = content
			}
			files["good/"+kyvernotest.FileName] = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: good}\n" +
				"policies: [policy.yaml]\nresources: [resources.yaml]\n" + expectation
			files["good/policy.yaml"], files["good/resources.yaml"] = policy, resources
			report := run(t, files)
			require.Len(t, report.Tests, 2)
			require.NoError(t, report.Tests[0].Err, "the other suite goes on")
			require.Error(t, report.Tests[1].Err)
			require.False(t, report.OK())
			require.Equal(t, 1, report.Passed())
			require.Zero(t, report.Failed())
		})
	}
}

func TestWhatTheCommandLinePassesOverIsAWarning(t *testing.T) {
	files := suite("results: [{policy: labels, rule: owner, kind: Pod, resources: [owned], result: pass}]\n")
	files["policy.yaml"] += `---
not: kubernetes
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: refused}
spec:
  rules:
  - name: unknown
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {message: "{{ unknown }}", deny: {}}
`
	files["resources.yaml"] += "---\n" + resources
	report := run(t, files)
	require.True(t, report.OK(), report.Text())
	require.Len(t, report.Tests[0].Warnings, 5, "a document, a policy and three resources: %q", report.Tests[0].Warnings)
}

func TestEndedContextsEndTheTests(t *testing.T) {
	tests, err := kyvernotest.Load(write(t, suite("results: [{policy: labels, rule: owner, kind: Pod, result: pass}]")))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := kyvernotest.Run(ctx, tests)
	require.ErrorIs(t, report.Tests[0].Err, context.Canceled)
}
