package eventing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/eventing"
)

func claimOf(t *testing.T, store eventing.Store, id string, duration time.Duration) eventing.Claim {
	t.Helper()
	claim, err := store.Claim(t.Context(), eventing.ClaimRequest{ID: id, For: duration})
	require.NoError(t, err)
	return claim
}

func TestMemoryStoreTakesOverAClaimThatHasEnded(t *testing.T) {
	store := &eventing.MemoryStore{}
	crashed := claimOf(t, store, "1", 20*time.Millisecond)
	require.Equal(t, eventing.ClaimHeld, claimOf(t, store, "1", time.Minute).State)
	time.Sleep(30 * time.Millisecond)
	taken := claimOf(t, store, "1", time.Minute)
	require.Equal(t, eventing.ClaimGranted, taken.State)
	require.Equal(t, 2, taken.Attempt)
	require.ErrorIs(t, store.Settle(t.Context(), crashed, eventing.ClaimHandled), eventing.ErrClaimLost)
	require.NoError(t, store.Settle(t.Context(), taken, eventing.ClaimHandled))
	require.ErrorIs(t, store.Settle(t.Context(), taken, eventing.ClaimFailed), eventing.ErrClaimLost)
	require.Equal(t, eventing.ClaimHandled, claimOf(t, store, "1", time.Minute).State)
}

func TestMemoryStoreIsBounded(t *testing.T) {
	store := &eventing.MemoryStore{MaxEvents: 3}
	running := claimOf(t, store, "running", time.Minute)
	for i := range 10 {
		require.NoError(t, store.Settle(t.Context(), claimOf(t, store, fmt.Sprint(i), time.Minute), eventing.ClaimHandled))
	}
	require.Equal(t, eventing.ClaimHandled, claimOf(t, store, "9", time.Minute).State)
	require.Equal(t, eventing.ClaimHandled, claimOf(t, store, "8", time.Minute).State)
	require.Equal(t, eventing.ClaimGranted, claimOf(t, store, "7", time.Minute).State, "the oldest are forgotten")
	require.NoError(t, store.Settle(t.Context(), running, eventing.ClaimHandled), "what runs is not")
}

func TestMemoryStoreForgetsAfterItsRetention(t *testing.T) {
	store := &eventing.MemoryStore{Retention: 20 * time.Millisecond}
	require.NoError(t, store.Settle(t.Context(), claimOf(t, store, "1", time.Minute), eventing.ClaimHandled))
	bound, err := store.Bind(t.Context(), "s", "1")
	require.NoError(t, err)
	require.Equal(t, "1", bound)
	time.Sleep(30 * time.Millisecond)
	require.NoError(t, store.Collect(t.Context()))
	require.Equal(t, 1, claimOf(t, store, "1", time.Minute).Attempt)
	bound, err = store.Bind(t.Context(), "s", "2")
	require.NoError(t, err)
	require.Equal(t, "2", bound)
}
