package conformance_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
)

func claim(t *testing.T, store eventing.Store, id string, duration time.Duration) eventing.Claim {
	t.Helper()
	got, err := store.Claim(t.Context(), eventing.ClaimRequest{ID: id, For: duration})
	require.NoError(t, err)
	return got
}

func TestAClaimOfACrashedReplicaIsTakenOverByOne(t *testing.T) {
	c := kube(t)
	store := eventing.KubernetesStore{Client: c, Namespace: namespace(t, c), Name: "ops"}
	crashed := claim(t, store, "1", time.Second)
	require.Equal(t, eventing.ClaimGranted, crashed.State)
	require.Equal(t, 1, crashed.Attempt)
	require.Equal(t, eventing.ClaimHeld, claim(t, store, "1", time.Minute).State)

	time.Sleep(1100 * time.Millisecond)
	claims := make(chan eventing.Claim, 10)
	var replicas sync.WaitGroup
	for range cap(claims) {
		replicas.Go(func() {
			got, err := store.Claim(t.Context(), eventing.ClaimRequest{ID: "1", For: time.Minute})
			if err != nil {
				t.Error(err)
			}
			claims <- got
		})
	}
	replicas.Wait()
	close(claims)
	var granted []eventing.Claim
	for got := range claims {
		if got.State == eventing.ClaimGranted {
			granted = append(granted, got)
			continue
		}
		require.Equal(t, eventing.ClaimHeld, got.State)
	}
	require.Len(t, granted, 1)
	require.Equal(t, 2, granted[0].Attempt)
	require.ErrorIs(t, store.Settle(t.Context(), crashed, eventing.ClaimHandled), eventing.ErrClaimLost)
	require.NoError(t, store.Settle(t.Context(), granted[0], eventing.ClaimFailed))
	require.Equal(t, 3, claim(t, store, "1", time.Minute).Attempt, "a failed event is free at once")
}

func TestReplicasShareSignatures(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	store := eventing.KubernetesStore{Client: c, Namespace: home, Name: "ops"}
	for id, signature := range map[string]string{"1": "s", "2": "t"} {
		for range 2 {
			bound, err := store.Bind(t.Context(), signature, id)
			require.NoError(t, err)
			require.Equal(t, id, bound)
		}
	}
	bound, err := store.Bind(t.Context(), "s", "3")
	require.NoError(t, err)
	require.Equal(t, "1", bound)
	other := store
	other.Name = "others"
	bound, err = other.Bind(t.Context(), "s", "3")
	require.NoError(t, err)
	require.Equal(t, "3", bound, "another Responder has signatures of its own")
}

func TestCollectForgetsWhatIsOldAndKeepsWhatRuns(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	store := eventing.KubernetesStore{Client: c, Namespace: home, Name: "ops", Retention: time.Second}
	other := eventing.KubernetesStore{Client: c, Namespace: home, Name: "others"}
	require.NoError(t, store.Settle(t.Context(), claim(t, store, "handled", time.Minute), eventing.ClaimHandled))
	require.NoError(t, other.Settle(t.Context(), claim(t, other, "foreign", time.Minute), eventing.ClaimHandled))
	running := claim(t, store, "running", time.Minute)
	_, err := store.Bind(t.Context(), "signature", "handled")
	require.NoError(t, err)
	require.NoError(t, store.Collect(t.Context()))
	require.Equal(t, eventing.ClaimHandled, claim(t, store, "handled", time.Minute).State, "not before its time")

	time.Sleep(1100 * time.Millisecond)
	require.NoError(t, store.Collect(t.Context()))
	var leases coordinationv1.LeaseList
	require.NoError(t, c.List(t.Context(), &leases, client.InNamespace(home)))
	left := map[string]bool{}
	for _, lease := range leases.Items {
		left[lease.Annotations["eventing.backbone.dev/event"]] = true
	}
	require.Equal(t, map[string]bool{"running": true, "foreign": true}, left)
	require.NoError(t, store.Settle(t.Context(), running, eventing.ClaimHandled))
	time.Sleep(1100 * time.Millisecond)
	forgotten := claim(t, store, "running", time.Minute)
	require.Equal(t, eventing.ClaimGranted, forgotten.State, "what is forgotten need not be collected first")
	require.Equal(t, 1, forgotten.Attempt)
}
