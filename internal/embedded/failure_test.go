package embedded_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded"
)

func TestStartNamesTheCauseOfItsFailure(t *testing.T) {
	for name, failure := range map[string]struct {
		arrange func(t *testing.T)
		options embedded.Options
		check   func(t *testing.T, err error)
	}{
		"a component that does not exist": {
			arrange: func(*testing.T) {},
			options: embedded.Options{Components: []embedded.Component{"argo"}},
			check:   func(t *testing.T, err error) { require.ErrorContains(t, err, `"argo"`) },
		},
		"no go command": {
			arrange: func(t *testing.T) { t.Setenv("PATH", t.TempDir()) },
			check:   func(t *testing.T, err error) { require.ErrorContains(t, err, "install Go") },
		},
		"a cache directory that cannot be written": {
			arrange: func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "file")
				require.NoError(t, os.WriteFile(file, nil, 0o600))
				t.Setenv("BACKBONE_CACHE", filepath.Join(file, "cache"))
			},
			check: func(t *testing.T, err error) { require.ErrorContains(t, err, "BACKBONE_CACHE") },
		},
		"no space for the cluster's data": {
			// The proc file system has no free blocks.
			arrange: func(t *testing.T) { t.Setenv("TMPDIR", "/proc") },
			check: func(t *testing.T, err error) {
				var space *embedded.SpaceError
				require.ErrorAs(t, err, &space)
				require.Less(t, space.Free, space.Needed)
			},
		},
		"a nested module that does not build": {
			arrange: func(t *testing.T) {
				t.Setenv("BACKBONE_CACHE", t.TempDir())
				t.Setenv("GOMODCACHE", t.TempDir())
				t.Setenv("GOPROXY", "off")
			},
			check: func(t *testing.T, err error) {
				var build *embedded.BuildError
				require.ErrorAs(t, err, &build)
				require.Equal(t, "kubernetes", build.Module)
				require.NotEmpty(t, build.Output)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			failure.arrange(t)
			_, err := embedded.Start(t.Context(), failure.options)
			require.Error(t, err)
			failure.check(t, err)
			require.Empty(t, children(t), "nothing is left running")
		})
	}
}
