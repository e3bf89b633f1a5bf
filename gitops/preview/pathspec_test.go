package preview

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tracked makes a repository whose index holds empty files at the paths.
func tracked(t testing.TB, paths ...string) string {
	t.Helper()
	dir := t.TempDir()
	GitIn(t, dir, "init", "--quiet")
	contents := map[string]string{}
	for _, path := range paths {
		contents[path] = ""
	}
	WriteFiles(t, dir, contents)
	GitIn(t, dir, "add", "--all", "--force")
	return dir
}

// lsFiles is what Argo CD asks git for (argo-cd: util/git/client.go, LsFiles).
func lsFiles(t testing.TB, dir, pattern string) ([]string, error) {
	if pattern == "" {
		pattern = "."
	}
	out, err := TryGitIn(t, dir, "ls-files", "--full-name", "-z", "--", pattern)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	paths := strings.Split(out, "\x00")
	return paths[:len(paths)-1], nil
}

var patternTree = []string{
	"README.md", "config.json", ".hidden/config.json", ".config.yaml",
	"K8s/apps/web/config.json", "K8s/apps/web/values.yaml", "K8s/apps/api/config.json", "K8s/apps.json",
	"K8s/apps-old/web/config.json", "K8s/Apps/upper.json", "K8s/a b/config.json",
	"a*b/c", "axb/c", "[x]/file", "x/file", `back\slash/file`, "back/slash/file", "dash-", "a]b", "^caret", "!bang",
	"é/config.json", ":colon/file", "a?c", "abc", "tab\tname", "sub/[dir]/config.json", "sub/d/config.json",
	"..dots/file", "trailing./file", "UPPER.YAML", "lower.yaml", "deep/1/2/3/4/5/config.json", "[", "*", "?", `\`, "-",
}

func TestFilesMatchesPatternsAsGitLsFiles(t *testing.T) {
	dir := tracked(t, patternTree...)
	checkout, err := Checkout(dir)
	require.NoError(t, err)
	for _, pattern := range []string{
		"", ".", "./", "*", "**", "**/config.json", "*/config.json", "K8s", "K8s/", "K8s/.", "K8s//apps", "./K8s/apps",
		"K8s/apps/../apps.json", "K8s/..", "K8s/../K8s/apps/*", "K8s/*/config.json", "K8s/**/config.json", "K8s/app",
		"K8s/apps", "K8s/apps/*/config.json", "K8s/apps/**", "K8s/apps*", "K8s/apps?json", "K8s?apps/web/config.json",
		"k8s/apps", "*.JSON", "*.json", "*.[jy]*", "a*b", "a\\*b", "a\\*b/c", "a*b/c", "[x]", "[x]/file", "\\[x]/file",
		"[[]x[]]/file", "back\\slash", "back\\\\slash/file", "back[\\]slash/file", "back[\\\\]slash/file", "dash[-]",
		"dash[!x]", "dash[^x]", "a[]]b", "a[!]]b", "[!a-z]*", "[[:upper:]]*", "[[:nonsense:]]*", "[[:upper:]-z]*",
		"[a-", "[", "[]", "[!]", "[]-a]", "[^", "a[", "a]b", "^caret", "!bang", "[:]colon/file", "?colon/file", "é/*",
		"?/config.json", "??/config.json", "[é][é]/config.json", "[\xc3][\xa9]/config.json", "a?c", "a\\?c", "abc\\", "abc/",
		"tab?name", "tab[[:blank:]]name", "K8s/a b/*", "K8s/a[[:space:]]b/*", "sub/[dir]", "sub/[dir]/*", "..dots",
		"../x", "..", "/", "/K8s/*", "trailing./", "trailing./file/", "deep/*/config.json", "deep/?/?/?/?/?/config.json",
		"deep/1/2/*/*/5", "*********c*o*n*f*i*g*j*s*o*n", "config.json/", "config.json/.", "config.json/..",
		"config.json/x", "[a-c]bc", "[c-a]bc", "[a\\-c]bc", "[\\a-\\c]bc", "[a-\\", "[a-c-z]bc", "[[:lower:][:upper:]]*",
		"[[:alpha:]", "[[:x", "[[x]:]*", "[[:]*", "[[:]:]*", "\\*", "\\\\", "\\[", "[\\", "-", "--", "-z", "[--a]", "[!--a]",
		"[[:digit:][:punct:]]*", "[[:xdigit:]]*", "[[:cntrl:]]*", "[[:graph:]]", "[[:print:]]", "[[:alnum:]]bc",
	} {
		t.Run(pattern, func(t *testing.T) { sameAsGit(t, dir, checkout, pattern) })
	}
}

// sameAsGit fails unless files and git agree about a pattern, be it that it matches nothing or is refused.
func sameAsGit(t *testing.T, dir string, fsys fs.FS, pattern string) {
	t.Helper()
	want, wantErr := lsFiles(t, dir, pattern)
	got, err := files(fsys, pattern)
	if wantErr != nil {
		require.Error(t, err, "git refuses the pattern: %v", wantErr)
		return
	}
	require.NoError(t, err)
	slices.Sort(want)
	paths := slices.AppendSeq([]string{}, maps.Keys(got))
	slices.Sort(paths)
	require.Equal(t, want, paths, "pattern %q", pattern)
}

func TestFilesMatchesRandomPatternsAsGitLsFiles(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 14))
	word := func(alphabet []string, most int) string {
		var text strings.Builder
		for range 1 + random.IntN(most) {
			text.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		return text.String()
	}
	for range 20 {
		var paths []string
		for range 60 {
			path := word([]string{"a", "b", "c", "-", "]", "[", "*", "?", `\`, ".", "a/", "b/", "c/", "!", "^"}, 7)
			if valid(path) {
				paths = append(paths, path)
			}
		}
		dir := tracked(t, withoutClashes(paths)...)
		checkout, err := Checkout(dir)
		require.NoError(t, err)
		for range 50 {
			pattern := word([]string{"a", "b", "c", "*", "**", "?", "[", "]", "[ab]", "[!a]", "[a-b]", "[^-c]", "-", `\`, "/",
				"/", "/", ".", "..", "[[:alpha:]]", "[:", ":]", "!"}, 6)
			if strings.HasPrefix(pattern, ":") {
				continue
			}
			sameAsGit(t, dir, checkout, pattern)
		}
	}
}

// valid tells whether the path of a file can be made.
func valid(path string) bool {
	return fs.ValidPath(path) && path != "."
}

// withoutClashes leaves out the paths that would need a file to be a folder too.
func withoutClashes(paths []string) []string {
	slices.Sort(paths)
	var kept []string
	for _, path := range slices.Compact(paths) {
		if !slices.ContainsFunc(paths, func(other string) bool { return strings.HasPrefix(other, path+"/") }) {
			kept = append(kept, path)
		}
	}
	return kept
}
