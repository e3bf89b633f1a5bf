package preview_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// linked makes the links, each at the path that it is named by, in a folder.
func linked(t *testing.T, dir string, links map[string]string) {
	t.Helper()
	for name, target := range links {
		link := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(link), 0o755))
		require.NoError(t, os.Symlink(target, link))
	}
}

func TestCheckoutIsAFileSystem(t *testing.T) {
	dir := preview.GitRepository(t, map[string]string{"K8s/app/config.json": "{}", "K8s/.hidden": "", "README.md": "x"})
	preview.WriteFiles(t, dir, map[string]string{"new/and/uncommitted.yaml": "a: b"})
	linked(t, dir, map[string]string{"K8s/other": "app", "K8s/app/readme": "../../README.md"})
	fsys, err := preview.Checkout(dir)
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(fsys, "K8s/app/config.json", "K8s/.hidden", "K8s/other", "K8s/app/readme",
		"new/and/uncommitted.yaml"))
}

func TestCheckoutReadsWhatLinksLeadTo(t *testing.T) {
	dir := t.TempDir()
	preview.WriteFiles(t, dir, map[string]string{"a/b/file": "content"})
	linked(t, dir, map[string]string{"a/link": "b/file", "c/folder": "../a/./b", "c/again": "folder/../../c/folder"})
	fsys, err := preview.Checkout(dir)
	require.NoError(t, err)
	for _, name := range []string{"a/link", "c/folder/file", "c/again/file"} {
		data, err := fs.ReadFile(fsys, name)
		require.NoError(t, err)
		require.Equal(t, "content", string(data), name)
	}
	entries, err := fs.ReadDir(fsys, "c/again")
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// forbidden are links that no file system of this package reads through, and why.
var forbidden = map[string]struct {
	links map[string]string
	name  string
	want  error
}{
	"a link to a file outside":              {map[string]string{"out": "../secret"}, "out", preview.ErrOutside},
	"a link to an absolute path":            {map[string]string{"etc": "/etc/passwd"}, "etc", preview.ErrOutside},
	"a file in a linked folder outside":     {map[string]string{"up": ".."}, "up/secret", preview.ErrOutside},
	"a link over another one":               {map[string]string{"a/one": "../b/two", "b/two": "../../secret"}, "a/one", preview.ErrOutside},
	"a link that comes back in":             {map[string]string{"back": "../inside/file"}, "back", preview.ErrOutside},
	"a link into .git":                      {map[string]string{"config": ".git/config"}, "config", fs.ErrNotExist},
	"a link to .git":                        {map[string]string{"git": ".git"}, "git/config", fs.ErrNotExist},
	"a link to nothing":                     {map[string]string{"dangling": "missing"}, "dangling", fs.ErrNotExist},
	"a link to itself":                      {map[string]string{"loop": "loop"}, "loop", preview.ErrLoop},
	"links in a circle":                     {map[string]string{"x": "y", "y": "x"}, "x/file", preview.ErrLoop},
	"a path below a file":                   {map[string]string{"to": "file"}, "to/below", fs.ErrNotExist},
	"a path with dots that leaves":          {nil, "../secret", preview.ErrOutside},
	"a path with dots that stays":           {nil, "a/../file", fs.ErrInvalid},
	"an absolute path":                      {nil, "/etc/passwd", fs.ErrInvalid},
	"what is not there":                     {nil, "nowhere/file", fs.ErrNotExist},
	"the configuration of git":              {nil, ".git/config", fs.ErrNotExist},
	"the configuration of git, in capitals": {nil, ".GIT/config", fs.ErrNotExist},
}

func TestCheckoutRefusesWhatIsOutside(t *testing.T) {
	for name, test := range forbidden {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			preview.WriteFiles(t, parent, map[string]string{"secret": "secret", "inside/file": "content"})
			dir := filepath.Join(parent, "inside")
			preview.GitIn(t, dir, "init", "--quiet")
			linked(t, dir, test.links)
			fsys, err := preview.Checkout(dir)
			require.NoError(t, err)
			refuses(t, fsys, test.name, test.want)
		})
	}
}

// refuses fails unless every way to read a path ends in an fs.PathError about it for the reason.
func refuses(t *testing.T, fsys fs.FS, name string, want error) {
	t.Helper()
	_, openErr := fsys.Open(name)
	_, readErr := fs.ReadFile(fsys, name)
	_, statErr := fs.Stat(fsys, name)
	_, listErr := fs.ReadDir(fsys, name)
	for _, err := range []error{openErr, readErr, statErr, listErr} {
		require.ErrorIs(t, err, want)
		var at *fs.PathError
		require.ErrorAs(t, err, &at)
		require.Equal(t, name, at.Path)
	}
}

func TestCheckoutHidesGit(t *testing.T) {
	dir := preview.GitRepository(t, map[string]string{"file": ""})
	preview.WriteFiles(t, dir, map[string]string{"nested/.git/config": "", "nested/file": "", "submodule/.git": "gitdir: x"})
	fsys, err := preview.Checkout(dir)
	require.NoError(t, err)
	var found []string
	require.NoError(t, fs.WalkDir(fsys, ".", func(path string, _ fs.DirEntry, err error) error {
		found = append(found, path)
		return err
	}))
	require.Equal(t, []string{".", "file", "nested", "nested/file", "submodule"}, found)
}

func TestCheckoutDoesNotWaitForAPipe(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	fsys, err := preview.Checkout(dir)
	require.NoError(t, err)
	_, err = fs.ReadFile(fsys, "pipe")
	require.Error(t, err)
	_, err = fsys.Open("pipe")
	require.Error(t, err)
}

func TestCheckoutNeedsAFolder(t *testing.T) {
	dir := t.TempDir()
	preview.WriteFiles(t, dir, map[string]string{"file": ""})
	_, err := preview.Checkout(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = preview.Checkout(filepath.Join(dir, "file"))
	var at *fs.PathError
	require.ErrorAs(t, err, &at)
	require.Equal(t, filepath.Join(dir, "file"), at.Path)
}
