package target_test

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	argogit "github.com/argoproj/argo-cd/v2/util/git"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

const publishedURL = "git://git.backbone-git.svc:9418/platform.git"

// gitService is where the published repository is, in a cluster with containers.
var gitService = target.Service{Namespace: target.GitNamespace, Name: "git", Port: 9418}

func TestPublishLetsTheClusterReadEveryCommit(t *testing.T) {
	connected := connect(t)
	target.ListenGit(connected, freePort(t))
	dir := newRepository(t)

	began := time.Now()
	first := commit(t, dir, 4<<20)
	requirePublished(t, connected, dir, first)
	t.Logf("installed and published after %s", time.Since(began))

	began = time.Now()
	second := commit(t, dir, 1<<10)
	requirePublished(t, connected, dir, second)
	t.Logf("published again after %s", time.Since(began))

	git(t, dir, "reset", "--quiet", "--hard", first)
	rewritten := commit(t, dir, 1<<10)
	require.NotEqual(t, second, rewritten)
	requirePublished(t, connected, dir, rewritten)

	require.NoError(t, connected.Stop(t.Context()))
	err := newClient(t).Get(t.Context(), client.ObjectKey{Name: target.GitNamespace}, &corev1.Namespace{})
	require.True(t, apierrors.IsNotFound(err), "Stop removes the git server")
}

func TestARetainedGitServerIsUsedAgain(t *testing.T) {
	dir := newRepository(t)
	first := commit(t, dir, 1<<10)
	port := freePort(t)

	retained := connect(t)
	target.ListenGit(retained, port)
	requirePublished(t, retained, dir, first)
	retained.Retain()
	require.NoError(t, retained.Stop(t.Context()))

	next := connect(t)
	target.ListenGit(next, port)
	endpoint, err := next.Endpoint(t.Context(), gitService)
	require.NoError(t, err)
	require.Equal(t, first, remoteHead(t, endpoint), "it still holds what was published")
	requirePublished(t, next, dir, commit(t, dir, 1<<10))
}

func TestPublishWaitsForTheEndOfAnEarlierGitServer(t *testing.T) {
	dir := newRepository(t)
	head := commit(t, dir, 1<<10)
	port := freePort(t)
	earlier := connect(t)
	target.ListenGit(earlier, port)
	requirePublished(t, earlier, dir, head)
	require.NoError(t, newClient(t).Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: target.GitNamespace}}))

	next := connect(t)
	target.ListenGit(next, port)
	requirePublished(t, next, dir, head)
}

func TestPublishLeavesTheNamespacesOfOthersAlone(t *testing.T) {
	c := newClient(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: target.GitNamespace}}
	require.NoError(t, c.Create(t.Context(), namespace))
	connected := connect(t)

	_, err := connected.Publish(t.Context(), newRepository(t))
	require.ErrorContains(t, err, "not Backbone's")

	require.NoError(t, connected.Stop(t.Context()))
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
	require.Nil(t, namespace.DeletionTimestamp)
	require.NoError(t, c.Delete(t.Context(), namespace))
	require.Eventually(t, func() bool {
		return apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
	}, 20*time.Second, 100*time.Millisecond)
}

func TestPublishSaysWhyTheGitServerDoesNotRun(t *testing.T) {
	bare, err := target.Embedded(t.Context(), embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bare.Stop(context.Background())) })
	connected, err := target.Connect(t.Context(), bare.Kubeconfig(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connected.Stop(context.Background())) })

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = connected.Publish(ctx, newRepository(t))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "ErrImageNeverPull")
	require.ErrorContains(t, err, gitImage)
}

func TestPublishNeedsACommit(t *testing.T) {
	connected := connect(t)
	target.ListenGit(connected, freePort(t))
	dir := newRepository(t)
	_, err := connected.Publish(t.Context(), dir)
	require.ErrorContains(t, err, "HEAD")
	require.ErrorContains(t, err, dir)
}

// requirePublished publishes, and reads the commit back as Argo CD's
// repo-server would: with its own git client.
func requirePublished(t *testing.T, connected target.Target, dir, want string) {
	t.Helper()
	url, err := connected.Publish(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, publishedURL, url)

	endpoint, err := connected.Endpoint(t.Context(), gitService)
	require.NoError(t, err)
	require.Equal(t, want, remoteHead(t, endpoint))
	checkout := t.TempDir()
	reader, err := argogit.NewClientExt("git://"+endpoint.Local+"/platform.git", checkout, argogit.NopCreds{}, false, false, "", "")
	require.NoError(t, err)
	require.NoError(t, reader.Init())
	revision, err := reader.LsRemote("main")
	require.NoError(t, err)
	require.Equal(t, want, revision)
	require.NoError(t, reader.Fetch(revision))
	_, err = reader.Checkout(revision, false)
	require.NoError(t, err)
	published, err := os.ReadFile(filepath.Join(dir, "file"))
	require.NoError(t, err)
	read, err := os.ReadFile(filepath.Join(checkout, "file"))
	require.NoError(t, err)
	require.True(t, string(published) == string(read), "the file arrives as it was committed")
}

func remoteHead(t *testing.T, endpoint target.Endpoint) string {
	t.Helper()
	head, _, _ := strings.Cut(git(t, ".", "ls-remote", "git://"+endpoint.Local+"/platform.git", "refs/heads/main"), "\t")
	return head
}

func newRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "--quiet", "--initial-branch=work")
	return dir
}

// commit adds a commit with a random file of that many bytes and returns its hash.
func commit(t *testing.T, dir string, size int) string {
	t.Helper()
	content := make([]byte, size)
	_, err := rand.Read(content)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), content, 0o600))
	git(t, dir, "add", "file")
	git(t, dir, "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgSign=false", "commit", "--quiet", "--message=Change")
	return git(t, dir, "rev-parse", "HEAD")
}

func git(t *testing.T, dir string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", arguments...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", arguments, out)
	return strings.TrimSpace(string(out))
}
