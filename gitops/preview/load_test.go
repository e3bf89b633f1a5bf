package preview_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// declared is a manifest of the kind.
func declared(kind, name string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: " + kind + "\nmetadata:\n  name: " + name + "\n"
}

func repositoryOf(contents map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, content := range contents {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestLoadFindsDeclarations(t *testing.T) {
	for name, test := range map[string]struct {
		contents map[string]string
		patterns []string
		want     []string
	}{
		"of the three kinds, by path": {
			map[string]string{"b/a.yaml": declared("Application", "a"), "a/b.yml": declared("AppProject", "p"), "c.yaml": declared("ApplicationSet", "s")},
			nil, []string{"AppProject/p", "Application/a", "ApplicationSet/s"},
		},
		"as a file of several documents orders them": {
			map[string]string{"all.yaml": "# a comment\n---\n" + declared("Application", "z") + "---\n\n--- # next\n" + declared("Application", "a") + "...\n---\n"},
			nil, []string{"Application/z", "Application/a"},
		},
		"in lists": {
			map[string]string{"list.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: a}}\n" +
				"- {apiVersion: v1, kind: List, items: [{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: p}}]}\n- 3\n"},
			nil, []string{"Application/a", "AppProject/p"},
		},
		"in JSON, one after another": {
			map[string]string{"a.json": `{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}} ` +
				`{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSetList", "items": [` +
				`{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "s"}}]}`},
			nil, []string{"Application/a", "ApplicationSet/s"},
		},
		"with a byte order mark and line ends of Windows": {
			map[string]string{"a.yaml": "\xef\xbb\xbf" + strings.ReplaceAll("---\n"+declared("Application", "a")+"---\n"+declared("Application", "b"), "\n", "\r\n")},
			nil, []string{"Application/a", "Application/b"},
		},
		"beside much else": {
			map[string]string{
				"values.yaml": "a: b", "package.json": "{", "broken.yaml": "a: [", "kustomization.yaml": "resources: [argoproj.io.yaml]",
				"workflow.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}", "README.md": declared("Application", "x"),
				"deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, annotations: {argoproj.io/x: y}}",
				"mixed.yaml":      "a: [\n---\n" + declared("Application", "a"), "binary.yaml": "\x00\xff",
			},
			nil, []string{"Application/a"},
		},
		"but not in the templates of charts": {
			map[string]string{"charts/apps/Chart.yaml": "name: apps", "charts/apps/templates/sub/app.yaml": declared("Application", "{{ .Values.x }}"),
				"templates/app.yaml": declared("Application", "a")},
			nil, []string{"Application/a"},
		},
		"where patterns say, once": {
			map[string]string{"K8s/a.yaml": declared("Application", "a"), "K8s/b/c.yaml": declared("Application", "c"), "other/d.yaml": declared("Application", "d"),
				"K8s/b/README.md": "", "K8s/values.yaml": "a: b"},
			[]string{"K8s/b", "K8s/*.yaml", "missing"}, []string{"Application/a", "Application/c"},
		},
		"in a chart, if patterns say so": {
			map[string]string{"Chart.yaml": "name: x", "templates/app.yaml": declared("Application", "a")},
			[]string{"templates"}, []string{"Application/a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := preview.Load(repositoryOf(test.contents), test.patterns...)
			require.NoError(t, err)
			var found []string
			for _, object := range objects {
				found = append(found, object.GetKind()+"/"+object.GetName())
			}
			require.Equal(t, test.want, found)
		})
	}
}

func TestLoadKeepsWholeNumbersWhole(t *testing.T) {
	for name, content := range map[string]string{
		"a.yaml": declared("Application", "a") + "spec: {revisionHistoryLimit: 3}",
		"a.json": `{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "spec": {"revisionHistoryLimit": 3}}`,
	} {
		objects, err := preview.Load(repositoryOf(map[string]string{name: content}))
		require.NoError(t, err)
		require.Equal(t, map[string]any{"revisionHistoryLimit": int64(3)}, objects[0].Object["spec"])
	}
}

func TestLoadFollowsLinksThatAPatternNames(t *testing.T) {
	dir := t.TempDir()
	preview.WriteFiles(t, dir, map[string]string{"shared/app.yaml": declared("Application", "a")})
	linked(t, dir, map[string]string{"K8s/app.yaml": "../shared/app.yaml", "K8s/folder.yaml": "../shared", "K8s/out.txt": "/etc/passwd"})
	fsys, err := preview.Checkout(dir)
	require.NoError(t, err)
	objects, err := preview.Load(fsys)
	require.NoError(t, err)
	require.Len(t, objects, 1, "the link declares nothing of its own")
	objects, err = preview.Load(fsys, "K8s")
	require.NoError(t, err)
	require.Len(t, objects, 1)

	linked(t, dir, map[string]string{"K8s/out.yaml": "/etc/passwd"})
	_, err = preview.Load(fsys, "K8s")
	require.ErrorIs(t, err, preview.ErrOutside)
	requireContentError(t, err, "K8s/out.yaml", 0)
}

func requireContentError(t *testing.T, err error, path string, line int) {
	t.Helper()
	var at *preview.ContentError
	require.ErrorAs(t, err, &at)
	require.Equal(t, path, at.Path)
	require.Equal(t, line, at.Line, "%v", err)
}

func TestLoadSaysWhichLineIsAtFault(t *testing.T) {
	application := declared("Application", "a")
	for name, test := range map[string]struct {
		file, content string
		patterns      []string
		line          int
	}{
		"a bracket that is not closed":           {"a.yaml", application + "spec: [\n", nil, 5},
		"a tab":                                  {"a.yaml", application + "spec:\n\tx: y\n", nil, 6},
		"a template":                             {"a.yaml", application + "spec: {{ x }}: y\n", nil, 5},
		"a fault in the second document":         {"a.yaml", application + "---\n" + application + "spec: [\n", nil, 10},
		"an unknown alias":                       {"a.yaml", application + "spec: *x # & \n", nil, 1},
		"a fault in what a pattern matches":      {"values.yaml", "a: b\nc: [\n", []string{"values.yaml"}, 2},
		"JSON that ends too early":               {"a.json", "{\n\"apiVersion\": \"argoproj.io/v1alpha1\",\n", nil, 3},
		"JSON with a fault in the second object": {"a.json", "{\"apiVersion\": \"argoproj.io/v1alpha1\"}\n\n{\"a\":\n}\n", nil, 4},
		"bytes that are not UTF-8":               {"a.yaml", application + "spec: \xff\n", nil, 5},
		"UTF-16":                                 {"a.yaml", "\xff\xfea\x00:\x00", []string{"*"}, 1},
		"a NUL character":                        {"a.yaml", application + "spec: \x00\n", nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := preview.Load(repositoryOf(map[string]string{test.file: test.content}), test.patterns...)
			requireContentError(t, err, test.file, test.line)
		})
	}
}

func TestLoadRefusesPatternsThatGitRefuses(t *testing.T) {
	for _, pattern := range []string{"../x", "/x", ":(glob)x"} {
		_, err := preview.Load(fstest.MapFS{}, pattern)
		require.ErrorContains(t, err, pattern)
	}
}

func TestLoadPassesOnWhatTheFileSystemSays(t *testing.T) {
	broken := errors.New("broken")
	_, err := preview.Load(brokenFS{err: broken})
	require.ErrorIs(t, err, broken)
}

type brokenFS struct{ err error }

func (b brokenFS) Open(string) (fs.File, error) { return nil, b.err }
