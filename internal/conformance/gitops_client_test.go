package conformance_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/controlbackbone/backbone/gitops"
)

func TestClientReadsAStatus(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})

	_, err := argocd.Get(t.Context(), "missing")
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	app := createApplication(t, c, own, "a")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	app.become(t, map[string]any{"sync": map[string]any{"revision": "def"}}, map[string]any{
		"reconciledAt": stamp(at),
		"sync":         map[string]any{"status": "OutOfSync", "revision": "abc", "comparedTo": comparedTo()},
		"health":       map[string]any{"status": "Degraded", "message": "broken"},
		"conditions":   []any{map[string]any{"type": "SyncError", "message": "cannot", "lastTransitionTime": stamp(at)}},
		"resources": []any{
			map[string]any{"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "n", "name": "d", "status": "OutOfSync", "health": map[string]any{"status": "Missing"}},
			map[string]any{"version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "c", "status": "Synced", "requiresPruning": true},
		},
		"history": []any{
			map[string]any{"id": int64(0), "revision": "old", "deployedAt": stamp(at), "source": map[string]any{"repoURL": "file:///srv/repo"}},
			map[string]any{
				"id": int64(1), "revisions": []any{"x", "y"}, "deployStartedAt": stamp(at), "deployedAt": stamp(at.Add(time.Minute)),
				"sources":     []any{map[string]any{"repoURL": "file:///srv/x"}, map[string]any{"repoURL": "file:///srv/y"}},
				"initiatedBy": map[string]any{"automated": true},
			},
		},
		"summary": map[string]any{"images": []any{"web:1"}, "externalURLs": []any{"https://web.example.com"}},
		"operationState": map[string]any{
			"operation": map[string]any{"sync": map[string]any{"revision": "abc"}, "initiatedBy": map[string]any{"username": "sensor"}},
			"phase":     "Failed", "message": "one failed", "startedAt": stamp(at), "finishedAt": stamp(at.Add(time.Second)), "retryCount": int64(2),
			"syncResult": map[string]any{"revision": "abc", "source": map[string]any{"repoURL": "file:///srv/repo"}, "resources": []any{
				map[string]any{"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "n", "name": "d", "status": "SyncFailed", "message": "denied"},
			}},
		},
	})
	status, err := argocd.Get(t.Context(), "a")
	require.NoError(t, err)
	deployment := gitops.Resource{Group: "apps", Kind: "Deployment", Namespace: "n", Name: "d"}
	want := gitops.ApplicationStatus{
		Namespace: own, Name: "a", UID: app.obj.GetUID(), Project: "default", Automated: true,
		Sync: gitops.SyncStatusOutOfSync, Revisions: []string{"abc"},
		Health: gitops.HealthStatusDegraded, HealthMessage: "broken", ReconciledAt: at, OperationPending: true,
		Conditions: []gitops.ApplicationCondition{{Type: "SyncError", Message: "cannot", Since: at}},
		Resources: []gitops.ResourceStatus{
			{Resource: deployment, Sync: gitops.SyncStatusOutOfSync, Health: gitops.HealthStatusMissing},
			{Resource: gitops.Resource{Kind: "ConfigMap", Namespace: "n", Name: "c"}, Sync: gitops.SyncStatusSynced, RequiresPruning: true},
		},
		Operation: &gitops.OperationStatus{
			Phase: gitops.PhaseFailed, Message: "one failed", Revisions: []string{"abc"}, InitiatedBy: "sensor",
			StartedAt: at, FinishedAt: at.Add(time.Second), Retries: 2,
			Results: []gitops.ResourceResult{{Resource: deployment, Status: "SyncFailed", Message: "denied"}},
		},
		History: []gitops.HistoryEntry{
			{
				ID: 1, Revisions: []string{"x", "y"}, Automated: true, StartedAt: at, DeployedAt: at.Add(time.Minute),
				Sources: []map[string]any{{"repoURL": "file:///srv/x"}, {"repoURL": "file:///srv/y"}},
			},
			{ID: 0, Revisions: []string{"old"}, DeployedAt: at, Sources: []map[string]any{{"repoURL": "file:///srv/repo"}}},
		},
		Images: []string{"web:1"}, ExternalURLs: []string{"https://web.example.com"},
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSyncRequestsOneOperationAtATime(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	require.True(t, apierrors.IsNotFound(argocd.Sync(t.Context(), "missing", gitops.SyncRequest{})))

	app := createApplication(t, c, own, "a")
	require.NoError(t, argocd.Sync(t.Context(), "a", gitops.SyncRequest{
		Revision: "HEAD", Prune: true, Resources: []gitops.Resource{{Group: "apps", Kind: "Deployment", Name: "d"}}, InitiatedBy: "sensor",
	}))
	want := map[string]any{
		"initiatedBy": map[string]any{"username": "sensor"},
		"retry":       map[string]any{"limit": int64(5), "backoff": map[string]any{"duration": "5s", "factor": int64(2), "maxDuration": "3m0s"}},
		"sync": map[string]any{
			"revision": "HEAD", "prune": true, "syncOptions": []any{"ServerSideApply=true", "ApplyOutOfSyncOnly=true"},
			"resources": []any{map[string]any{"group": "apps", "kind": "Deployment", "name": "d"}},
		},
	}
	if diff := cmp.Diff(want, app.read(t, "operation")); diff != "" {
		t.Errorf("operation (-want +got):\n%s", diff)
	}

	var inProgress *gitops.OperationInProgressError
	require.ErrorAs(t, argocd.Sync(t.Context(), "a", gitops.SyncRequest{}), &inProgress)
	require.Nil(t, inProgress.Operation)

	app.become(t, app.read(t, "operation").(map[string]any), map[string]any{
		"operationState": map[string]any{"operation": map[string]any{}, "phase": "Running", "startedAt": stamp(time.Now())},
	})
	require.ErrorAs(t, argocd.Sync(t.Context(), "a", gitops.SyncRequest{}), &inProgress)
	require.Equal(t, gitops.PhaseRunning, inProgress.Operation.Phase)

	app.become(t, nil, syncedStatus())
	require.NoError(t, argocd.Sync(t.Context(), "a", gitops.SyncRequest{}))
}

func TestOneOfManySyncsWins(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	createApplication(t, c, own, "a")
	const callers = 8
	results := make(chan error, callers)
	for range callers {
		go func() { results <- argocd.Sync(t.Context(), "a", gitops.SyncRequest{}) }()
	}
	won := 0
	for range callers {
		err := <-results
		if err == nil {
			won++
			continue
		}
		var inProgress *gitops.OperationInProgressError
		require.ErrorAs(t, err, &inProgress)
	}
	require.Equal(t, 1, won)
}

func TestWaitFollowsPendingWork(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	waited := make(chan error, 1)
	go func() {
		_, err := argocd.Wait(ctx, []string{"a", "b"})
		waited <- err
	}()
	a := createApplication(t, c, own, "a")
	b := createApplication(t, c, own, "b")
	require.NoError(t, argocd.Refresh(ctx, "a", gitops.RefreshNormal))
	require.Equal(t, "normal", a.read(t, "metadata", "annotations", "argocd.argoproj.io/refresh"))
	a.become(t, nil, syncedStatus())
	b.become(t, map[string]any{"sync": map[string]any{}}, syncedStatus())
	select {
	case err := <-waited:
		t.Fatalf("waited neither for the refresh nor for the operation: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	a.refreshed(t)
	b.become(t, nil, syncedStatus())
	require.NoError(t, <-waited)
}

func TestWaitSaysWhatIsMissing(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	good, bad := createApplication(t, c, own, "good"), createApplication(t, c, own, "bad")
	good.become(t, nil, syncedStatus())
	bad.become(t, nil, map[string]any{
		"sync":       map[string]any{"status": "OutOfSync", "comparedTo": comparedTo()},
		"health":     map[string]any{"status": "Healthy"},
		"conditions": []any{map[string]any{"type": "ComparisonError", "message": "no such path"}},
		"operationState": map[string]any{
			"operation": map[string]any{}, "phase": "Failed", "message": "one failed", "startedAt": stamp(time.Now()),
			"syncResult": map[string]any{"revision": "abc", "source": map[string]any{"repoURL": "file:///srv/repo"}, "resources": []any{
				map[string]any{"group": "", "version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "c", "status": "SyncFailed", "message": "denied by policy"},
			}},
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := argocd.Wait(ctx, []string{"good", "bad", "missing"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var unmet *gitops.WaitError
	require.ErrorAs(t, err, &unmet)
	require.Len(t, unmet.Unmet, 2)
	require.Equal(t, []string{"Synced"}, unmet.Unmet[0].Conditions)
	require.Nil(t, unmet.Unmet[1].Status)
	for _, want := range []string{"ComparisonError: no such path", "operation Failed: one failed", "ConfigMap n/c: denied by policy", own + "/missing does not exist"} {
		require.ErrorContains(t, err, want)
	}
}

func TestWaitEndsWhenAnOperationFails(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	app := createApplication(t, c, own, "a")
	status := syncedStatus()
	status["operationState"] = map[string]any{"operation": map[string]any{}, "phase": "Error", "message": "cannot", "startedAt": stamp(time.Now())}
	app.become(t, nil, status)
	_, err := argocd.Wait(t.Context(), []string{"a"}, gitops.OperationDone())
	var failed *gitops.OperationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, gitops.PhaseError, failed.Operation.Phase)

	own2 := errors.New("own")
	_, err = argocd.Wait(t.Context(), []string{"a"}, gitops.Condition{Name: "own", Met: func(gitops.ApplicationStatus) (bool, error) { return false, own2 }})
	require.ErrorIs(t, err, own2)
}
