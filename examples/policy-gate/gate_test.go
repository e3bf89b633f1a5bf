package main_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is the example, built once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "policy-gate")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run runs the program in a folder and returns its exit code and output.
func run(t *testing.T, dir string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, arguments...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &notes
	err := cmd.Run()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		return failed.ExitCode(), out.String(), notes.String()
	}
	require.NoError(t, err)
	return 0, out.String(), notes.String()
}

// folder holds the files for one test.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	return dir
}

const (
	ownerPolicy = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: owner}
spec:
  rules:
  - name: has-owner
    match: {any: [{resources: {kinds: [ConfigMap]}}]}
    validate: {failureAction: Enforce, message: Needs an owner, pattern: {metadata: {labels: {owner: "?*"}}}}
`
	owned   = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {owner: me}}\n"
	orphan  = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
	context = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: asks}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [ConfigMap]}}]}
    context: [{name: teams, configMap: {name: teams, namespace: platform}}]
    validate: {failureAction: Enforce, deny: {conditions: {all: [{key: "{{ teams.data.closed }}", operator: Equals, value: "yes"}]}}}
`
)

func TestWithoutArgumentsItShowsItself(t *testing.T) {
	code, out, _ := run(t, t.TempDir())
	require.Equal(t, 2, code)
	require.Contains(t, out, "Deployment shop/worker is denied")
	require.Contains(t, out, "4 objects: 2 admitted, 2 denied.")
}

// pulled asks for what the API server fills in by default.
const (
	pulled = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: pulled}\nspec: {rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, " +
		"validate: {failureAction: Enforce, message: Pull, pattern: {spec: {containers: [{imagePullPolicy: Always}]}}}}]}\n"
	app = "{apiVersion: v1, kind: Pod, metadata: {name: app, namespace: shop}, spec: {containers: [{name: app, image: app}]}}\n"
)

func TestTheExitCodeIsTheAnswer(t *testing.T) {
	tests := map[string]struct {
		files     map[string]string
		arguments []string
		code      int
		want      string
	}{
		"everything is admitted":         {map[string]string{"p/p.yaml": ownerPolicy, "m/m.yaml": owned}, nil, 0, "1 objects: 1 admitted"},
		"something is denied":            {map[string]string{"p/p.yaml": ownerPolicy, "m/m.yaml": owned + "---\n" + orphan}, nil, 2, filepath.Join("m", "m.yaml") + ":5: ConfigMap b is denied"},
		"an audit":                       {map[string]string{"p/p.yaml": strings.Replace(ownerPolicy, "Enforce", "Audit", 1), "m/m.yaml": orphan}, nil, 0, "audit: ClusterPolicy owner, rule has-owner: "},
		"an audit that counts":           {map[string]string{"p/p.yaml": strings.Replace(ownerPolicy, "Enforce", "Audit", 1), "m/m.yaml": orphan}, []string{"--fail-on-audit"}, 2, "audit: "},
		"data that is missing":           {map[string]string{"p/p.yaml": context, "m/m.yaml": owned}, nil, 1, "ConfigMap platform/teams is not in the data"},
		"data that is given":             {map[string]string{"p/p.yaml": context, "m/m.yaml": owned, "d/d.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: teams, namespace: platform}\ndata: {closed: 'no'}\n"}, []string{"--data", "d"}, 0, "1 admitted"},
		"an exception":                   {map[string]string{"p/p.yaml": ownerPolicy, "m/m.yaml": strings.Replace(orphan, "name: b", "name: b, namespace: x", 1), "e.yaml": "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {name: e, namespace: x}\nspec: {exceptions: [{policyName: owner, ruleNames: [has-owner]}], match: {any: [{resources: {kinds: [ConfigMap]}}]}}\n"}, []string{"--exceptions", "e.yaml"}, 0, "1 skipped"},
		"a field that is left out":       {map[string]string{"p/p.yaml": pulled, "m/m.yaml": app}, nil, 2, "Pod shop/app is denied"},
		"a default":                      {map[string]string{"p/p.yaml": pulled, "m/m.yaml": app}, []string{"--defaults"}, 0, "1 admitted"},
		"what no default can fill in":    {map[string]string{"p/p.yaml": pulled, "m/m.yaml": strings.NewReplacer("[{", "{", "}]", "}").Replace(app)}, []string{"--defaults"}, 1, "m.yaml:1: "},
		"a folder that is not there":     {map[string]string{"p/p.yaml": ownerPolicy}, nil, 1, "m: load manifests: "},
		"YAML that is broken":            {map[string]string{"p/p.yaml": ownerPolicy, "m/m.yaml": owned + "---\napiVersion: v1\n  kind: x\n"}, nil, 1, "m.yaml:5: yaml: line 6"},
		"a document that is no object":   {map[string]string{"p/p.yaml": ownerPolicy, "m/values.yaml": "replicas: 1\n"}, nil, 1, "values.yaml:1: it is no Kubernetes object"},
		"no policy":                      {map[string]string{"p/p.yaml": owned, "m/m.yaml": owned}, nil, 1, "--policies holds no policy"},
		"nothing to judge":               {map[string]string{"p/p.yaml": ownerPolicy, "m/README.md": ""}, nil, 1, "there is no manifest to judge"},
		"a policy that does not compile": {map[string]string{"p/p.yaml": strings.Replace(ownerPolicy, "Needs an owner", "'{{ who }}'", 1), "m/m.yaml": owned}, nil, 1, "ClusterPolicy owner: "},
		"an output that there is not":    {nil, []string{"--output", "xml"}, 1, `--output "xml": want text, json, junit or sarif`},
		"two things at once":             {nil, []string{"--repo", "."}, 1, "--manifests or --repo, not both"},
		"a word too many":                {nil, []string{"more"}, 1, `unexpected argument "more"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, test.files)
			code, out, notes := run(t, dir, append([]string{"--policies", "p", "--manifests", "m"}, test.arguments...)...)
			require.Equal(t, test.code, code, "%s%s", out, notes)
			require.Contains(t, out+notes, test.want)
			require.NotContains(t, notes, "goroutine")
		})
	}
}

func TestReportsForMachines(t *testing.T) {
	dir := folder(t, map[string]string{"p/p.yaml": ownerPolicy, "m/m.yaml": owned + "---\n" + orphan})
	arguments := []string{"--policies", "p", "--manifests", "m", "--output"}

	_, out, _ := run(t, dir, append(arguments, "json")...)
	var report struct {
		Summary    struct{ Objects, Denied int }
		Judgements []struct {
			File     string
			Line     int
			Allowed  bool
			Verdicts []struct{ Policy, Rule, Status, Path string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, 1, report.Summary.Denied)
	require.Equal(t, 5, report.Judgements[1].Line)
	require.Equal(t, "fail", report.Judgements[1].Verdicts[0].Status)
	require.Equal(t, "/metadata/labels/", report.Judgements[1].Verdicts[0].Path)

	_, out, _ = run(t, dir, append(arguments, "junit")...)
	var suites struct {
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Class string `xml:"classname,attr"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal([]byte(out), &suites))
	require.Equal(t, 1, suites.Failures)
	require.Len(t, suites.Suites[0].Cases, 2)

	_, out, _ = run(t, dir, append(arguments, "sarif")...)
	var sarif struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID, Level string
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &sarif))
	require.Equal(t, "2.1.0", sarif.Version)
	require.Len(t, sarif.Runs[0].Results, 1)
	require.Equal(t, "error", sarif.Runs[0].Results[0].Level)
	require.Equal(t, 5, sarif.Runs[0].Results[0].Locations[0].PhysicalLocation.Region.StartLine)
}

func TestWhatARepositoryDeploysIsJudged(t *testing.T) {
	dir := folder(t, map[string]string{
		"policies/p.yaml": ownerPolicy,
		"repo/apps/app.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n" +
			"  source: {repoURL: 'https://git.example.com/r.git', path: shop}\n  destination: {server: 'https://kubernetes.default.svc', namespace: shop}\n",
		"repo/shop/config.yaml": orphan,
	})
	repo := filepath.Join(dir, "repo")
	for _, arguments := range [][]string{{"init", "--quiet"}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "all"}} {
		cmd := exec.CommandContext(t.Context(), "git", arguments...)
		cmd.Dir = repo
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	code, out, notes := run(t, dir, "--policies", "policies", "--repo", "repo", "--repo-url", "https://git.example.com/r.git", "--path", "apps")
	require.Equal(t, 2, code, notes)
	require.Contains(t, out, "Application argocd/shop:1: ConfigMap shop/b is denied")
}

func TestSuitesOfTheCommandLineRun(t *testing.T) {
	suite := `apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: owners}
policies: [p.yaml]
resources: [m.yaml]
results:
- {policy: owner, rule: has-owner, kind: ConfigMap, resources: [a], result: pass}
- {policy: owner, rule: has-owner, kind: ConfigMap, resources: [b], result: %s}
`
	for result, want := range map[string]int{"fail": 0, "pass": 2} {
		dir := folder(t, map[string]string{"p.yaml": ownerPolicy, "m.yaml": owned + "---\n" + orphan, "kyverno-test.yaml": fmt.Sprintf(suite, result)})
		code, out, notes := run(t, dir, "--kyverno-tests", ".")
		require.Equal(t, want, code, "%s%s", out, notes)
		code, out, _ = run(t, dir, "--kyverno-tests", ".", "--output", "junit")
		require.Equal(t, want, code)
		require.Contains(t, out, "<testsuites")
	}
	code, _, notes := run(t, t.TempDir(), "--kyverno-tests", ".")
	require.Equal(t, 1, code)
	require.Contains(t, notes, "there is no kyverno-test.yaml")
}
