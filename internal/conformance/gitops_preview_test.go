package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops/preview"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// previewData is where the tests of gitops/preview keep their ApplicationSets.
const previewData = "../../gitops/preview/testdata/"

// TestPreviewIsWhatTheControllerCreates gives every ApplicationSet of the tests of gitops/preview to the real controller.
func TestPreviewIsWhatTheControllerCreates(t *testing.T) {
	c := liveKube(t)
	waitForDefaultProject(t, c)
	repo := newRepository(t)
	require.NoError(t, os.CopyFS(repo.dir, os.DirFS(previewData+"repository")))
	repo.commit(t, "all")
	parameters := []map[string]any{
		{"name": "one", "number": 1, "deep": map[string]any{"er": "x"}}, {"name": "two", "number": 2.5, "deep": map[string]any{"er": "y"}},
	}
	objects := previewObjects(t, map[string]string{
		"https://git.example.com/platform.git": "file://" + repo.dir, "http://plugin.example.com": servePlugin(t, parameters),
	})
	content, err := preview.Checkout(repo.dir)
	require.NoError(t, err)
	state, err := preview.Expand(t.Context(), objects, preview.Inputs{
		Repositories: []preview.Repository{{URL: "file://" + repo.dir, Content: content}},
		Plugins:      []preview.PluginAnswer{{ConfigMap: "plugin", Parameters: parameters}},
	})
	require.NoError(t, err)

	createDecisionKind(t, c)
	var sets []*unstructured.Unstructured
	for _, obj := range objects {
		if obj.GetKind() == "ApplicationSet" {
			sets = append(sets, obj)
			continue
		}
		create(t, c, obj)
	}
	for _, set := range sets {
		createSet(t, c, set)
	}
	want := map[string]map[string]any{}
	for _, app := range state.Applications {
		want[app.Object.GetName()] = declaredFields(app.Object)
	}
	got := map[string]map[string]any{}
	for _, set := range sets {
		waitForSet(t, c, set)
	}
	for _, app := range applicationsOf(t, c, sets) {
		got[app.GetName()] = declaredFields(app)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("the preview differs (-controller +preview):\n%s", diff)
	}
}

// TestPreviewIsMuchFasterThanTheController measures both with the same ApplicationSet.
func TestPreviewIsMuchFasterThanTheController(t *testing.T) {
	const folders, least = 500, 20
	c := liveKube(t)
	waitForDefaultProject(t, c)
	repo := newRepository(t)
	for i := range folders {
		dir := filepath.Join(repo.dir, fmt.Sprintf("many/app-%04d", i))
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), fmt.Appendf(nil, "a: %d\n", i), 0o644))
	}
	repo.commit(t, "many")
	set := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(strings.ReplaceAll(`
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: many, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  syncPolicy: {preserveResourcesOnDeletion: true}
  generators:
  - git: {repoURL: REPO, revision: main, directories: [{path: many/*}]}
  template:
    metadata: {name: 'many-{{.path.basename}}', labels: {app: '{{.path.basename}}'}}
    spec:
      project: default
      source: {repoURL: REPO, targetRevision: main, path: '{{.path.path}}'}
      destination: {server: https://kubernetes.default.svc, namespace: '{{.path.basename}}'}
`, "REPO", "file://"+repo.dir)), &set.Object))

	began := time.Now()
	content, err := preview.Revision(t.Context(), repo.dir, "main")
	require.NoError(t, err)
	state, err := preview.Expand(t.Context(), []*unstructured.Unstructured{set}, preview.Inputs{
		Repositories: []preview.Repository{{URL: "file://" + repo.dir, Content: content}},
	})
	previewed := time.Since(began)
	require.NoError(t, err)
	require.Len(t, state.Applications, folders)

	began = time.Now()
	createSet(t, c, set)
	waitForApplications(t, c, set, folders)
	created := time.Since(began)
	ratio := created.Seconds() / previewed.Seconds()
	t.Logf("%d Applications: preview %v, controller %v, ratio %.0f", folders, previewed, created, ratio)
	require.GreaterOrEqual(t, ratio, float64(least))
}

// previewObjects decodes the objects of the preview's tests, with some texts replaced.
func previewObjects(t *testing.T, replace map[string]string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	files, err := fs.Glob(os.DirFS(previewData), "applicationsets/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(previewData + file)
		require.NoError(t, err)
		text := string(data)
		for from, to := range replace {
			text = strings.ReplaceAll(text, from, to)
		}
		for document := range strings.SplitSeq(text, "\n---\n") {
			obj := &unstructured.Unstructured{}
			require.NoError(t, yaml.Unmarshal([]byte(document), &obj.Object))
			objects = append(objects, obj)
		}
	}
	return objects
}

// servePlugin serves the parameters as a plugin, and returns its URL.
func servePlugin(t *testing.T, parameters []map[string]any) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer not-a-secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"output": map[string]any{"parameters": parameters}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// createDecisionKind makes the API server serve the decision resources, and lets the controller read them, as whoever
// installs such a kind has to.
func createDecisionKind(t *testing.T, c client.WithWatch) {
	t.Helper()
	for _, text := range []string{`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: placements.decisions.example.com}
spec:
  group: decisions.example.com
  scope: Namespaced
  names: {kind: Placement, plural: placements}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: placements, namespace: argocd}
rules: [{apiGroups: [decisions.example.com], resources: [placements], verbs: [get, list, watch]}]
`, `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: placements, namespace: argocd}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: placements}
subjects: [{kind: ServiceAccount, name: argocd-applicationset-controller, namespace: argocd}]
`} {
		obj := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
		create(t, c, obj)
		if obj.GetKind() == "CustomResourceDefinition" {
			waitEstablished(t, c, obj.GetName())
			waitDiscovered(t, c, obj)
		}
	}
}

// create creates an object for the time of the test.
func create(t *testing.T, c client.Client, obj *unstructured.Unstructured) {
	t.Helper()
	created := obj.DeepCopy()
	require.NoError(t, c.Create(t.Context(), created))
	t.Cleanup(func() { require.NoError(t, client.IgnoreNotFound(c.Delete(context.Background(), created))) })
}

// createSet creates an ApplicationSet for the time of the test, and takes its Applications away without what they may
// have deployed.
func createSet(t *testing.T, c client.Client, set *unstructured.Unstructured) {
	t.Helper()
	created := set.DeepCopy()
	require.NoError(t, c.Create(t.Context(), created))
	t.Cleanup(func() {
		ctx := context.Background()
		require.NoError(t, c.Delete(ctx, created, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
		for _, app := range applicationsOf(t, c, []*unstructured.Unstructured{created}) {
			withoutFinalizers := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
			require.NoError(t, client.IgnoreNotFound(c.Patch(ctx, app, withoutFinalizers)))
			require.NoError(t, client.IgnoreNotFound(c.Delete(ctx, app)))
		}
	})
}

func madeBy(app *unstructured.Unstructured, set string) bool {
	owner := metav1.GetControllerOf(app)
	return owner != nil && owner.Kind == "ApplicationSet" && owner.Name == set
}

// applicationsOf lists the Applications of the sets.
func applicationsOf(t *testing.T, c client.Client, sets []*unstructured.Unstructured) []*unstructured.Unstructured {
	t.Helper()
	apps := &unstructured.UnstructuredList{}
	apps.SetGroupVersionKind(applicationKind.GroupVersion().WithKind("ApplicationList"))
	// Not the test's context, which is done when it cleans up.
	require.NoError(t, c.List(context.Background(), apps, client.InNamespace("argocd")))
	var found []*unstructured.Unstructured
	for i := range apps.Items {
		if slices.ContainsFunc(sets, func(set *unstructured.Unstructured) bool { return madeBy(&apps.Items[i], set.GetName()) }) {
			found = append(found, &apps.Items[i])
		}
	}
	return found
}

// waitForSet waits until the controller is done with an ApplicationSet.
func waitForSet(t *testing.T, c client.Client, set *unstructured.Unstructured) {
	t.Helper()
	current := set.DeepCopy()
	condition := func(kind string) map[string]any {
		conditions, _, _ := unstructured.NestedSlice(current.Object, "status", "conditions")
		for _, item := range conditions {
			if condition, _ := item.(map[string]any); condition["type"] == kind {
				return condition
			}
		}
		return nil
	}
	require.Eventually(t, func() bool {
		return c.Get(t.Context(), client.ObjectKeyFromObject(set), current) == nil && condition("ErrorOccurred") != nil
	}, time.Minute, 50*time.Millisecond, "ApplicationSet %s", set.GetName())
	require.Equal(t, "True", condition("ResourcesUpToDate")["status"], "ApplicationSet %s: %v", set.GetName(), condition("ErrorOccurred"))
}

// waitForApplications watches until a set owns so many Applications.
func waitForApplications(t *testing.T, c client.WithWatch, set *unstructured.Unstructured, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	found := map[string]bool{}
	note := func(app *unstructured.Unstructured) bool {
		if madeBy(app, set.GetName()) {
			found[app.GetName()] = true
		}
		return len(found) >= count
	}
	err := listwatch.Follow(ctx, c, listwatch.Selection{
		Kind: applicationKind, Options: []client.ListOption{client.InNamespace("argocd")},
	}, listwatch.Follower{
		Listed: func(items []unstructured.Unstructured) (bool, error) {
			done := false
			for i := range items {
				done = note(&items[i])
			}
			return done, nil
		},
		Changed: func(_ watch.EventType, app *unstructured.Unstructured) (bool, error) { return note(app), nil },
	})
	require.NoError(t, err, "%d of %d Applications", len(found), count)
}

// waitForDefaultProject waits for the AppProject that Argo CD makes itself.
func waitForDefaultProject(t *testing.T, c client.Client) {
	t.Helper()
	project := &unstructured.Unstructured{}
	project.SetGroupVersionKind(schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "AppProject"})
	require.Eventually(t, func() bool {
		return c.Get(t.Context(), client.ObjectKey{Namespace: "argocd", Name: "default"}, project) == nil
	}, time.Minute, 100*time.Millisecond)
}

// declaredFields are what the ApplicationSet controller writes into an Application.
func declaredFields(app *unstructured.Unstructured) map[string]any {
	return map[string]any{
		"labels": app.GetLabels(), "annotations": app.GetAnnotations(), "finalizers": app.GetFinalizers(), "spec": app.Object["spec"],
	}
}
