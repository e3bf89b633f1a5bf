package conformance_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
)

// repository is a git repository with one Application, in the folder K8s/tools/settings.
type repository struct{ dir string }

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{dir: t.TempDir()}
	r.git(t, "init", "--quiet", "--initial-branch", "main")
	r.commit(t, "one")
	return r
}

// commit makes the ConfigMap say the color.
func (r repository) commit(t *testing.T, color string) {
	t.Helper()
	file := filepath.Join(r.dir, "K8s/tools/settings/configmap.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	manifest := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: %q}\n", color)
	require.NoError(t, os.WriteFile(file, []byte(manifest), 0o644))
	r.git(t, "add", ".")
	r.git(t, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", color)
}

func (r repository) git(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", r.dir}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestArgoCDDeploysAndHealsFolders(t *testing.T) {
	c := liveKube(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	repo := newRepository(t)
	objects, err := gitops.Folders{
		RepoURL: "file://" + repo.dir, Revision: "main", Groups: []gitops.Group{{Name: "tools"}}, NamespaceLabels: map[string]string{"owner": "testers"},
	}.Build()
	require.NoError(t, err)
	argocd := gitops.NewClient(c, gitops.ClientOptions{})
	require.NoError(t, argocd.Apply(ctx, objects...))
	const app = "tools-settings"
	statuses, err := argocd.Wait(ctx, []string{app})
	require.NoError(t, err)
	var namespace corev1.Namespace
	require.NoError(t, c.Get(ctx, client.ObjectKey{Name: "tools"}, &namespace))
	require.Equal(t, "testers", namespace.Labels["owner"])

	drifts := drift.NewClient(c, drift.ClientOptions{})
	baseline, err := drifts.Baseline(ctx)
	require.NoError(t, err)

	// A commit is no drift.
	repo.commit(t, "two")
	require.NoError(t, argocd.Refresh(ctx, app, gitops.RefreshNormal))
	_, err = argocd.Wait(ctx, []string{app}, gitops.Synced(), gitops.Healthy(), movedOn(statuses[0].Revisions))
	require.NoError(t, err)
	requireColor(t, ctx, c, "two")

	// A hand edit is, and a deletion.
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "tools", Name: "settings"}}
	require.NoError(t, c.Patch(ctx, settings, client.RawPatch(types.MergePatchType, []byte(`{"data":{"color":"by hand"}}`))))
	requireHealed(t, ctx, drifts, baseline, drift.Modified)
	requireColor(t, ctx, c, "two")

	baseline, err = drifts.Baseline(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Delete(ctx, settings))
	requireHealed(t, ctx, drifts, baseline, drift.Missing)
	requireColor(t, ctx, c, "two")

	// A sync on request succeeds, and says who asked.
	require.NoError(t, argocd.Sync(ctx, app, gitops.SyncRequest{InitiatedBy: "sensor"}))
	statuses, err = argocd.Wait(ctx, []string{app}, gitops.OperationDone(), gitops.Synced())
	require.NoError(t, err)
	require.Equal(t, "sensor", statuses[0].Operation.InitiatedBy)
}

// movedOn is met when other revisions are compared.
func movedOn(from []string) gitops.Condition {
	return gitops.Condition{Name: "moved on", Met: func(s gitops.ApplicationStatus) (bool, error) {
		return !cmp.Equal(from, s.Revisions), nil
	}}
}

func requireColor(t *testing.T, ctx context.Context, c client.Client, want string) {
	t.Helper()
	var settings corev1.ConfigMap
	require.NoError(t, c.Get(ctx, client.ObjectKey{Namespace: "tools", Name: "settings"}, &settings))
	require.Equal(t, want, settings.Data["color"])
}

// requireHealed watches until the first finding that has ended, which must be the settings' own and healed.
func requireHealed(t *testing.T, ctx context.Context, drifts *drift.Client, baseline drift.Baseline, change drift.Change) {
	t.Helper()
	for finding, err := range drifts.Watch(ctx, baseline) {
		require.NoError(t, err)
		t.Log(finding)
		require.Equal(t, drift.Resource{Kind: "ConfigMap", Namespace: "tools", Name: "settings"}, finding.Resource)
		if finding.State == drift.Drifted {
			continue
		}
		require.Equal(t, drift.Healed, finding.State)
		require.Equal(t, change, finding.Change)
		require.Positive(t, finding.Attempts)
		return
	}
}
