package preview

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// appFolders is the content of a repository with so many folders, 100 in each group, no two of them equal.
func appFolders(count int) map[string]string {
	contents := make(map[string]string, count)
	for i := range count {
		contents[fmt.Sprintf("K8s/group-%04d/app-%06d/config.json", i/100, i)] = fmt.Sprintf(`{"app": %d}`, i)
	}
	return contents
}

// packed makes a bare repository of one commit, whose objects are in one pack.
func packed(t testing.TB, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	GitIn(t, dir, "init", "--quiet", "--bare")
	var stream strings.Builder
	stream.WriteString("commit refs/heads/main\ncommitter preview <preview@example.com> 0 +0000\ndata 0\n")
	for name, content := range contents {
		fmt.Fprintf(&stream, "M 100644 inline %s\ndata %d\n%s\n", name, len(content), content)
	}
	PipeToGit(t, dir, stream.String(), "fast-import", "--quiet")
	return dir
}

// loose makes the same repository with every object in a file of its own.
func loose(t testing.TB, contents map[string]string) string {
	t.Helper()
	source, dir := packed(t, contents), t.TempDir()
	GitIn(t, dir, "init", "--quiet", "--bare")
	packs, err := filepath.Glob(filepath.Join(source, "objects", "pack", "*.pack"))
	require.NoError(t, err)
	for _, pack := range packs {
		data, err := os.ReadFile(pack)
		require.NoError(t, err)
		PipeToGit(t, dir, string(data), "unpack-objects", "-q")
	}
	GitIn(t, dir, "update-ref", "refs/heads/main", GitIn(t, source, "rev-parse", "main"))
	return dir
}

// BenchmarkDirectories opens a repository anew and lists its folders, as a preview does.
func BenchmarkDirectories(b *testing.B) {
	for _, count := range []int{1_000, 10_000, 100_000} {
		contents := appFolders(count)
		for _, kind := range []struct {
			name string
			make func(testing.TB) func(testing.TB) fs.FS
		}{
			{"packed", func(t testing.TB) func(testing.TB) fs.FS { return revisionOf(packed(t, contents)) }},
			{"loose", func(t testing.TB) func(testing.TB) fs.FS { return revisionOf(loose(t, contents)) }},
			{"checkout", func(t testing.TB) func(testing.TB) fs.FS {
				dir := t.TempDir()
				WriteFiles(t, dir, contents)
				return func(t testing.TB) fs.FS {
					fsys, err := Checkout(dir)
					require.NoError(t, err)
					return fsys
				}
			}},
			{"memory", func(testing.TB) func(testing.TB) fs.FS {
				fsys := fstest.MapFS{}
				for name, content := range contents {
					fsys[name] = &fstest.MapFile{Data: []byte(content)}
				}
				return func(testing.TB) fs.FS { return fsys }
			}},
		} {
			if testing.Short() && count > 10_000 || kind.name == "memory" && count > 1_000 {
				// fstest.MapFS looks at every file for every folder.
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", kind.name, count), func(b *testing.B) {
				open := kind.make(b)
				b.ReportAllocs()
				for b.Loop() {
					paths, err := directories(open(b))
					require.NoError(b, err)
					require.Len(b, paths, count+(count+99)/100+1)
				}
			})
		}
	}
}

func revisionOf(dir string) func(testing.TB) fs.FS {
	return func(t testing.TB) fs.FS {
		fsys, err := Revision(t.Context(), dir, "main")
		require.NoError(t, err)
		return fsys
	}
}
