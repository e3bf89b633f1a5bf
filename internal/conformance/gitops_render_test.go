package conformance_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/gitops/preview"
	"github.com/controlbackbone/backbone/internal/conformance"
)

const renderedDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{containerPort: 80}]}]}
`

// renderedFiles are folders for each of Argo CD's tools.
var renderedFiles = map[string]string{
	"render/plain/all.yaml": `apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed}, data: {a: "1"}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: render-plain, namespace: ignored}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: twice}, data: {which: first}}
`,
	"render/plain/deep/b.json":       `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"which":"last"}}`,
	"render/plain/deep/c.yaml":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: excluded}\n",
	"render/plain/d.jsonnet":         "function(name) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}, data: {by: 'jsonnet'}}",
	"render/plain/notes.yaml":        "just: notes\n",
	"render/plain/hook.yaml":         "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {argocd.argoproj.io/hook: PreSync}}\n",
	"render/base/web.yaml":           renderedDeployment,
	"render/base/settings.env":       "A=b\nC=d\n",
	"render/base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: settings, envs: [settings.env]}]\n",
	"render/part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n" +
		"- {target: {kind: ConfigMap}, patch: '[{\"op\": \"add\", \"path\": \"/data/component\", \"value\": \"added\"}]'}\n",
	"render/overlay/kustomization.yaml": "bases: [../base]\nnameSuffix: -own\ncommonLabels: {team: own}\nimages: [{name: other, newTag: x}]\n",
	"render/chart/Chart.yaml":           "apiVersion: v2\nname: chart\nversion: 0.1.0\ndependencies: [{name: sub, version: 0.1.0, alias: alias}, {name: other, version: 0.1.0, condition: other.enabled}]\n",
	"render/chart/values.yaml":          "other: {enabled: false}\nkey: own\nlist: [a]\nalias: {value: parent}\n",
	"render/chart/crds/cat.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rendercats.render.example.com}
spec:
  group: render.example.com
  scope: Cluster
  names: {kind: RenderCat, plural: rendercats}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`,
	"render/chart/templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  key: {{ .Values.key | quote }}
  list: {{ .Values.list | toJson | quote }}
  text: {{ .Values.text | quote }}
  number: {{ .Values.number | toJson | quote }}
  file: {{ .Values.file | quote }}
  inline: {{ .Values.inline | quote }}
  namespace: {{ .Release.Namespace }}
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
  found: {{ len (lookup "v1" "Namespace" "" "") | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
---
apiVersion: render.example.com/v1
kind: RenderCat
metadata: {name: tom}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: before, annotations: {helm.sh/hook: pre-install}}
`,
	"render/chart/charts/sub/Chart.yaml":           "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
	"render/chart/charts/sub/values.yaml":          "value: sub\n",
	"render/chart/charts/sub/templates/sub.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {value: {{ .Values.value }}}\n",
	"render/chart/charts/other/Chart.yaml":         "apiVersion: v2\nname: other\nversion: 0.1.0\n",
	"render/chart/charts/other/templates/sub.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n",
	"render/chart/own.yaml":                        "key: file\n",
	"render/chart/text.txt":                        "a, text\n",
	"render/values/more.yaml":                      "list: [b, c]\n",
	"render/chart/.argocd-source-render-helm.yaml": "helm: {releaseName: renamed}\n",
}

var renderedSources = map[string]string{
	"render-plain": `- {path: render/plain, directory: {recurse: true, exclude: deep/c.yaml, jsonnet: {tlas: [{name: name, value: "$ARGOCD_APP_NAME"}]}}}`,
	"render-kustomize": `- path: render/overlay
  kustomize:
    namePrefix: my-
    images: [web=registry.example.com/web:v2]
    replicas: [{name: web, count: 0}]
    commonLabels: {app.kubernetes.io/part-of: "${ARGOCD_APP_NAME}"}
    labelWithoutSelector: true
    commonAnnotations: {from: "${ARGOCD_APP_NAME}"}
    commonAnnotationsEnvsubst: true
    patches: [{target: {kind: Deployment}, patch: '[{"op": "add", "path": "/spec/minReadySeconds", "value": 3}]'}]
    components: [../part]`,
	"render-helm": `- path: render/chart
  helm:
    kubeVersion: v1.33.0
    valueFiles: [own.yaml, $values/render/values/more.yaml, missing.yaml]
    ignoreMissingValueFiles: true
    valuesObject: {inline: values}
    parameters: [{name: text, value: "007", forceString: true}, {name: number, value: "7"}]
    fileParameters: [{name: file, path: text.txt}]
- {ref: values}`,
}

// TestRenderIsWhatArgoCDDeploys syncs an Application for each of Argo CD's tools and compares what is deployed.
func TestRenderIsWhatArgoCDDeploys(t *testing.T) {
	c := liveKube(t)
	waitForDefaultProject(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	repo := newRepository(t)
	for name, content := range renderedFiles {
		file := filepath.Join(repo.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
	repo.commit(t, "rendered")
	url := "file://" + repo.dir
	var apps []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(renderedSources)) {
		apps = append(apps, renderedApplication(t, name, url))
	}

	content, err := preview.Revision(ctx, repo.dir, "main")
	require.NoError(t, err)
	inputs := preview.Inputs{Repositories: []preview.Repository{{URL: url, Content: content}}}
	state, err := preview.Expand(ctx, apps, inputs)
	require.NoError(t, err)
	state, err = preview.Render(ctx, state, inputs, preview.RenderOptions{})
	require.NoError(t, err)
	for _, app := range state.Applications {
		require.NoError(t, app.RenderError)
	}

	for _, app := range apps {
		create(t, c, app)
	}
	argocd := gitops.NewClient(c, gitops.ClientOptions{})
	_, err = argocd.Wait(ctx, slices.Sorted(maps.Keys(renderedSources)), gitops.OperationDone(), gitops.Synced())
	require.NoError(t, err)
	for _, app := range state.Applications {
		t.Run(app.Object.GetName(), func(t *testing.T) {
			want := map[string]bool{}
			for _, resource := range app.Resources {
				if isRenderedHook(resource) {
					continue
				}
				want[renderedKey(resource.GroupVersionKind().GroupKind(), resource.GetNamespace(), resource.GetName())] = true
				live := &unstructured.Unstructured{}
				live.SetGroupVersionKind(resource.GroupVersionKind())
				require.NoError(t, c.Get(ctx, client.ObjectKeyFromObject(resource), live))
				require.NoError(t, conformance.Held(resource, live), "%s %s", resource.GetKind(), resource.GetName())
			}
			if diff := cmp.Diff(managedResources(t, c, app.Object), want); diff != "" {
				t.Errorf("resources (-Argo CD +preview):\n%s", diff)
			}
			require.Greater(t, len(want), 1)
		})
	}
}

func renderedApplication(t *testing.T, name, url string) *unstructured.Unstructured {
	t.Helper()
	var sources []any
	require.NoError(t, yaml.Unmarshal([]byte(renderedSources[name]), &sources))
	for _, source := range sources {
		fields := source.(map[string]any)
		fields["repoURL"], fields["targetRevision"] = url, "main"
	}
	spec := map[string]any{
		"project":     "default",
		"destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": name},
		"syncPolicy":  map[string]any{"automated": map[string]any{}, "syncOptions": []any{"CreateNamespace=true"}},
	}
	if len(sources) == 1 {
		spec["source"] = sources[0]
	} else {
		spec["sources"] = sources
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
		"metadata": map[string]any{"name": name, "namespace": "argocd"}, "spec": spec,
	}}
}

// managedResources are those that Argo CD itself says it manages, without hooks.
func managedResources(t *testing.T, c client.Client, app *unstructured.Unstructured) map[string]bool {
	t.Helper()
	live := app.DeepCopy()
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(app), live))
	resources, _, err := unstructured.NestedSlice(live.Object, "status", "resources")
	require.NoError(t, err)
	out := map[string]bool{}
	for _, resource := range resources {
		fields := resource.(map[string]any)
		if fields["hook"] == true {
			continue
		}
		text := func(name string) string { value, _ := fields[name].(string); return value }
		out[renderedKey(schema.GroupKind{Group: text("group"), Kind: text("kind")}, text("namespace"), text("name"))] = true
	}
	return out
}

func renderedKey(kind schema.GroupKind, namespace, name string) string {
	return fmt.Sprintf("%s %s/%s", kind, namespace, name)
}

func isRenderedHook(obj *unstructured.Unstructured) bool {
	return strings.Contains(fmt.Sprint(obj.GetAnnotations()), "/hook:")
}

// TestRenderKnowsTheKindsWithoutNamespace compares with what the API server serves.
func TestRenderKnowsTheKindsWithoutNamespace(t *testing.T) {
	resources := serverResources(t)
	var manifests strings.Builder
	want := map[string]bool{}
	for kind, namespaced := range resources {
		fmt.Fprintf(&manifests, "---\napiVersion: %s\nkind: %s\nmetadata: {name: a}\n", kind.GroupVersion(), kind.Kind)
		want[kind.GroupKind().String()] = namespaced
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(manifests.String()), 0o644))
	content, err := preview.Checkout(dir)
	require.NoError(t, err)
	app := renderedApplication(t, "render-plain", "https://git.example.com/a.git")
	require.NoError(t, unstructured.SetNestedField(app.Object, ".", "spec", "source", "path"))
	inputs := preview.Inputs{Repositories: []preview.Repository{{URL: "https://git.example.com/a.git", Content: content}}}
	state, err := preview.Render(t.Context(), &preview.State{Applications: []preview.Application{{Object: app}}}, inputs, preview.RenderOptions{})
	require.NoError(t, err)
	require.NoError(t, state.Applications[0].RenderError)
	got := map[string]bool{}
	for _, resource := range state.Applications[0].Resources {
		got[resource.GroupVersionKind().GroupKind().String()] = resource.GetNamespace() != ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaced kinds (-API server +preview):\n%s", diff)
	}
	require.Greater(t, len(want), 50)
}

// serverResources are the kinds of Kubernetes itself, and whether they have a namespace.
func serverResources(t *testing.T) map[schema.GroupVersionKind]bool {
	t.Helper()
	kube(t)
	discover, err := discovery.NewDiscoveryClientForConfig(shared.cluster.Config())
	require.NoError(t, err)
	lists, err := discover.ServerPreferredResources()
	require.NoError(t, err)
	out := map[schema.GroupVersionKind]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		if strings.Contains(version.Group, ".") && !strings.HasSuffix(version.Group, ".k8s.io") {
			continue // a custom one of another test
		}
		for _, resource := range list.APIResources {
			if !strings.Contains(resource.Name, "/") {
				out[version.WithKind(resource.Kind)] = resource.Namespaced
			}
		}
	}
	return out
}
