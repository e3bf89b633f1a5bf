package conformance_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
)

// Replicas of the recipe share what they know through ConfigMaps, with the rights of RBAC and no others.
func TestIncidentsAreSharedThroughConfigMaps(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	config := shared.cluster.Config()
	config.Impersonate.UserName = "system:serviceaccount:" + home + ":operator"
	operator, err := client.New(config, client.Options{})
	require.NoError(t, err)
	store := eventing.KubernetesIncidents{Client: operator, Namespace: home, Name: "slo"}
	require.Empty(t, store.Validate())
	shop := types.NamespacedName{Namespace: "argocd", Name: "shop"}

	_, _, err = store.Load(t.Context(), shop)
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	rights, err := store.RBAC("operator")
	require.NoError(t, err)
	require.NoError(t, eventing.NewClient(newClient(t, shared.cluster), eventing.ClientOptions{}).Apply(t.Context(), rights...))
	var version string
	require.Eventually(t, func() bool {
		_, version, err = store.Load(t.Context(), shop)
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	require.Empty(t, version)

	now := time.Now().UTC().Truncate(time.Second)
	burning := eventing.Incident{Firing: map[string]time.Time{"a": now}, RolledBack: &now}
	require.NoError(t, store.Save(t.Context(), shop, burning, version))
	// Whoever has loaded before is late now.
	require.ErrorIs(t, store.Save(t.Context(), shop, eventing.Incident{}, version), eventing.ErrIncidentChanged)
	loaded, version, err := store.Load(t.Context(), shop)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(burning, loaded))
	require.NoError(t, store.Save(t.Context(), shop, eventing.Incident{Restored: &now}, version))
	require.ErrorIs(t, store.Save(t.Context(), shop, burning, version), eventing.ErrIncidentChanged)
	loaded, version, err = store.Load(t.Context(), shop)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(eventing.Incident{Restored: &now}, loaded))

	other, _, err := store.Load(t.Context(), types.NamespacedName{Namespace: "argocd", Name: "bank"})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(eventing.Incident{}, other))

	maps := &unstructured.UnstructuredList{}
	maps.SetAPIVersion("v1")
	maps.SetKind("ConfigMapList")
	require.NoError(t, c.List(t.Context(), maps, client.InNamespace(home)))
	for i := range maps.Items {
		if maps.Items[i].GetAnnotations()["eventing.backbone.dev/application"] == "argocd/shop" {
			// One that somebody has broken is an error, not an incident that has ended.
			broken := &maps.Items[i]
			require.NoError(t, c.Patch(t.Context(), broken, client.RawPatch(types.MergePatchType, []byte(`{"data":{"incident":"{"}}`))))
			_, _, err = store.Load(t.Context(), shop)
			require.ErrorContains(t, err, "data.incident")
			require.NoError(t, c.Delete(t.Context(), broken))
		}
	}
	// One that was deleted in between is a change.
	require.ErrorIs(t, store.Save(t.Context(), shop, burning, version), eventing.ErrIncidentChanged)
}
