package preview

import (
	"bytes"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

// bounded runs what may be hostile, and fails if it takes 2 s or 300 MB more than before.
func bounded(t *testing.T, run func()) {
	t.Helper()
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	runtime.GC()
	base, most := heap(), uint64(0)
	done, measured := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(measured)
		for ticker := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-done:
				ticker.Stop()
				return
			case <-ticker.C:
				most = max(most, heap())
			}
		}
	}()
	start := time.Now()
	run()
	took := time.Since(start)
	close(done)
	<-measured
	most = max(most, heap())
	grown := (max(most, base) - base) >> 20
	t.Logf("%v, %d MB", took.Round(time.Millisecond), grown)
	require.Less(t, took, 2*time.Second)
	require.Less(t, grown, uint64(300), "MB")
}

// hostile are files that would take far more memory or time than their size suggests.
var hostile = map[string]struct {
	content func() string
	// fits tells that the file is within the limits, and only has to stay in bounds.
	fits bool
}{
	"50 MB": {content: func() string { return manifest + strings.Repeat("# 50 MB of comments\n", 50<<20/20) }},
	"a string of 10 MB": {fits: true, content: func() string {
		return manifest + "data: " + strings.Repeat("x", MaxFileSize-len(manifest)-10)
	}},
	"an alias bomb of lists": {content: func() string {
		text := "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
		for i := 1; i < 12; i++ {
			text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
		}
		return manifest + text
	}},
	"an alias bomb of one long string": {content: func() string {
		return manifest + "a: &a " + strings.Repeat("x", 1<<20) + "\nb:\n" + strings.Repeat("- *a\n", 10_000)
	}},
	"an alias bomb of merged maps": {content: func() string {
		text := "a0: &a0 {x: " + strings.Repeat("y", 1000) + "}\n"
		for i := 1; i < 30; i++ {
			text += fmt.Sprintf("a%d: &a%d {b: {<<: *a%d}, c: {<<: *a%d}}\n", i, i, i-1, i-1)
		}
		return manifest + text
	}},
	"an alias in itself":              {content: func() string { return manifest + "a: &a [*a, *a]\n" }},
	"a million documents":             {content: func() string { return strings.Repeat("argoproj.io\n---\n", 1<<20*10/16) }},
	"a million empty documents":       {fits: true, content: func() string { return manifest + strings.Repeat("---\n", 1_000_000) }},
	"a million fields":                {content: func() string { return manifest + "a:\n" + strings.Repeat("  bbbbb:\n", 1_000_000) }},
	"a million list items":            {content: func() string { return manifest + "a: [" + strings.Repeat("1,", 1_000_000) + "1]\n" }},
	"as many fields as there may be":  {fits: true, content: func() string { return manifest + "a:\n" + distinctFields(MaxValues-20) }},
	"as many maps as there may be":    {fits: true, content: func() string { return manifest + "a:\n" + strings.Repeat("- {}\n", MaxValues/2-20) }},
	"brackets nested 100,000 deep":    {content: func() string { return manifest + "a: " + strings.Repeat("[", 100_000) }},
	"brackets nested 9,000 deep":      {fits: true, content: func() string { return manifest + "a: " + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) }},
	"lists nested 100,000 deep":       {content: func() string { return manifest + "a:\n  " + strings.Repeat("- ", 100_000) + "x" }},
	"indentation nested 4,000 deep":   {fits: true, content: func() string { return manifest + "a:\n" + indented(4_000) }},
	"a key of 10 MB":                  {content: func() string { return manifest + strings.Repeat("k", 9<<20) + ": v\n" }},
	"quotes that are not closed":      {content: func() string { return manifest + "a: \"" + strings.Repeat("x\n ", 3<<20) }},
	"binary with the name of a group": {content: func() string { return manifest + strings.Repeat("\x00\x01\xfe", 3<<20) }},
}

const manifest = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"

func distinctFields(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "  k%d: v\n", i)
	}
	return text.String()
}

func indented(depth int) string {
	var text strings.Builder
	for i := range depth {
		text.WriteString(strings.Repeat(" ", i+1))
		text.WriteString("a:\n")
	}
	return text.String()
}

func TestHostileFilesStayInBounds(t *testing.T) {
	for name, test := range hostile {
		fsys := fstest.MapFS{"K8s/bad.yaml": {Data: []byte(test.content())}}
		for how, run := range map[string]func() error{
			"Load":                func() error { _, err := Load(fsys); return err },
			"Load with a pattern": func() error { _, err := Load(fsys, "K8s"); return err },
			"the file generator":  func() error { _, err := files(fsys, "K8s/*.yaml"); return err },
		} {
			t.Run(name+", by "+how, func(t *testing.T) {
				var err error
				bounded(t, func() { err = run() })
				if test.fits {
					require.NoError(t, err)
				} else if how != "the file generator" || err != nil {
					// What does not parse, the generator refuses.
					var at *ContentError
					require.ErrorAs(t, err, &at)
					require.Equal(t, "K8s/bad.yaml", at.Path)
				}
			})
		}
	}
}

func TestHostileJSONStaysInBounds(t *testing.T) {
	for name, content := range map[string]string{
		"a million objects":   `{"apiVersion": "argoproj.io", "a": [` + strings.Repeat("{},", 1_000_000) + "{}]}",
		"nested 100,000 deep": `{"apiVersion": "argoproj.io", "a": ` + strings.Repeat("[", 100_000),
		"50 MB":               `{"apiVersion": "argoproj.io", "a": "` + strings.Repeat("x", 50<<20) + `"}`,
		"a million values":    strings.Repeat(`"argoproj.io" `, 700_000) + "{",
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{"bad.json": {Data: []byte(content)}}
			bounded(t, func() {
				_, err := Load(fsys)
				var at *ContentError
				require.ErrorAs(t, err, &at)
			})
		})
	}
}

func TestALargeFileIsReadFromNoRepository(t *testing.T) {
	contents := map[string]string{
		"data.yaml": strings.Repeat("# 50 MB of comments\n", 50<<20/20),
		"bad.yaml":  manifest + strings.Repeat("# 50 MB of comments\n", 50<<20/20),
	}
	dir := GitRepository(t, contents)
	packed := packed(t, contents)
	for name, open := range map[string]func() (fs.FS, error){
		"a checkout":            func() (fs.FS, error) { return Checkout(dir) },
		"a repository":          func() (fs.FS, error) { return Revision(t.Context(), dir, "") },
		"a repository in packs": func() (fs.FS, error) { return Revision(t.Context(), packed, "main") },
	} {
		t.Run(name, func(t *testing.T) {
			fsys, err := open()
			require.NoError(t, err)
			bounded(t, func() {
				_, err := Load(fsys)
				require.ErrorIs(t, err, ErrTooLarge)
				require.ErrorContains(t, err, "bad.yaml")
				_, err = files(fsys, "data.yaml")
				require.ErrorIs(t, err, ErrTooLarge)
				_, err = readFile(fsys, "data.yaml")
				require.ErrorIs(t, err, ErrTooLarge)
			})
		})
	}
}

func TestATreeThatNamesBillionsOfFoldersStaysInBounds(t *testing.T) {
	dir := t.TempDir()
	GitIn(t, dir, "init", "--quiet", "--bare")
	tree := GitIn(t, dir, "hash-object", "-w", "--stdin", "-t", "tree")
	blob := GitIn(t, dir, "hash-object", "-w", "--stdin")
	for level := range 10 {
		kind, hash := "tree", tree
		if level == 0 {
			kind, hash = "blob", blob
		}
		var entries bytes.Buffer
		for i := range 10 {
			mode := map[string]string{"tree": "040000", "blob": "100644"}[kind]
			fmt.Fprintf(&entries, "%s %s %s\tf%d\n", mode, kind, hash, i)
		}
		tree = PipeToGit(t, dir, entries.String(), "mktree")
	}
	commit := GitIn(t, dir, "commit-tree", tree, "-m", "bomb")
	fsys, err := Revision(t.Context(), dir, commit)
	require.NoError(t, err)
	for name, run := range map[string]func() error{
		"directories": func() error { _, err := directories(fsys); return err },
		"files":       func() error { _, err := files(fsys, "*.json"); return err },
		"Load":        func() error { _, err := Load(fsys); return err },
	} {
		t.Run(name, func(t *testing.T) {
			bounded(t, func() { require.ErrorIs(t, run(), ErrTooLarge) })
		})
	}
}

func TestReadFileStopsAtTheLimit(t *testing.T) {
	fsys := fstest.MapFS{
		"fits": {Data: make([]byte, MaxFileSize)}, "large": {Data: make([]byte, MaxFileSize+1)}, "folder/file": {},
	}
	data, err := readFile(fsys, "fits")
	require.NoError(t, err)
	require.Len(t, data, MaxFileSize)
	_, err = readFile(fsys, "large")
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = readFile(endless{fsys}, "fits")
	require.ErrorIs(t, err, ErrTooLarge, "whatever size is claimed")
	for name, want := range map[string]error{"folder": nil, "missing": fs.ErrNotExist} {
		_, err = readFile(fsys, name)
		var at *ContentError
		require.ErrorAs(t, err, &at)
		require.Equal(t, name, at.Path)
		if want != nil {
			require.ErrorIs(t, err, want)
		}
	}
}

// endless is a file system whose files go on for ever.
type endless struct{ fs.FS }

func (e endless) Open(name string) (fs.File, error) {
	file, err := e.FS.Open(name)
	return endlessFile{file}, err
}

type endlessFile struct{ fs.File }

func (endlessFile) Read(buffer []byte) (int, error) { return len(buffer), nil }
