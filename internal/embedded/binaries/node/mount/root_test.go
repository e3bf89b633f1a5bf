package mount_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/mount"
)

func TestLinkShowsEveryMountAtItsPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outer, inner, file := filepath.Join(dir, "outer"), filepath.Join(dir, "inner"), filepath.Join(dir, "file")
	require.NoError(t, os.Mkdir(outer, 0o755))
	require.NoError(t, os.Mkdir(inner, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(inner, "a"), []byte("inner"), 0o600))
	require.NoError(t, os.WriteFile(file, []byte("file"), 0o600))
	root := filepath.Join(dir, "root")
	paths := mount.NewPaths(root, []mount.Mount{
		{Path: "/var/lib/app/inner", Source: inner}, {Path: "/var/lib/app", Source: outer}, {Path: "/etc/app.conf", Source: file},
	})

	for range 2 { // a container that is started again links the same mounts
		require.NoError(t, paths.Link())
		for path, want := range map[string]string{"/var/lib/app/inner/a": "inner", "/etc/app.conf": "file"} {
			got, err := os.ReadFile(paths.Resolve(path))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, string(got)))
		}
	}
	require.FileExists(t, filepath.Join(inner, "a"), "linking anew must not touch what mounts lead to")
}

func TestLinkRefusesToHideAFileOfAnotherMount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o600))
	paths := mount.NewPaths(filepath.Join(t.TempDir(), "root"), []mount.Mount{{Path: "/x", Source: dir}, {Path: "/x/a", Source: t.TempDir()}})
	require.ErrorContains(t, paths.Link(), "link mount path /x/a")
}
