package image_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/image"
)

func load(t *testing.T, text string) (*image.Table, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "images.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	table, err := image.Load(path)
	require.NoError(t, err)
	return table, path
}

func TestImageOfTheTable(t *testing.T) {
	t.Parallel()
	table, path := load(t, `{"app:v1": {"dir": "bin", "entrypoint": ["app", "serve"]}, "other:v1": {"dir": "/opt/bin"}}`)
	got, err := table.Image("app:v1")
	require.NoError(t, err)
	want := image.Image{Dir: filepath.Join(filepath.Dir(path), "bin"), Entrypoint: []string{"app", "serve"}}
	require.Empty(t, cmp.Diff(want, got))
	got, err = table.Image("other:v1")
	require.NoError(t, err)
	require.Equal(t, "/opt/bin", got.Dir)

	_, err = table.Image("app:v2")
	var unknown *image.UnknownError
	require.ErrorAs(t, err, &unknown)
	require.Empty(t, cmp.Diff(image.UnknownError{Image: "app:v2", Table: path}, *unknown))
}

func TestLoadNamesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "images.json")
	_, err := image.Load(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("["), 0o600))
	_, err = image.Load(path)
	require.ErrorContains(t, err, path)
}

func TestExecutable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"app": 0o700, "data": 0o600} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode))
	}
	own := filepath.Join(t.TempDir(), "own")
	require.NoError(t, os.WriteFile(own, []byte("#!/bin/sh\n"), 0o700))
	tests := map[string]struct {
		dir, command string
		want         string // base name; the directory is checked for the image's own
	}{
		"a name in the image's directory":       {dir, "app", filepath.Join(dir, "app")},
		"a path of the image, by its base name": {dir, "/usr/local/bin/app", filepath.Join(dir, "app")},
		"a path that exists on this machine":    {dir, own, own},
		"a program of this machine":             {dir, "sh", "sh"},
		"a program of this machine, by a path":  {"", "/nowhere/sh", "sh"},
		"a file that is not executable":         {dir, "data", ""},
		"a program that does not exist":         {dir, "no-such-program", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := image.Image{Dir: test.dir}.Executable(test.command)
			switch {
			case test.want == "":
				require.ErrorContains(t, err, "no executable")
			case filepath.IsAbs(test.want):
				require.NoError(t, err)
				require.Equal(t, test.want, got)
			default:
				require.NoError(t, err)
				require.Equal(t, test.want, filepath.Base(got))
			}
		})
	}
}
