package conformance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/gitops"
)

// controlled is an Application on the real API server whose controller is the test: it writes what Argo CD would.
type controlled struct {
	client client.WithWatch
	obj    *unstructured.Unstructured
}

// createApplication creates an Application in a namespace that no controller looks at.
func createApplication(t *testing.T, c client.WithWatch, namespace, name string) controlled {
	t.Helper()
	obj, err := gitops.Application{
		Name: name, Namespace: namespace, Project: "default", Sources: []gitops.Source{{RepoURL: "file:///srv/repo", Path: name}},
	}.Build()
	require.NoError(t, err)
	require.NoError(t, c.Create(t.Context(), obj))
	return controlled{client: c, obj: obj}
}

// createApplicationSet creates an ApplicationSet in a namespace that no controller looks at.
func createApplicationSet(t *testing.T, c client.WithWatch, namespace, name string) controlled {
	t.Helper()
	obj, err := gitops.ApplicationSet{
		Name: name, Namespace: namespace, Generators: []gitops.Generator{gitops.List{Elements: []map[string]any{{"name": "a"}}}},
		Template: gitops.Application{Name: "{{ .name }}", Project: "default", Sources: []gitops.Source{{RepoURL: "file:///srv/repo", Path: "a"}}},
	}.Build()
	require.NoError(t, err)
	require.NoError(t, c.Create(t.Context(), obj))
	return controlled{client: c, obj: obj}
}

// ownedBy is a patch that makes an ApplicationSet the controller of an Application. The garbage collector looks whether
// it exists.
func ownedBy(set controlled) string {
	return fmt.Sprintf("metadata: {ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, name: %s, uid: %s, controller: true}]}",
		set.obj.GetName(), set.obj.GetUID())
}

// become replaces the operation and the status, in one write as the controller does. A nil operation removes it.
func (a controlled) become(t *testing.T, operation, status map[string]any) {
	t.Helper()
	require.NoError(t, a.client.Get(t.Context(), client.ObjectKeyFromObject(a.obj), a.obj))
	before := a.obj.DeepCopy()
	delete(a.obj.Object, "operation")
	if operation != nil {
		a.obj.Object["operation"] = operation
	}
	a.obj.Object["status"] = status
	require.NoError(t, a.client.Patch(t.Context(), a.obj, client.MergeFrom(before)))
}

// refreshed removes the request of a refresh, as the controller does when it has compared.
func (a controlled) refreshed(t *testing.T) {
	t.Helper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"argocd.argoproj.io/refresh":null}}}`))
	require.NoError(t, a.client.Patch(t.Context(), a.obj, patch))
}

func (a controlled) read(t *testing.T, fields ...string) any {
	t.Helper()
	require.NoError(t, a.client.Get(t.Context(), client.ObjectKeyFromObject(a.obj), a.obj))
	value, _, err := unstructured.NestedFieldCopy(a.obj.Object, fields...)
	require.NoError(t, err)
	return value
}

// stamp is a time as Kubernetes records it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// syncedStatus is the status of an Application that is synced and healthy.
func syncedStatus() map[string]any {
	return map[string]any{
		"sync":   map[string]any{"status": "Synced", "revision": "abc", "comparedTo": comparedTo()},
		"health": map[string]any{"status": "Healthy"},
	}
}

func comparedTo() map[string]any {
	return map[string]any{
		"source":      map[string]any{"repoURL": "file:///srv/repo", "path": "a"},
		"destination": map[string]any{"server": "https://kubernetes.default.svc"},
	}
}
