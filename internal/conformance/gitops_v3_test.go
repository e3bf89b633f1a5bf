package conformance_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	appv1 "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// argoCDv3 is an Argo CD whose CRDs know fields that the Go types in go.mod do not.
const argoCDv3 = "github.com/argoproj/argo-cd/v3@v3.5.7"

// v3Kube starts an API server of the test's own that holds the CRDs of Argo CD 3: the other tests' are those of 2.14.
func v3Kube(t *testing.T) client.WithWatch {
	t.Helper()
	cluster, err := embedded.Start(t.Context(), embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	c := newClient(t, cluster)
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", argoCDv3)
	out, err := download.Output()
	require.NoError(t, err, "%s", out)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	for _, file := range argoCDCRDs {
		raw, err := os.ReadFile(filepath.Join(module.Dir, file))
		require.NoError(t, err)
		crd := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal(raw, &crd.Object))
		require.NoError(t, apply.Objects(t.Context(), c, "conformance", crd))
		waitEstablished(t, c, crd.GetName())
		waitDiscovered(t, c, crd)
	}
	return c
}

// Fields that Argo CD 3 has added, as somebody else writes them.
const (
	v3ApplicationSpec = `
source:
  tagPrefix: release-
  kustomize: {ignoreMissingComponents: true, labelIncludeTemplates: true}
sourceHydrator:
  drySource: {repoURL: file:///srv/dry, path: a, targetRevision: HEAD, directory: {recurse: true}}
  syncSource: {repoURL: file:///srv/wet, path: a, targetBranch: wet}
syncPolicy:
  automated: {enabled: false}
  retry: {refresh: true}
`
	v3ApplicationStatus = `
status:
  sync: {status: Synced, revision: abc, comparedTo: {destination: {}, source: {repoURL: file:///srv/wet, tagPrefix: release-}}}
  health: {status: Healthy}
  summary: {isAppOfApps: true}
  sourceHydrator: {lastComparedDryRevision: abc}
  history:
  - {id: 0, deployedAt: "2026-01-02T03:04:05Z", revision: abc, source: {repoURL: file:///srv/wet, tagPrefix: release-}}
`
	v3Operation = `
operation: {sync: {}, retry: {refresh: true}}
status:
  operationState:
    phase: Running
    startedAt: "2026-01-02T03:04:05Z"
    operation: {sync: {}, retry: {refresh: true}}
    syncResult:
      revision: abc
      resources:
      - {group: apps, version: v1, kind: Deployment, namespace: tools, name: web, images: ["web:1"]}
`
	v3ApplicationSetSpec = `
strategy: {type: AllAtOnce, deletionOrder: Reverse}
template:
  spec:
    source: {tagPrefix: release-}
    syncPolicy:
      automated: {enabled: false}
      retry: {refresh: true}
`
)

// v3Only are the fields above that the Go types in go.mod do not know.
var v3Only = [][]string{
	{"spec", "source", "tagPrefix"},
	{"spec", "source", "kustomize", "ignoreMissingComponents"},
	{"spec", "source", "kustomize", "labelIncludeTemplates"},
	{"spec", "sourceHydrator", "drySource", "directory"},
	{"spec", "sourceHydrator", "syncSource", "repoURL"},
	{"spec", "syncPolicy", "automated", "enabled"},
	{"spec", "syncPolicy", "retry", "refresh"},
	{"status", "summary", "isAppOfApps"},
	{"status", "sourceHydrator", "lastComparedDryRevision"},
	{"status", "sync", "comparedTo", "source", "tagPrefix"},
}

// Every operation of the client leaves everything that it does not mean to change exactly as it was, also what the Go
// types of Argo CD 2.14 would have lost.
func TestClientKeepsTheFieldsOfArgoCD3(t *testing.T) {
	c := v3Kube(t)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	app := createApplication(t, c, own, "a")
	app.addV3(t, v3ApplicationSpec)
	app.patch(t, v3ApplicationStatus)

	t.Run("the Go types of Argo CD 2.14 know none of them", func(t *testing.T) {
		carried := asV2(t, app.obj)
		for _, path := range v3Only {
			_, there, err := unstructured.NestedFieldNoCopy(app.obj.Object, path...)
			require.NoError(t, err)
			require.True(t, there, "%v is not in the object", path)
			_, there, _ = unstructured.NestedFieldNoCopy(carried, path...)
			require.False(t, there, "%v is known", path)
		}
	})

	manifest, err := gitops.Application{
		Name: "a", Namespace: own, Project: "other", Sources: []gitops.Source{{RepoURL: "file:///srv/repo", Path: "moved"}},
	}.Build()
	require.NoError(t, err)
	steps := []struct {
		name   string
		before string
		do     func() error
		// change makes of the object before what it has to be afterwards.
		change func(obj map[string]any)
	}{
		{
			name: "refresh",
			do:   func() error { return argocd.Refresh(t.Context(), "a", gitops.RefreshHard) },
			change: func(obj map[string]any) {
				set(t, obj, "hard", "metadata", "annotations", "argocd.argoproj.io/refresh")
			},
		},
		{
			name: "apply",
			do:   func() error { return argocd.Apply(t.Context(), manifest) },
			change: func(obj map[string]any) {
				set(t, obj, "other", "spec", "project")
				set(t, obj, "moved", "spec", "source", "path")
			},
		},
		{
			name: "sync",
			do:   func() error { return argocd.Sync(t.Context(), "a", gitops.SyncRequest{Prune: true}) },
			change: func(obj map[string]any) {
				options, _, err := unstructured.NestedFieldCopy(obj, "spec", "syncPolicy", "syncOptions")
				require.NoError(t, err)
				retry, _, err := unstructured.NestedFieldCopy(obj, "spec", "syncPolicy", "retry")
				require.NoError(t, err)
				require.Contains(t, retry, "refresh")
				obj["operation"] = map[string]any{
					"initiatedBy": map[string]any{"username": "backbone"}, "retry": retry,
					"sync": map[string]any{"prune": true, "syncOptions": options},
				}
			},
		},
		{
			name:   "terminate",
			before: v3Operation,
			do: func() error {
				// There is no Argo CD that would end it.
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				require.ErrorIs(t, argocd.Terminate(ctx, "a"), context.DeadlineExceeded)
				return nil
			},
			change: func(obj map[string]any) { set(t, obj, "Terminating", "status", "operationState", "phase") },
		},
		{
			// A finalizer of somebody else keeps the Application.
			name:   "delete without a cascade",
			before: `metadata: {finalizers: [resources-finalizer.argocd.argoproj.io, example.com/keep]}`,
			do: func() error {
				return argocd.Delete(t.Context(), "a", gitops.DeleteRequest{Cascade: gitops.CascadeNone})
			},
			change: func(obj map[string]any) {
				set(t, obj, []any{"example.com/keep"}, "metadata", "finalizers")
			},
		},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			if step.before != "" {
				app.patch(t, step.before)
			}
			want := app.meant(t)
			require.NoError(t, step.do())
			step.change(want)
			if diff := cmp.Diff(want, app.meant(t)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}

	t.Run("the status is read", func(t *testing.T) {
		status, err := argocd.Get(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, status.Automated, "automated.enabled is false")
		require.True(t, status.Deleting)
		require.Len(t, status.History, 1)
		require.Equal(t, "release-", status.History[0].Sources[0]["tagPrefix"])
	})
	app.patch(t, `metadata: {finalizers: []}`)
}

func TestApplyKeepsTheFieldsOfAnArgoCD3ApplicationSet(t *testing.T) {
	c := v3Kube(t)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	build := func(project string) *unstructured.Unstructured {
		obj, err := gitops.ApplicationSet{
			Name: "set", Namespace: own,
			Generators: []gitops.Generator{gitops.List{Elements: []map[string]any{{"name": "a"}}}},
			Template: gitops.Application{
				Name: "{{ .name }}", Project: project, Sources: []gitops.Source{{RepoURL: "file:///srv/repo", Path: "a"}},
			},
		}.Build()
		require.NoError(t, err)
		return obj
	}
	set := controlled{client: c, obj: build("one")}
	require.NoError(t, argocd.Apply(t.Context(), set.obj))
	set.addV3(t, v3ApplicationSetSpec)
	want := set.meant(t)
	require.NoError(t, argocd.Apply(t.Context(), build("two")))
	require.NoError(t, unstructured.SetNestedField(want, "two", "spec", "template", "spec", "project"))
	if diff := cmp.Diff(want, set.meant(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// addV3 writes a part of the spec as another field manager, who owns nothing else.
func (a controlled) addV3(t *testing.T, spec string) {
	t.Helper()
	fields := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(spec), &fields))
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": fields}}
	obj.SetGroupVersionKind(a.obj.GroupVersionKind())
	obj.SetNamespace(a.obj.GetNamespace())
	obj.SetName(a.obj.GetName())
	raw, err := obj.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, a.client.Patch(t.Context(), a.obj, client.RawPatch("application/merge-patch+json", raw),
		client.FieldOwner("v3"), client.FieldValidation(metav1.FieldValidationStrict)))
}

// patch merges a document into the object, which the CRD has to know all fields of.
func (a controlled) patch(t *testing.T, document string) {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(document))
	require.NoError(t, err)
	require.NoError(t, a.client.Patch(t.Context(), a.obj, client.RawPatch("application/merge-patch+json", raw),
		client.FieldValidation(metav1.FieldValidationStrict)))
}

// meant reads the object without what the API server keeps in it for itself.
func (a controlled) meant(t *testing.T) map[string]any {
	t.Helper()
	obj, isMap := a.read(t).(map[string]any)
	require.True(t, isMap)
	for _, field := range []string{"resourceVersion", "generation", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"} {
		unstructured.RemoveNestedField(obj, "metadata", field)
	}
	return obj
}

// asV2 is what of the object the Go types of Argo CD 2.14 carry through.
func asV2(t *testing.T, obj *unstructured.Unstructured) map[string]any {
	t.Helper()
	raw, err := obj.MarshalJSON()
	require.NoError(t, err)
	var app appv1.Application
	require.NoError(t, json.Unmarshal(raw, &app))
	raw, err = json.Marshal(app)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

func set(t *testing.T, obj map[string]any, value any, path ...string) {
	t.Helper()
	require.NoError(t, unstructured.SetNestedField(obj, value, path...))
}
