package conformance_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/gitops"
)

// deployment is an Application of a real Argo CD that syncs only on request, and its repository.
type deployment struct {
	client    client.Client
	argocd    *gitops.Client
	repo      repository
	name      string
	namespace string
}

// deployOnRequest creates an Application from some folders of a new repository, each a source, that is not synced yet.
func deployOnRequest(t *testing.T, ctx context.Context, c client.WithWatch, name string, folders ...string) deployment {
	t.Helper()
	d := deployment{client: c, argocd: gitops.NewClient(c, gitops.ClientOptions{}), repo: repository{dir: t.TempDir()}, name: name, namespace: namespace(t, c)}
	d.repo.git(t, "init", "--quiet", "--initial-branch", "main")
	for _, folder := range folders {
		d.write(t, folder+"/a.yaml", configMap(folder+"-a", "one"))
		d.write(t, folder+"/b.yaml", configMap(folder+"-b", "one"))
	}
	d.commit(t)
	project, err := gitops.AppProject{
		Name: name, SourceRepos: []string{"*"}, Destinations: []gitops.Destination{{Server: "*", Namespace: d.namespace}},
	}.Build()
	require.NoError(t, err)
	app := gitops.Application{
		Name: name, Project: name, Destination: gitops.Destination{Namespace: d.namespace}, SyncPolicy: gitops.SyncPolicy{Manual: true},
	}
	for _, folder := range folders {
		app.Sources = append(app.Sources, gitops.Source{RepoURL: "file://" + d.repo.dir, Revision: "main", Path: folder})
	}
	manifest, err := app.Build()
	require.NoError(t, err)
	require.NoError(t, d.argocd.Apply(ctx, project, manifest))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, client.IgnoreNotFound(d.argocd.Delete(ctx, name, gitops.DeleteRequest{Wait: true})))
		require.NoError(t, c.Delete(ctx, project))
	})
	_, err = d.argocd.Wait(ctx, []string{name}, outOfSync())
	require.NoError(t, err)
	return d
}

func (d deployment) write(t *testing.T, file, manifest string) {
	t.Helper()
	file = filepath.Join(d.repo.dir, file)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(manifest), 0o644))
}

func (d deployment) commit(t *testing.T) string {
	t.Helper()
	d.repo.git(t, "add", "--all")
	d.repo.git(t, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "a commit")
	out, err := exec.CommandContext(t.Context(), "git", "-C", d.repo.dir, "rev-parse", "HEAD").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// sync requests a sync and waits until it has succeeded.
func (d deployment) sync(t *testing.T, ctx context.Context, request gitops.SyncRequest) gitops.ApplicationStatus {
	t.Helper()
	require.NoError(t, d.argocd.Sync(ctx, d.name, request))
	statuses, err := d.argocd.Wait(ctx, []string{d.name}, gitops.OperationDone())
	require.NoError(t, err)
	return statuses[0]
}

// color is what a deployed ConfigMap says, empty if it does not exist.
func (d deployment) color(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	var live corev1.ConfigMap
	err := d.client.Get(ctx, client.ObjectKey{Namespace: d.namespace, Name: name}, &live)
	if apierrors.IsNotFound(err) {
		return ""
	}
	require.NoError(t, err)
	return live.Data["color"]
}

func configMap(name, color string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {color: %s}\n", name, color)
}

func outOfSync() gitops.Condition {
	return gitops.Condition{Name: "OutOfSync", Met: func(s gitops.ApplicationStatus) (bool, error) {
		return s.Sync == gitops.SyncStatusOutOfSync, nil
	}}
}

func TestLiveSyncDoesWhatWasAsked(t *testing.T) {
	c := liveKube(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	d := deployOnRequest(t, ctx, c, "sync-requests", "app")

	status := d.sync(t, ctx, gitops.SyncRequest{DryRun: true})
	require.Equal(t, gitops.SyncStatusOutOfSync, status.Sync)
	require.Empty(t, d.color(t, ctx, "app-a")+d.color(t, ctx, "app-b"))
	require.Len(t, status.Operation.Results, 2)

	status = d.sync(t, ctx, gitops.SyncRequest{Resources: []gitops.Resource{{Kind: "ConfigMap", Name: "app-a"}}})
	require.Equal(t, "one", d.color(t, ctx, "app-a"))
	require.Empty(t, d.color(t, ctx, "app-b"))
	require.Empty(t, status.History)

	status = d.sync(t, ctx, gitops.SyncRequest{InitiatedBy: "first"})
	require.Equal(t, "one", d.color(t, ctx, "app-b"))
	require.Len(t, status.History, 1)
	first := status.History[0].Revisions[0]

	require.NoError(t, os.Remove(filepath.Join(d.repo.dir, "app/b.yaml")))
	d.write(t, "app/a.yaml", configMap("app-a", "two"))
	second := d.commit(t)
	d.sync(t, ctx, gitops.SyncRequest{})
	require.Equal(t, "two", d.color(t, ctx, "app-a"))
	require.Equal(t, "one", d.color(t, ctx, "app-b"), "only what was asked for is pruned")
	d.sync(t, ctx, gitops.SyncRequest{Prune: true})
	require.Empty(t, d.color(t, ctx, "app-b"))

	status = d.sync(t, ctx, gitops.SyncRequest{Revision: first, InitiatedBy: "back"})
	require.Equal(t, "one", d.color(t, ctx, "app-a"))
	require.Equal(t, "one", d.color(t, ctx, "app-b"))
	require.Equal(t, []string{first}, status.Operation.Revisions)

	var revisions, initiators []string
	for i, entry := range status.History {
		revisions, initiators = append(revisions, entry.Revisions...), append(initiators, entry.InitiatedBy)
		require.EqualValues(t, len(status.History)-1-i, entry.ID)
		require.False(t, entry.StartedAt.After(entry.DeployedAt))
		require.Equal(t, "app", entry.Sources[0]["path"])
	}
	require.Equal(t, []string{first, second, second, first}, revisions)
	require.Equal(t, []string{"back", "backbone", "backbone", "first"}, initiators)
}

func TestLiveSyncOfSeveralSourcesTakesARevisionForEach(t *testing.T) {
	c := liveKube(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	d := deployOnRequest(t, ctx, c, "sync-sources", "x", "y")
	status := d.sync(t, ctx, gitops.SyncRequest{})
	first := status.History[0].Revisions[0]
	d.write(t, "x/a.yaml", configMap("x-a", "two"))
	d.write(t, "y/a.yaml", configMap("y-a", "two"))
	second := d.commit(t)
	status = d.sync(t, ctx, gitops.SyncRequest{Revisions: []string{first, ""}})
	require.Equal(t, "one", d.color(t, ctx, "x-a"))
	require.Equal(t, "two", d.color(t, ctx, "y-a"))
	require.Equal(t, []string{first, second}, status.History[0].Revisions)
	require.Len(t, status.History[0].Sources, 2)
}

func TestLiveTerminateEndsARunningSync(t *testing.T) {
	c := liveKube(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	d := deployOnRequest(t, ctx, c, "terminated", "app")
	// No node runs the pod, so the hook never ends.
	d.write(t, "app/hook.yaml", `
apiVersion: batch/v1
kind: Job
metadata: {name: never, annotations: {argocd.argoproj.io/hook: PreSync}}
spec: {template: {spec: {restartPolicy: Never, nodeSelector: {no: node}, containers: [{name: never, image: never}]}}}
`)
	d.commit(t)
	watched, stop := context.WithCancel(ctx)
	defer stop()
	phases := make(chan []gitops.OperationPhase, 1)
	go func() {
		var seen []gitops.OperationPhase
		for event, err := range d.argocd.Watch(watched, gitops.Selection{Projects: []string{d.name}}) {
			if err == nil && event.Status.Operation != nil && (len(seen) == 0 || seen[len(seen)-1] != event.Status.Operation.Phase) {
				seen = append(seen, event.Status.Operation.Phase)
			}
			if len(seen) > 0 && seen[len(seen)-1] == gitops.PhaseFailed {
				break
			}
		}
		phases <- seen
	}()
	require.NoError(t, d.argocd.Sync(ctx, d.name, gitops.SyncRequest{}))
	waitForHook(t, ctx, d)

	var inProgress *gitops.OperationInProgressError
	require.ErrorAs(t, d.argocd.Sync(ctx, d.name, gitops.SyncRequest{}), &inProgress)
	require.Equal(t, gitops.PhaseRunning, inProgress.Operation.Phase)

	require.NoError(t, d.argocd.Terminate(ctx, d.name))
	_, err := d.argocd.Wait(ctx, []string{d.name}, gitops.OperationDone())
	var failed *gitops.OperationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, gitops.PhaseFailed, failed.Operation.Phase)
	require.Empty(t, d.color(t, ctx, "app-a"), "the sync did not get beyond its hook")
	seen := <-phases
	require.Equal(t, gitops.PhaseRunning, seen[0])
	require.Contains(t, seen, gitops.PhaseTerminating)
	var none *gitops.NoOperationError
	require.ErrorAs(t, d.argocd.Terminate(ctx, d.name), &none)

	// The same sync without hooks goes through.
	d.sync(t, ctx, gitops.SyncRequest{SkipHooks: true})
	require.Equal(t, "one", d.color(t, ctx, "app-a"))
}

// waitForHook watches until a hook of the running operation runs.
func waitForHook(t *testing.T, ctx context.Context, d deployment) {
	t.Helper()
	for event, err := range d.argocd.Watch(ctx, gitops.Selection{Projects: []string{d.name}}) {
		require.NoError(t, err)
		if operation := event.Status.Operation; operation != nil && operation.Phase == gitops.PhaseRunning && len(operation.Results) > 0 {
			return
		}
	}
}

func TestLiveDeleteCascadesAsAsked(t *testing.T) {
	c := liveKube(t)
	tests := map[string]struct {
		cascade gitops.CascadePolicy
		stays   bool
	}{
		"foreground": {cascade: gitops.CascadeForeground},
		"background": {cascade: gitops.CascadeBackground},
		"none":       {cascade: gitops.CascadeNone, stays: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			d := deployOnRequest(t, ctx, c, "delete-"+name, "app")
			d.sync(t, ctx, gitops.SyncRequest{})
			require.Equal(t, "one", d.color(t, ctx, "app-a"))
			require.NoError(t, d.argocd.Delete(ctx, d.name, gitops.DeleteRequest{Cascade: test.cascade, Wait: true}))
			_, err := d.argocd.Get(ctx, d.name)
			require.True(t, apierrors.IsNotFound(err), "%v", err)
			require.Equal(t, test.stays, d.color(t, ctx, "app-a") == "one")
		})
	}
}
