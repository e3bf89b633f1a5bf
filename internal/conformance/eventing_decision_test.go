package conformance_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
)

// Replicas of the gate share what was decided, with the rights of RBAC and no others. The incidents of another recipe may
// have the same name and the same Application.
func TestDecisionsAreSharedBesideIncidents(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	config := shared.cluster.Config()
	config.Impersonate.UserName = "system:serviceaccount:" + home + ":operator"
	operator, err := client.New(config, client.Options{})
	require.NoError(t, err)
	store := eventing.KubernetesDecisions{Client: operator, Namespace: home, Name: "platform"}
	require.Empty(t, store.Validate())
	require.NotEmpty(t, eventing.KubernetesDecisions{}.Validate())
	rights, err := store.RBAC("operator")
	require.NoError(t, err)
	require.NoError(t, eventing.NewClient(newClient(t, shared.cluster), eventing.ClientOptions{}).Apply(t.Context(), rights...))

	shop := types.NamespacedName{Namespace: "argocd", Name: "shop"}
	var version string
	require.Eventually(t, func() bool {
		_, version, err = store.Load(t.Context(), shop)
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)

	incidents := eventing.KubernetesIncidents{Client: operator, Namespace: home, Name: "platform"}
	require.NoError(t, incidents.Save(t.Context(), shop, eventing.Incident{}, ""))
	now := time.Now().UTC().Truncate(time.Second)
	claimed := eventing.GateDecision{Subject: "a", ReconciledAt: now, Claim: &eventing.GateClaim{Event: "e", Until: now}}
	next, err := store.Save(t.Context(), shop, claimed, version)
	require.NoError(t, err)
	// Whoever has loaded before is late now.
	_, err = store.Save(t.Context(), shop, eventing.GateDecision{}, version)
	require.ErrorIs(t, err, eventing.ErrDecisionChanged)
	// Whoever has saved goes on without loading again.
	synced := eventing.GateDecision{Subject: "a", ReconciledAt: now, Outcome: eventing.GateSynced, DecidedAt: now, Report: "r", SyncedAt: &now}
	last, err := store.Save(t.Context(), shop, synced, next)
	require.NoError(t, err)
	_, err = store.Save(t.Context(), shop, claimed, next)
	require.ErrorIs(t, err, eventing.ErrDecisionChanged)
	loaded, version, err := store.Load(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, last, version)
	require.Empty(t, cmp.Diff(synced, loaded))
}
