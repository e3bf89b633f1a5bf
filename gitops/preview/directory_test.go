package preview_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	"github.com/argoproj/argo-cd/v2/reposerver/repository"
	"github.com/argoproj/argo-cd/v2/util/git"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestRenderReadsAFolderAsArgoCDDoes renders folders with Argo CD's own code, from a disk, and compares.
func TestRenderReadsAFolderAsArgoCDDoes(t *testing.T) {
	files := repo(map[string]string{
		"app/a.yaml":            config("a") + "---\n" + config("b", "data: {number: \"1\", list: \"[]\"}") + "--- # nothing\n---\n",
		"app/b.yml":             config("c"),
		"app/c.json":            `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"n":1,"f":1.5,"l":[1,null,true]}`,
		"app/numbers.yaml":      "apiVersion: v1\nkind: Cat\nmetadata: {name: n}\nspec: {a: 1, b: 1.0, c: 0x10, d: 12345678901, e: ~, f: yes, g: 2001-01-01}\n",
		"app/values.yaml":       "key: value\n",
		"app/broken-notes.yaml": "key: [\n",
		"app/list.yaml":         "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: e}}\n",
		"app/null.yaml":         "apiVersion: v1\nkind: ConfigMapList\nitems: null\n",
		"app/README.md":         "apiVersion: v1",
		"app/UPPER.YAML":        config("upper"),
		"app/bom.yaml":          "\xef\xbb\xbf" + config("bom"),
		"app/sub/f.yaml":        config("f"),
		"app/sub/deep/g.yaml":   config("g"),
		"app/x.jsonnet": "local lib = import 'lib.libsonnet'; local shared = import 'shared.libsonnet';\n" +
			"function(name='x') [lib.config(name), shared.config(std.extVar('env'))]\n",
		"app/y.jsonnet":        "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'y'}}",
		"app/lib.libsonnet":    "{config(name):: {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}}}",
		"lib/shared.libsonnet": "{config(name):: {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'shared-' + name}}}",
	})
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, files))
	variables := map[string]any{
		"tlas": []any{map[string]any{"name": "name", "value": "${ARGOCD_APP_NAME}"}}, "libs": []any{"lib"},
		"extVars": []any{map[string]any{"name": "env", "value": "'pro' + 'd'", "code": true}},
	}
	for name, settings := range map[string]map[string]any{
		"as it is":                     {"exclude": "x.jsonnet"},
		"with the folders below":       {"recurse": true, "exclude": "x.jsonnet"},
		"only some":                    {"include": "{a.yaml,sub/*}", "recurse": true},
		"all but some, in any depth":   {"exclude": "{**/g.yaml,x.jsonnet}", "recurse": true},
		"with one star over slashes":   {"include": "*.yaml", "recurse": true},
		"with variables and libraries": {"jsonnet": variables, "include": "*.jsonnet"},
	} {
		t.Run(name, func(t *testing.T) {
			app := fromSources(t, "web", map[string]any{"path": "app", "directory": settings})
			unstructured.RemoveNestedField(app.Object.Object, "spec", "destination", "namespace")
			resources, err := render(t, app, inputs(files))
			require.NoError(t, err)

			var typed v1alpha1.Application
			data, err := json.Marshal(app.Object)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &typed))
			request := &apiclient.ManifestRequest{Repo: &v1alpha1.Repository{Repo: repoURL}, AppName: "web", ApplicationSource: typed.Spec.Source}
			upstream, err := repository.GenerateManifests(t.Context(), filepath.Join(dir, "app"), dir, "", request, true,
				git.NoopCredsStore{}, resource.MustParse("10M"), nil)
			require.NoError(t, err)
			if diff := cmp.Diff(upstream.Manifests, encoded(t, resources), cmp.Transformer("sorted", sorted)); diff != "" {
				t.Errorf("manifests (-Argo CD +preview):\n%s", diff)
			}
			require.NotEmpty(t, resources)
		})
	}
}

func encoded(t testing.TB, resources []*unstructured.Unstructured) []string {
	t.Helper()
	out := []string{}
	for _, resource := range resources {
		data, err := json.Marshal(resource.Object)
		require.NoError(t, err)
		out = append(out, string(data))
	}
	return out
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}

func TestRenderKeepsManifestsOutOfErrors(t *testing.T) {
	const secret = "apiVersion: v1\nmetadata: {name: a}\nstringData: {password: hunter2}\n"
	in := inputs(repo(map[string]string{
		"plain/a.yaml": secret + "kind: ''\n", "json/a.json": `{"apiVersion":"v1","metadata":{"name":"a"},"data":"hunter2"}`,
		"kustomize/kustomization.yaml": "resources: [a.yaml]\nreplacements: [{source: {kind: Secret, fieldPath: data.x}, targets: [{select: {kind: Secret}, fieldPaths: [data.y]}]}]\n",
		"kustomize/a.yaml":             secret + "kind: Secret\ndata: hunter2\n",
		"kindless/kustomization.yaml":  "resources: [a.yaml]\n", "kindless/a.yaml": secret,
		"chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "chart/templates/a.yaml": secret,
		"set/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
	}))
	for name, source := range map[string]map[string]any{
		"plain": {}, "json": {}, "kustomize": {}, "kindless": {}, "chart": {},
		"set": {"helm": map[string]any{"parameters": []any{map[string]any{"name": "a[", "value": "hunter2"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			source["path"] = name
			_, err := render(t, fromSources(t, "web", source), in)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
