package logfile_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"github.com/virtual-kubelet/virtual-kubelet/node/api"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/logfile"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 40_000)
	tests := map[string]struct {
		writes  []string
		options api.ContainerLogOpts
		want    string
	}{
		"whole lines":                          {[]string{"a\nb\n"}, api.ContainerLogOpts{}, "a\nb\n"},
		"lines in pieces":                      {[]string{"a", "b\nc", "\n"}, api.ContainerLogOpts{}, "ab\nc\n"},
		"an end without a line break":          {[]string{"a\nb"}, api.ContainerLogOpts{}, "a\nb\n"},
		"empty lines":                          {[]string{"\n\na\n"}, api.ContainerLogOpts{}, "\n\na\n"},
		"a line longer than one of the log":    {[]string{long + "\nb\n"}, api.ContainerLogOpts{}, long + "\nb\n"},
		"only the last line":                   {[]string{"a\nb\nc\n"}, api.ContainerLogOpts{Tail: 1}, "c\n"},
		"only the first bytes":                 {[]string{"abc\ndef\n"}, api.ContainerLogOpts{LimitBytes: 2}, "ab"},
		"followed to the end of the container": {[]string{"a\n"}, api.ContainerLogOpts{Follow: true}, "a\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "0.log")
			file, err := logfile.Create(path)
			require.NoError(t, err)
			stream := file.Stdout()
			for _, text := range test.writes {
				n, err := stream.Write([]byte(text))
				require.NoError(t, err)
				require.Equal(t, len(text), n)
			}
			require.NoError(t, stream.Flush())
			require.NoError(t, file.Close())

			reader := logfile.Read(t.Context(), path, test.options, func() bool { return false })
			got, err := io.ReadAll(reader)
			require.NoError(t, err)
			require.NoError(t, reader.Close())
			require.Empty(t, cmp.Diff(test.want, string(got)))
		})
	}
}

func TestReadOfAMissingLogFails(t *testing.T) {
	t.Parallel()
	_, err := io.ReadAll(logfile.Read(t.Context(), filepath.Join(t.TempDir(), "0.log"), api.ContainerLogOpts{}, func() bool { return false }))
	require.ErrorContains(t, err, "0.log")
}
