package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// program is the example, built once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "preview")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run runs the program and returns its exit code and output.
func run(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, arguments...)
	cmd.Stdout, cmd.Stderr = &out, &notes
	err := cmd.Run()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		return failed.ExitCode(), out.String(), notes.String()
	}
	require.NoError(t, err)
	return 0, out.String(), notes.String()
}

// repository makes a git repository with a commit for each set of files, and returns its folder.
func repository(t *testing.T, commits ...map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "--quiet", "--initial-branch=main")
	for _, files := range commits {
		for name, content := range files {
			file := filepath.Join(dir, name)
			if content == "" {
				require.NoError(t, os.Remove(file))
				continue
			}
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			if target, isLink := strings.CutPrefix(content, "-> "); isLink {
				require.NoError(t, os.Symlink(target, file))
				continue
			}
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		}
		git(t, dir, "add", "--all")
		git(t, dir, "commit", "--quiet", "--message=change")
	}
	return dir
}

func git(t *testing.T, dir string, arguments ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"}, arguments...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

const (
	configMap   = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a, finalizers: [resources-finalizer.argocd.argoproj.io]}\n" +
		"spec: {project: default, source: {repoURL: 'https://git.example.com/a.git', path: a}, destination: {name: in-cluster, namespace: a}}\n"
)

func TestWithoutArgumentsItShowsADemonstration(t *testing.T) {
	code, out, notes := run(t)
	require.Equal(t, 0, code, notes)
	for _, shown := range []string{"CRITICAL", "DELETED", "looks renamed", "observability-prometheus", "runner:v2"} {
		require.Contains(t, out, shown)
	}
}

func TestPreviewsTwoRevisionsOfARepository(t *testing.T) {
	dir := repository(t,
		map[string]string{"K8s/team/web/a.yaml": configMap, "K8s/team/api/a.yaml": configMap, "apps/README": "-"},
		map[string]string{"K8s/team/api/a.yaml": configMap + "data: {a: b}\n", "K8s/team/web/a.yaml": "", "K8s/team/new/a.yaml": configMap + "data: {c: d}\n"},
	)
	bare := filepath.Join(t.TempDir(), "bare.git")
	git(t, dir, "clone", "--quiet", "--bare", dir, bare)
	for name, repo := range map[string]string{"with a working tree": dir, "bare": bare} {
		t.Run(name, func(t *testing.T) {
			code, out, notes := run(t, "--repo", repo, "--base", "main~1", "--head", "main", "--output", "json", "--fail-on-deletion")
			require.Equal(t, 2, code, notes)
			var changes preview.Changes
			require.NoError(t, json.Unmarshal([]byte(out), &changes))
			require.Equal(t, []string{"team-new", "team-api", "team-web"}, []string{changes.Added[0].Name, changes.Changed[0].Name, changes.Deleted[0].Name})
			require.Equal(t, preview.Deletes, changes.Deleted[0].Resources[0].Outcome)
			require.Equal(t, "data", changes.Changed[0].Resources[0].Fields[0].Path)
		})
	}

	code, out, _ := run(t, "--repo", dir, "--base", "main~1", "--no-render", "--output", "json", "--folders", "team")
	require.Equal(t, 0, code)
	var changes preview.Changes
	require.NoError(t, json.Unmarshal([]byte(out), &changes))
	require.Empty(t, changes.Changed, "without rendering, content does not show")
	require.Equal(t, "team-new", changes.Deleted[0].RenamedTo[len("argocd/"):])

	code, out, _ = run(t, "--repo", dir, "--base", "main", "--fail-on-deletion", "--output", "markdown")
	require.Equal(t, 0, code)
	require.Contains(t, out, "No Application changes")
}

func TestPreviewsWhatARepositoryDeclares(t *testing.T) {
	dir := repository(t,
		map[string]string{"apps/a.yaml": application, "a/a.yaml": configMap},
		map[string]string{"apps/a.yaml": strings.Replace(application, "namespace: a", "namespace: b", 1), "other/broken.yaml": "kind: [ # argoproj.io\n"},
	)
	code, out, notes := run(t, "--repo", dir, "--base", "HEAD~1", "--path", "apps", "--repo-url", "https://git.example.com/a")
	require.Equal(t, 0, code, notes)
	require.Contains(t, out, "spec.destination.namespace")

	git(t, dir, "rm", "--quiet", "-r", "a")
	git(t, dir, "commit", "--quiet", "--message=change")
	code, out, notes = run(t, "--repo", dir, "--base", "HEAD~1", "--path", "apps", "--fail-on-deletion")
	require.Equal(t, 1, code, "what could not be rendered may hide a deletion")
	require.Contains(t, out, "NOT RENDERED argocd/a")
	require.Contains(t, notes, "could be rendered")
}

func TestBadInputEndsWithOneMessage(t *testing.T) {
	dir := repository(t, map[string]string{"apps/a.yaml": application, "broken/a.yaml": "kind: Application\nspec: [\n", "away/a.yaml": "-> ../../../etc/passwd"})
	two := repository(t, map[string]string{"a.yaml": application, "b.yaml": strings.NewReplacer("name: a,", "name: b,", "a.git", "b.git").Replace(application)})
	empty := repository(t, map[string]string{"README": "-"})
	for name, input := range map[string]struct {
		arguments []string
		want      string
	}{
		"no such folder":           {[]string{"--repo", "/does/not/exist", "--base", "main"}, "/does/not/exist"},
		"a folder that is no git":  {[]string{"--repo", t.TempDir(), "--base", "main"}, "repository"},
		"no such base":             {[]string{"--repo", dir, "--base", "nothing"}, "nothing"},
		"no such head":             {[]string{"--repo", dir, "--base", "main", "--head", "nothing"}, "nothing"},
		"a repository but no base": {[]string{"--repo", dir}, "--base"},
		"a base but no repository": {[]string{"--base", "main"}, "--repo"},
		"an unknown output":        {[]string{"--output", "xml"}, `"xml"`},
		"an unexpected argument":   {[]string{"now"}, `"now"`},
		"a path that leaves":       {[]string{"--repo", dir, "--base", "main", "--path", "../etc"}, "../etc"},
		"a link that leaves":       {[]string{"--repo", dir, "--base", "main", "--path", "away"}, "away/a.yaml"},
		"a file that is no YAML":   {[]string{"--repo", dir, "--base", "main", "--path", "broken"}, "broken/a.yaml"},
		"nothing to preview":       {[]string{"--repo", empty, "--base", "main"}, "--path"},
		"two repositories":         {[]string{"--repo", two, "--base", "main"}, "--repo-url"},
		"a group that is no name":  {[]string{"--repo", dir, "--base", "main", "--folders", "A_b"}, "groups[0].name"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, notes := run(t, input.arguments...)
			require.Equal(t, 1, code)
			require.Empty(t, out)
			require.Equal(t, 1, strings.Count(notes, "preview: "), notes)
			require.Contains(t, notes, input.want)
		})
	}
}

func TestReportsWhatTheChangeMayNotDeploy(t *testing.T) {
	const role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\n"
	dir := repository(t,
		map[string]string{"K8s/team/web/a.yaml": configMap},
		map[string]string{"K8s/team/web/role.yaml": role},
	)
	code, _, notes := run(t, "--repo", dir, "--base", "HEAD~1")
	require.Equal(t, 0, code, notes)
	require.Contains(t, notes, "GITOPS044: ClusterRole all: kind")
	require.Equal(t, 1, strings.Count(notes, "GITOPS"), "findings that the base has too are not the change's: %s", notes)
}
