package helm_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/bootstrap"
	"github.com/controlbackbone/backbone/bootstrap/helm"
)

// widget is a chart with a template, a definition, a subchart, a test, an
// ignored file and, with values, hooks.
var widget = fstest.MapFS{
	"Chart.yaml": text(`
apiVersion: v2
name: widget
version: 1.2.3
kubeVersion: ">=1.30.0-0"
dependencies: [{name: gadget, version: 0.1.0, condition: gadget.enabled}]
`),
	".helmignore":        text("templates/ignored.yaml\n*.bak\n"),
	"values.yaml":        text("replicas: 1\ngadget: {enabled: false}\nhooks: false\n"),
	"values.schema.json": text(`{"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 1}}}`),
	"crds/widget.yaml": text(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
`),
	"templates/_names.tpl": text(`{{ define "name" }}{{ .Release.Name }}-widget{{ end }}`),
	"templates/NOTES.txt":  text("not: a manifest\n"),
	"templates/widget.yaml": text(`
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "name" . }}, namespace: {{ .Release.Namespace }}}
data:
  replicas: {{ .Values.replicas | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
  monitored: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
  found: {{ len (lookup "v1" "Node" "" "") | quote }}
---
{{- if .Values.broken }}
kind: [
{{- end }}
`),
	"templates/tests/test.yaml": text(`
apiVersion: v1
kind: Pod
metadata: {name: try, annotations: {helm.sh/hook: test}}
`),
	"templates/hooks.yaml": text(`
{{- if .Values.hooks }}
apiVersion: batch/v1
kind: Job
metadata: {name: prepare, annotations: {helm.sh/hook: "pre-install, pre-upgrade"}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: post-upgrade}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: clean, annotations: {helm.sh/hook: pre-delete}}
{{- end }}
`),
	"templates/ignored.yaml":               text("kind: ["),
	"charts/gadget/Chart.yaml":             text("apiVersion: v2\nname: gadget\nversion: 0.1.0\n"),
	"charts/gadget/templates/service.yaml": text("apiVersion: v1\nkind: Service\nmetadata: {name: gadget}\n"),
}

func text(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content), Mode: 0o644} }

// under moves a file system into a directory of another.
func under(dir string, fsys fstest.MapFS) fstest.MapFS {
	moved := fstest.MapFS{}
	for name, file := range fsys {
		moved[path.Join(dir, name)] = file
	}
	return moved
}

// without leaves a file out.
func without(name string, fsys fstest.MapFS) fstest.MapFS {
	rest := under("", fsys)
	delete(rest, name)
	return rest
}

func names(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, object := range objects {
		all = append(all, object.GetKind()+" "+object.GetName())
	}
	return all
}

func TestChartObjects(t *testing.T) {
	tests := map[string]struct {
		chart helm.Chart
		want  []string
	}{
		"definitions and templates, but no tests, notes or ignored files": {
			chart: helm.Chart{FS: widget},
			want:  []string{"CustomResourceDefinition widgets.example.com", "ConfigMap widget-widget"},
		},
		"a directory of the file system": {
			chart: helm.Chart{FS: under("charts/widget", widget), Path: "charts/widget"},
			want:  []string{"CustomResourceDefinition widgets.example.com", "ConfigMap widget-widget"},
		},
		"a release name of the caller's": {
			chart: helm.Chart{FS: widget, ReleaseName: "blue"},
			want:  []string{"CustomResourceDefinition widgets.example.com", "ConfigMap blue-widget"},
		},
		"without definitions": {
			chart: helm.Chart{FS: widget, SkipCRDs: true},
			want:  []string{"ConfigMap widget-widget"},
		},
		"a subchart that the values switch on": {
			chart: helm.Chart{FS: widget, SkipCRDs: true, Values: map[string]any{"gadget": map[string]any{"enabled": true}}},
			want:  []string{"Service gadget", "ConfigMap widget-widget"},
		},
		"hooks that are dropped": {
			chart: helm.Chart{FS: widget, SkipCRDs: true, Values: map[string]any{"hooks": true}, Hooks: helm.DropHooks},
			want:  []string{"ConfigMap widget-widget"},
		},
		"install hooks that are applied": {
			chart: helm.Chart{FS: widget, SkipCRDs: true, Values: map[string]any{"hooks": true}, Hooks: helm.ApplyHooks},
			want:  []string{"Job prepare", "ConfigMap widget-widget"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.chart.Namespace = "ns"
			objects, err := test.chart.Objects(t.Context())
			require.NoError(t, err)
			if diff := cmp.Diff(test.want, names(objects)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChartGivesTemplatesWhatHelmGives(t *testing.T) {
	values := map[string]any{"replicas": 3}
	objects, err := helm.Chart{FS: widget, Namespace: "ns", SkipCRDs: true, Values: values, KubeVersion: "1.35.1",
		APIVersions: []string{"monitoring.coreos.com/v1"}}.Objects(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ns", objects[0].GetNamespace())
	want := map[string]any{"replicas": "3", "kubernetes": "v1.35.1", "monitored": "true", "found": "0"}
	if diff := cmp.Diff(want, objects[0].Object["data"]); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	require.Equal(t, map[string]any{"replicas": 3}, values, "the caller's values are left as they are")

	objects, err = helm.Chart{FS: widget, Namespace: "ns", SkipCRDs: true}.Objects(t.Context())
	require.NoError(t, err)
	want = map[string]any{"replicas": "1", "kubernetes": "v1.33.0", "monitored": "false", "found": "0"}
	if diff := cmp.Diff(want, objects[0].Object["data"]); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestChartFromTheMachine(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "widget"), widget))
	archive := filepath.Join(dir, "widget-1.2.3.tgz")
	require.NoError(t, os.WriteFile(archive, packaged(t, "widget", widget), 0o600))
	for name, chart := range map[string]helm.Chart{
		"directory":                    {Path: filepath.Join(dir, "widget")},
		"packaged":                     {Path: archive},
		"packaged, in a file system":   {FS: os.DirFS(dir), Path: "widget-1.2.3.tgz"},
		"directory, in a file system":  {FS: os.DirFS(dir), Path: "widget"},
		"directory as the file system": {FS: os.DirFS(filepath.Join(dir, "widget"))},
	} {
		t.Run(name, func(t *testing.T) {
			chart.Namespace = "ns"
			objects, err := chart.Objects(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"CustomResourceDefinition widgets.example.com", "ConfigMap widget-widget"}, names(objects))
		})
	}
}

// packaged gives the chart as `helm package` would; Helm expects .helmignore to
// have been applied by then.
func packaged(t *testing.T, name string, fsys fstest.MapFS) []byte {
	t.Helper()
	var buffer bytes.Buffer
	compressed := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(compressed)
	for file, content := range fsys {
		if file == "templates/ignored.yaml" {
			continue
		}
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: path.Join(name, file), Mode: 0o644, Size: int64(len(content.Data))}))
		_, err := archive.Write(content.Data)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, compressed.Close())
	return buffer.Bytes()
}

func TestChartFaults(t *testing.T) {
	tests := map[string]struct {
		chart helm.Chart
		want  string
	}{
		"no namespace":                    {chart: helm.Chart{FS: widget}, want: "chart .: namespace is required"},
		"no chart":                        {chart: helm.Chart{FS: fstest.MapFS{}, Namespace: "ns"}, want: "chart .: Chart.yaml file is missing"},
		"no directory":                    {chart: helm.Chart{FS: widget, Path: "nothing", Namespace: "ns"}, want: "chart nothing: "},
		"no archive":                      {chart: helm.Chart{FS: widget, Path: "a.tgz", Namespace: "ns"}, want: "chart a.tgz: open a.tgz: file does not exist"},
		"a Kubernetes that is no version": {chart: helm.Chart{FS: widget, Namespace: "ns", KubeVersion: "new"}, want: `chart .: kubeVersion "new": `},
		"a Kubernetes that is too old": {
			chart: helm.Chart{FS: widget, Namespace: "ns", KubeVersion: "1.29.0"},
			want:  "chart .: needs Kubernetes >=1.30.0-0, not v1.29.0: set KubeVersion to the cluster's",
		},
		"a subchart that was not fetched": {
			chart: helm.Chart{FS: without("charts/gadget/Chart.yaml", without("charts/gadget/templates/service.yaml", widget)), Namespace: "ns", Values: map[string]any{"gadget": map[string]any{"enabled": true}}},
			want:  "chart .: subcharts gadget are not in charts/: run `helm dependency build`",
		},
		"values that the schema refuses": {
			chart: helm.Chart{FS: widget, Namespace: "ns", Values: map[string]any{"replicas": 0}},
			want:  "replicas",
		},
		"an unknown treatment of hooks": {
			chart: helm.Chart{FS: widget, Namespace: "ns", Hooks: "Keep"},
			want:  `chart .: hooks "Keep": must be "Drop", "Apply" or empty`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.chart.Objects(t.Context())
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestChartReportsABrokenTemplateWithItsPlace(t *testing.T) {
	_, err := helm.Chart{FS: widget, Namespace: "ns", Values: map[string]any{"broken": true}}.Objects(t.Context())
	located := &bootstrap.ManifestError{}
	require.True(t, errors.As(err, &located), "%v", err)
	require.Equal(t, "widget/templates/widget.yaml", located.File)
	require.Equal(t, 2, located.Document)
}

func TestChartRefusesHooksThatNobodyDecidedOn(t *testing.T) {
	_, err := helm.Chart{FS: widget, Namespace: "ns", Values: map[string]any{"hooks": true}}.Objects(t.Context())
	refused := &helm.HookError{}
	require.True(t, errors.As(err, &refused), "%v", err)
	want := []helm.Hook{
		{Kind: "Job", Name: "prepare", Events: []string{"pre-install", "pre-upgrade"}},
		{Kind: "Job", Name: "migrate", Events: []string{"post-upgrade"}},
	}
	if diff := cmp.Diff(want, refused.Hooks); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	require.EqualError(t, err, "chart .: has hooks, which Chart.Hooks must decide on: Job prepare (pre-install, pre-upgrade); Job migrate (post-upgrade)")
}

func TestChartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := helm.Chart{FS: widget, Namespace: "ns"}.Objects(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// A chart is the Source of a component.
func Example() {
	var charts fs.FS = widget // usually an embed.FS or os.DirFS
	plan := bootstrap.Plan{Name: "platform", Components: []bootstrap.Component{{
		Name: "widget", Version: "1.2.3", Namespace: "widgets",
		Source: helm.Chart{FS: charts, Namespace: "widgets", Values: map[string]any{"replicas": 2}},
	}}}
	components, err := plan.Render(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, object := range components[0].Objects {
		fmt.Println(object.GetKind(), object.GetName())
	}
	// Output:
	// CustomResourceDefinition widgets.example.com
	// ConfigMap widget-widget
}
