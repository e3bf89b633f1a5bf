package conformance_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/secrets"
)

// externalSecret applies an ExternalSecret in a namespace of its own.
func externalSecret(t *testing.T, c client.WithWatch, change func(*secrets.ExternalSecret)) (*secrets.Client, secrets.ExternalSecret, *unstructured.Unstructured) {
	t.Helper()
	installExternalSecrets(t, c)
	value := secrets.ExternalSecret{
		Name: "database", Namespace: namespace(t, c),
		Store: secrets.StoreRef{Name: "vault"},
		Data:  map[string]secrets.Remote{"password": {Key: "shop/database", Property: "password"}},
	}
	change(&value)
	operator := secrets.NewClient(c, secrets.ClientOptions{})
	return operator, value, applySecret(t, c, operator, value)
}

// applySecret applies the value and returns the live object.
func applySecret(t *testing.T, c client.Client, operator *secrets.Client, value secrets.ExternalSecret) *unstructured.Unstructured {
	t.Helper()
	obj, err := value.Build()
	require.NoError(t, err)
	require.NoError(t, operator.Apply(t.Context(), obj))
	live := obj.DeepCopy()
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(obj), live))
	return live
}

// report acts as the operator: it writes a condition and, for a sync, its record.
func report(t *testing.T, c client.Client, obj *unstructured.Unstructured, ready, reason, message, record string) {
	t.Helper()
	status := map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": ready, "reason": reason, "message": message}}}
	if record != "" {
		status["syncedResourceVersion"] = record
		status["refreshTime"] = time.Now().UTC().Format(time.RFC3339)
	}
	patchStatus(t, c, obj, status)
}

func requireSecretNotReady(t *testing.T, wait func(context.Context) error, want secrets.NotReadyError) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	err := wait(ctx)
	var failure *secrets.NotReadyError
	require.ErrorAs(t, err, &failure)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	if diff := cmp.Diff(want, *failure, cmpopts.IgnoreUnexported(secrets.NotReadyError{})); diff != "" {
		t.Errorf("failure (-want +got):\n%s", diff)
	}
	require.ErrorContains(t, err, fmt.Sprintf("ExternalSecret %s is not ready (%s): %s", want.Key, want.Reason, want.Message))
}

func TestWaitForAnExternalSecret(t *testing.T) {
	c := kube(t)
	operator, value, obj := externalSecret(t, c, func(*secrets.ExternalSecret) {})
	key := client.ObjectKeyFromObject(obj)
	wait := func(ctx context.Context) error { return operator.Wait(ctx, key) }

	nowhere := client.ObjectKey{Namespace: key.Namespace, Name: "nowhere"}
	requireSecretNotReady(t, func(ctx context.Context) error { return operator.Wait(ctx, nowhere) },
		secrets.NotReadyError{Key: nowhere, Reason: secrets.ReasonMissing, Message: "there is no such object"})
	requireSecretNotReady(t, wait,
		secrets.NotReadyError{Key: key, Reason: secrets.ReasonUnseen, Message: "the operator has not reported on it", Generation: 1})

	report(t, c, obj, "False", "SecretSyncedError", "could not get secret data from provider", "")
	requireSecretNotReady(t, wait,
		secrets.NotReadyError{Key: key, Reason: "SecretSyncedError", Message: "could not get secret data from provider", Generation: 1})

	report(t, c, obj, "True", "SecretMissing", "secret will not be created due to CreationPolicy=Merge", "1-abc")
	requireSecretNotReady(t, wait, secrets.NotReadyError{
		Key: key, Reason: "SecretMissing", Message: "secret will not be created due to CreationPolicy=Merge", Generation: 1, SyncedGeneration: 1,
	})

	ready := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	go func() { ready <- wait(ctx) }()
	report(t, c, obj, "True", "SecretSynced", "secret synced", "1-abc")
	require.NoError(t, <-ready, "a change must end the wait")

	value.Data["user"] = secrets.Remote{Key: "shop/database", Property: "user"}
	obj = applySecret(t, c, operator, value)
	requireSecretNotReady(t, wait, secrets.NotReadyError{
		Key: key, Reason: secrets.ReasonOutdated, Message: "generation 2 is not synced, the last sync saw generation 1", Generation: 2, SyncedGeneration: 1,
	})
	report(t, c, obj, "True", "SecretSynced", "secret synced", "2-abc")
	require.NoError(t, wait(ctx))
}

func TestRefreshWaitsForTheSyncItAskedFor(t *testing.T) {
	c := kube(t)
	operator, _, obj := externalSecret(t, c, func(*secrets.ExternalSecret) {})
	key := client.ObjectKeyFromObject(obj)
	report(t, c, obj, "True", "SecretSynced", "secret synced", "1-before")
	requireSecretNotReady(t, func(ctx context.Context) error { return operator.Refresh(ctx, key) }, secrets.NotReadyError{
		Key: key, Reason: secrets.ReasonOutdated, Message: "the last sync came before the refresh", Generation: 1, SyncedGeneration: 1,
	})
	require.NoError(t, c.Get(t.Context(), key, obj))
	first := obj.GetAnnotations()["force-sync"]
	require.NotEmpty(t, first)

	refreshed := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	go func() { refreshed <- operator.Refresh(ctx, key) }()
	require.Eventually(t, func() bool {
		require.NoError(t, c.Get(t.Context(), key, obj))
		return obj.GetAnnotations()["force-sync"] != first
	}, soon, 20*time.Millisecond)
	report(t, c, obj, "True", "SecretSynced", "secret synced", "1-after")
	require.NoError(t, <-refreshed)
}

func TestRefreshRefusesWhatTheOperatorWouldIgnore(t *testing.T) {
	c := kube(t)
	operator, _, once := externalSecret(t, c, func(e *secrets.ExternalSecret) { e.RefreshPolicy = secrets.CreatedOnce })
	report(t, c, once, "True", "SecretSynced", "secret synced", "1-abc")
	require.ErrorIs(t, operator.Refresh(t.Context(), client.ObjectKeyFromObject(once)), secrets.ErrNeverRefreshed)

	_, _, never := externalSecret(t, c, func(*secrets.ExternalSecret) {})
	require.NoError(t, c.Patch(t.Context(), never, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"refreshInterval":"0s"}}`))))
	report(t, c, never, "True", "SecretSynced", "secret synced", "2-abc")
	require.ErrorIs(t, operator.Refresh(t.Context(), client.ObjectKeyFromObject(never)), secrets.ErrNeverRefreshed)

	nowhere := client.ObjectKey{Namespace: never.GetNamespace(), Name: "nowhere"}
	err := operator.Refresh(t.Context(), nowhere)
	require.True(t, apierrors.IsNotFound(err), "got %v", err)
}
