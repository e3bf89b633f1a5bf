package preview_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
)

func TestRenderGivesAChartItsValues(t *testing.T) {
	in := inputs(repo(map[string]string{
		"chart/Chart.yaml":  "apiVersion: v2\nname: chart\nversion: 0.1.0\ndependencies: [{name: lib, version: 0.1.0, repository: 'file://../lib'}]\n",
		"chart/values.yaml": "a: own\nb: own\nc: own\nd: own\nmap: {kept: own, lost: own}\n",
		"chart/templates/a.yaml": config("{{ .Release.Name }}", "data:", `{{- range $k, $v := pick .Values "a" "b" "c" "d" "e" "f" "map" }}`, "  {{ $k }}: {{ toJson $v | quote }}", "{{- end }}",
			`  namespace: {{ .Release.Namespace | quote }}`, `  kube: {{ .Capabilities.KubeVersion.Version }}`, `  api: {{ .Capabilities.APIVersions.Has "example.com/v1" | quote }}`),
		"chart/templates/test.yaml": config("test", `# {{ "" }}`) + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: try, annotations: {helm.sh/hook: test}}\n",
		"chart/crds/a.yaml":         "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: cats.example.com}\n",
		"chart/b.yaml":              "b: file\nc: file\n", "shared/c.yaml": "c: shared\n", "chart/file.txt": "text",
		"lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 0.1.0\n", "lib/templates/lib.yaml": config("lib"),
	}))
	own := map[string]any{"a": `"own"`, "b": `"own"`, "c": `"own"`, "d": `"own"`, "map": `{"kept":"own","lost":"own"}`,
		"namespace": "team", "kube": "v1.33.0", "api": "false"}
	but := func(changes map[string]any) map[string]any {
		out := map[string]any{}
		for name, value := range own {
			out[name] = value
		}
		for name, value := range changes {
			out[name] = value
		}
		return out
	}
	parameter := func(name, value string, text bool) any {
		return map[string]any{"name": name, "value": value, "forceString": text}
	}
	all := []string{"ConfigMap team/lib", "ConfigMap team/test", "ConfigMap team/web", "CustomResourceDefinition /cats.example.com", "Pod team/try"}
	for name, test := range map[string]struct {
		settings map[string]any
		data     map[string]any
		want     []string
	}{
		"its own":                           {data: own, want: all},
		"files, the later over the earlier": {settings: map[string]any{"valueFiles": []any{"b.yaml", "../shared/c.yaml"}}, data: but(map[string]any{"b": `"file"`, "c": `"shared"`})},
		"a file from the root":              {settings: map[string]any{"valueFiles": []any{"/shared/c.yaml"}}, data: but(map[string]any{"c": `"shared"`})},
		"missing ones left out":             {settings: map[string]any{"valueFiles": []any{"no.yaml"}, "ignoreMissingValueFiles": true}, data: own},
		"values over files":                 {settings: map[string]any{"valueFiles": []any{"b.yaml"}, "values": "b: values\n"}, data: but(map[string]any{"b": `"values"`, "c": `"file"`})},
		"an object over values":             {settings: map[string]any{"values": "b: values\n", "valuesObject": map[string]any{"b": "object"}}, data: but(map[string]any{"b": `"object"`})},
		"maps merged":                       {settings: map[string]any{"valuesObject": map[string]any{"map": map[string]any{"lost": nil, "new": "n"}}}, data: but(map[string]any{"map": `{"kept":"own","new":"n"}`})},
		"parameters over values": {settings: map[string]any{"values": "b: values\n", "parameters": []any{parameter("b", "1", false), parameter("c", "1", true), parameter("d", "a,b", false), parameter("e", "{a,b}", false)}},
			data: but(map[string]any{"b": "1", "c": `"1"`, "d": `"a,b"`, "e": `["a","b"]`})},
		"parameters with the Application's name": {settings: map[string]any{"parameters": []any{parameter("a", "x-$ARGOCD_APP_NAME", false)}}, data: but(map[string]any{"a": `"x-web"`})},
		"the text of a file":                     {settings: map[string]any{"fileParameters": []any{map[string]any{"name": "f", "path": "file.txt"}}}, data: but(map[string]any{"f": `"text"`})},
		"a namespace and a cluster": {settings: map[string]any{"namespace": "other", "kubeVersion": "1.30", "apiVersions": []any{"example.com/v1"}},
			data: but(map[string]any{"namespace": "other", "kube": "v1.30.0", "api": "true"})},
		"no definitions": {settings: map[string]any{"skipCrds": true}, data: own, want: []string{all[0], all[1], all[2], all[4]}},
		"no tests":       {settings: map[string]any{"skipTests": true}, data: own, want: all[:4]},
	} {
		t.Run(name, func(t *testing.T) {
			resources, err := render(t, fromSources(t, "web", map[string]any{"path": "chart", "helm": test.settings}), in)
			require.NoError(t, err)
			if test.want != nil {
				require.Equal(t, test.want, keys(resources))
			}
			if diff := cmp.Diff(test.data, resources[2].Object["data"]); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderTakesAPackagedChart(t *testing.T) {
	charts := fstest.MapFS{}
	for _, version := range []string{"1.0.0", "2.9.0", "2.10.0"} {
		charts["web-"+version+".tgz"] = &fstest.MapFile{Mode: 0o644, Data: packaged(t, map[string]string{
			"web/Chart.yaml": "apiVersion: v2\nname: web\nversion: " + version + "\n", "web/templates/a.yaml": config("v{{ .Chart.Version }}"),
		})}
	}
	charts["web-extra-3.0.0.tgz"] = charts["web-1.0.0.tgz"]
	for version, want := range map[string]string{"1.0.0": "v1.0.0", "2.x": "v2.10.0", ">=2.0.0": "v2.10.0", "2.9.0": "v2.9.0", "": "v2.10.0"} {
		in := preview.Inputs{Repositories: []preview.Repository{{URL: "registry.example.com/charts", Content: charts}}}
		resources, err := render(t, fromSources(t, "a", map[string]any{"repoURL": "registry.example.com/charts", "chart": "web", "targetRevision": version}), in)
		require.NoError(t, err)
		require.Equal(t, []string{"ConfigMap team/" + want}, keys(resources))
	}
	in := preview.Inputs{Repositories: []preview.Repository{{URL: "registry.example.com/charts", Content: charts}}}
	_, err := render(t, fromSources(t, "a", map[string]any{"repoURL": "registry.example.com/charts", "chart": "web", "targetRevision": "3.x"}), in)
	require.ErrorAs(t, err, new(*preview.MissingContentError))
}

// packaged is a chart as `helm package` makes it.
func packaged(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	compressed := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(compressed)
	for name, content := range files {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := archive.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, compressed.Close())
	return buffer.Bytes()
}
