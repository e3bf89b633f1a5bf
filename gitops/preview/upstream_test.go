package preview

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	repocache "github.com/argoproj/argo-cd/v2/reposerver/cache"
	"github.com/argoproj/argo-cd/v2/reposerver/metrics"
	"github.com/argoproj/argo-cd/v2/reposerver/repository"
	"github.com/argoproj/argo-cd/v2/util/argo"
	"github.com/argoproj/argo-cd/v2/util/cache"
	gitutil "github.com/argoproj/argo-cd/v2/util/git"
	"github.com/stretchr/testify/require"
)

// repoServer is the part of Argo CD's repo-server that clones repositories.
func repoServer(t *testing.T) *repository.Service {
	t.Helper()
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
	t.Setenv("GIT_CONFIG_VALUE_0", "always")
	store := repocache.NewCache(cache.NewCache(cache.NewInMemoryCache(time.Hour)), time.Hour, time.Hour, time.Minute)
	server := repository.NewService(metrics.NewMetricsServer(), store, repository.RepoServerInitConstants{},
		argo.NewResourceTracking(), gitutil.NoopCredsStore{}, t.TempDir())
	require.NoError(t, server.Init())
	return server
}

func TestContentIsWhatTheRepoServerFinds(t *testing.T) {
	dir := t.TempDir()
	GitIn(t, dir, "init", "--quiet")
	WriteFiles(t, dir, map[string]string{
		"README.md": "x", "K8s/apps/web/config.json": `{"a": 1}`, "K8s/apps/web/.hidden/config.json": "{}",
		"K8s/apps/api/values.yaml": "a: b", "K8s/apps-old/config.json": "{}", "K8s/apps.d/deep/er/config.json": "{}",
		".github/workflows/ci.yaml": "", "K8s/only-hidden/.keep/file": "", "K8s/.hidden/visible/file": "",
		"ünïcode/a b/config.json": "{}", "K8s/Upper/config.json": "{}",
	})
	for link, target := range map[string]string{
		"K8s/linked-folder": "apps", "K8s/linked.json": "apps/web/config.json", "K8s/linked-file.yaml": "../README.md",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	other := GitRepository(t, map[string]string{"inner/config.json": "{}"})
	GitIn(t, dir, "submodule", "--quiet", "add", other, "K8s/module")
	commit := Commit(t, dir, "first")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty/er"), 0o755))

	server := repoServer(t)
	revision, err := Revision(t.Context(), dir, commit)
	require.NoError(t, err)
	checkout, err := Checkout(dir)
	require.NoError(t, err)
	repo := &v1alpha1.Repository{Repo: "file://" + dir}

	found, err := server.GetGitDirectories(t.Context(), &apiclient.GitDirectoriesRequest{Repo: repo, Revision: commit})
	require.NoError(t, err)
	inRevision, err := directories(revision)
	require.NoError(t, err)
	require.Equal(t, found.Paths, inRevision)
	inCheckout, err := directories(checkout)
	require.NoError(t, err)
	require.Equal(t, slices.Insert(slices.Clone(found.Paths), slices.Index(found.Paths, "K8s/module")+1, "K8s/module/inner"),
		inCheckout, "the submodule has content where it was checked out")

	for _, pattern := range []string{
		"", "*", "K8s/apps", "K8s/apps/", "K8s/apps/*/config.json", "K8s/**/config.json", "*.json", "K8s/*.json",
		"K8s/linked.json", "K8s/linked-folder", "K8s/linked-folder/*", "K8s/*.yaml",
		"K8s/module", "K8s/module/*", "K8s/module/inner/config.json",
		"**/values.yaml", "ünïcode/*", "../*", "/K8s", "K8s/[a-z]*/*.json", ".github", "missing", "K8s/Upper", "k8s/upper",
	} {
		t.Run(pattern, func(t *testing.T) {
			response, wantErr := server.GetGitFiles(t.Context(),
				&apiclient.GitFilesRequest{Repo: repo, Revision: commit, Path: pattern})
			inRevision, err := files(revision, pattern)
			inCheckout, checkoutErr := files(checkout, pattern)
			if wantErr != nil {
				require.Error(t, err, "Argo CD: %v", wantErr)
				require.Error(t, checkoutErr, "Argo CD: %v", wantErr)
				return
			}
			require.NoError(t, err)
			require.NoError(t, checkoutErr)
			want := maps.Clone(response.Map)
			if want == nil {
				want = map[string][]byte{}
			}
			require.Equal(t, want, inRevision)
			require.Equal(t, want, inCheckout)
		})
	}
}

func TestDirectoriesOfAnyFileSystem(t *testing.T) {
	for name, test := range map[string]struct {
		fsys fstest.MapFS
		want []string
	}{
		"a folder comes before those in it, by name": {
			fstest.MapFS{"b/x": {}, "a/c/x": {}, "a-b/x": {}, "a/b/d/x": {}},
			[]string{"a", "a/b", "a/b/d", "a/c", "a-b", "b"},
		},
		"neither the root nor folders with a leading dot": {
			fstest.MapFS{"x": {}, ".git/x": {}, "a/.b/c/x": {}, "a/d/x": {}},
			[]string{"a", "a/d"},
		},
		"a folder with hidden files only is there": {fstest.MapFS{"a/.b/c/x": {}, "d/.keep": {}}, []string{"a", "d"}},
		"a folder without files is not":            {fstest.MapFS{"a/b/c": {Mode: os.ModeDir}, "d/.e/f": {Mode: os.ModeDir}}, nil},
		"a submodule that was not checked out is there": {
			fstest.MapFS{"a/b": {Mode: os.ModeDir}, ".gitmodules": {Data: []byte("[submodule \"b\"]\n\tpath = a/b\n\turl = x\n")}},
			[]string{"a", "a/b"},
		},
		"a link is not a folder": {fstest.MapFS{"a/x": {}, "b": {Mode: os.ModeSymlink, Data: []byte("a")}}, []string{"a"}},
		"nothing":                {fstest.MapFS{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			paths, err := directories(test.fsys)
			require.NoError(t, err)
			require.Equal(t, test.want, append([]string(nil), paths...))
		})
	}
}
