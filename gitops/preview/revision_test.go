package preview_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	git "github.com/go-git/go-git/v5"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// history makes a repository whose commits hold a file with their name: first, second, side, merge on main; tags and
// a branch on them; changes that are not committed on top.
func history(t *testing.T) (dir string, commits map[string]string) {
	t.Helper()
	commits = map[string]string{}
	dir = preview.GitRepository(t, map[string]string{"name": "first"})
	commits["first"] = preview.GitIn(t, dir, "rev-parse", "HEAD")
	commit := func(name string) {
		preview.WriteFiles(t, dir, map[string]string{"name": name})
		commits[name] = preview.Commit(t, dir, name)
	}
	preview.GitIn(t, dir, "tag", "v1")
	commit("second")
	preview.GitIn(t, dir, "tag", "--annotate", "--message", "x", "v2")
	preview.GitIn(t, dir, "tag", "--annotate", "--message", "x", "tag-of-tag", "v2")
	preview.GitIn(t, dir, "checkout", "--quiet", "-b", "feature/side", "v1")
	commit("side")
	preview.GitIn(t, dir, "checkout", "--quiet", "main")
	preview.GitIn(t, dir, "merge", "--quiet", "--strategy", "ours", "--no-commit", "feature/side")
	commit("merge")
	preview.GitIn(t, dir, "branch", "both", commits["first"])
	preview.GitIn(t, dir, "tag", "both", commits["second"])
	preview.GitIn(t, dir, "branch", commits["side"][:7], commits["first"])
	preview.GitIn(t, dir, "update-ref", "refs/remotes/origin/elsewhere", commits["side"])
	preview.GitIn(t, dir, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/elsewhere")
	preview.GitIn(t, dir, "tag", "of-a-file", commits["first"]+":name")
	preview.WriteFiles(t, dir, map[string]string{"name": "not committed", "new": ""})
	return dir, commits
}

func nameAt(t *testing.T, repository, revision string) string {
	t.Helper()
	fsys, err := preview.Revision(t.Context(), repository, revision)
	require.NoError(t, err)
	data, err := fs.ReadFile(fsys, "name")
	require.NoError(t, err)
	return string(data)
}

func TestRevisionReadsNamesAsGitDoes(t *testing.T) {
	dir, commits := history(t)
	for revision, want := range map[string]string{
		"": "merge", "HEAD": "merge", "@": "merge", "main": "merge", "refs/heads/main": "merge", "heads/main": "merge",
		"v1": "first", "v2": "second", "tag-of-tag": "second", "refs/tags/v2": "second", "tags/v2": "second", "v2^{}": "second",
		"v2^{commit}": "second", "feature/side": "side", "origin/elsewhere": "side", "origin": "side", "origin/HEAD": "side",
		"refs/remotes/origin/elsewhere": "side", "HEAD^": "second", "HEAD~": "second", "HEAD~1": "second", "HEAD^1": "second",
		"HEAD^2": "side", "HEAD^2~1": "first", "HEAD~2": "first", "HEAD^^": "first", "HEAD^0": "merge", "HEAD~0": "merge",
		"@~2": "first", "v2~1": "first", "both": "second", "heads/both": "first",
		commits["first"]: "first", commits["first"][:7]: "first", commits["second"][:10]: "second",
		strings.ToUpper(commits["second"]): "second", strings.ToUpper(commits["second"][:9]): "second",
		commits["second"][:12] + "^": "first", "v1-1-g" + commits["second"][:8]: "second",
		// A branch goes before the beginning of a commit.
		commits["side"][:7]: "first",
	} {
		t.Run(revision, func(t *testing.T) {
			require.Equal(t, want, nameAt(t, dir, revision))
			if revision != "" {
				require.Equal(t, commits[want], preview.GitIn(t, dir, "rev-parse", revision+"^{commit}"), "git agrees")
			}
		})
	}
}

func TestRevisionSaysWhichRevisionIsNot(t *testing.T) {
	dir, commits := history(t)
	for _, revision := range []string{
		"missing", "main~9", "main^3", "v1^", "feature", "refs/heads", "objects", "config", "../config", "HEAD:name", "main..v1",
		"@{1}", "main@{upstream}", ":/first", "HEAD^{tree}", "of-a-file", strings.Repeat("0", 40), "abc", "-v", "~1", "^",
		commits["first"][:39] + "g", "main\x00", " ", "HEAD~99999999999999999999",
	} {
		t.Run(revision, func(t *testing.T) {
			_, err := preview.Revision(t.Context(), dir, revision)
			require.ErrorIs(t, err, preview.ErrNoRevision)
			var at *preview.RevisionError
			require.ErrorAs(t, err, &at)
			require.Equal(t, dir, at.Repository)
			require.Equal(t, revision, at.Revision)
		})
	}
}

func TestRevisionRefusesDigitsThatSeveralCommitsShare(t *testing.T) {
	dir := t.TempDir()
	preview.GitIn(t, dir, "init", "--quiet", "--bare")
	var stream strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter preview <preview@example.com> %d +0000\ndata 0\n", i)
	}
	preview.PipeToGit(t, dir, stream.String(), "fast-import", "--quiet")
	shared := map[string]bool{}
	for commit := range strings.Lines(preview.GitIn(t, dir, "rev-list", "main")) {
		commit = strings.TrimSpace(commit)
		if shared[commit[:4]] {
			_, err := preview.Revision(t.Context(), dir, commit[:4])
			require.ErrorIs(t, err, preview.ErrAmbiguous)
			_, err = preview.Revision(t.Context(), dir, commit[:12])
			require.NoError(t, err)
			return
		}
		shared[commit[:4]] = true
	}
	require.Fail(t, "no two commits begin with the same digits")
}

func TestRevisionOpensEveryKindOfRepository(t *testing.T) {
	dir, commits := history(t)
	beside := func(name string) string { return filepath.Join(t.TempDir(), name) }
	for name, open := range map[string]func() string{
		"a working tree": func() string { return dir },
		"a bare repository": func() string {
			clone := beside("bare")
			preview.GitIn(t, dir, "clone", "--quiet", "--bare", dir, clone)
			return clone
		},
		"the .git of a working tree": func() string { return filepath.Join(dir, ".git") },
		"a linked working tree": func() string {
			worktree := beside("linked")
			preview.GitIn(t, dir, "worktree", "add", "--quiet", "--detach", worktree, "main")
			return worktree
		},
		"a clone that borrows its objects": func() string {
			clone := beside("shared")
			preview.GitIn(t, dir, "clone", "--quiet", "--shared", dir, clone)
			return clone
		},
		"a clone that borrows its objects by a relative path": func() string {
			clone := beside("relative")
			preview.GitIn(t, dir, "clone", "--quiet", "--shared", dir, clone)
			objects, err := filepath.Rel(filepath.Join(clone, ".git/objects"), filepath.Join(dir, ".git/objects"))
			require.NoError(t, err)
			preview.WriteFiles(t, clone, map[string]string{".git/objects/info/alternates": objects + "\n"})
			return clone
		},
		"a linked working tree of a clone that borrows": func() string {
			clone, worktree := beside("borrows"), beside("linked")
			preview.GitIn(t, dir, "clone", "--quiet", "--shared", dir, clone)
			preview.GitIn(t, clone, "worktree", "add", "--quiet", "--detach", worktree)
			return worktree
		},
		"packed objects and references": func() string {
			clone := beside("packed")
			preview.GitIn(t, dir, "clone", "--quiet", "--no-local", dir, clone)
			preview.GitIn(t, clone, "pack-refs", "--all")
			preview.GitIn(t, clone, "repack", "-a", "-d", "--quiet")
			return clone
		},
		"a git folder elsewhere": func() string {
			clone := beside("separate")
			preview.GitIn(t, dir, "clone", "--quiet", "--separate-git-dir", beside("elsewhere"), dir, clone)
			return clone
		},
	} {
		t.Run(name, func(t *testing.T) {
			repository := open()
			require.Equal(t, "merge", nameAt(t, repository, ""))
			require.Equal(t, "second", nameAt(t, repository, "v2"))
			require.Equal(t, "side", nameAt(t, repository, commits["side"][:12]))
			require.Equal(t, "first", nameAt(t, repository, "HEAD~2"))
		})
	}
	t.Run("a relative path", func(t *testing.T) {
		t.Chdir(filepath.Dir(dir))
		require.Equal(t, "merge", nameAt(t, filepath.Base(dir), ""))
	})
}

func TestRevisionOfAShallowCloneSaysWhereItEnds(t *testing.T) {
	dir, _ := history(t)
	clone := filepath.Join(t.TempDir(), "shallow")
	preview.GitIn(t, dir, "clone", "--quiet", "--depth", "1", "file://"+dir, clone)
	require.Equal(t, "merge", nameAt(t, clone, ""))
	_, err := preview.Revision(t.Context(), clone, "HEAD~1")
	require.ErrorIs(t, err, preview.ErrNoRevision)
	require.ErrorContains(t, err, "git fetch --unshallow")
}

func TestRevisionOfAPartialCloneReadsWhatItHas(t *testing.T) {
	dir := preview.GitRepository(t, map[string]string{"K8s/app/file": "x"})
	preview.GitIn(t, dir, "config", "uploadpack.allowFilter", "true")
	clone := filepath.Join(t.TempDir(), "partial")
	preview.GitIn(t, dir, "clone", "--quiet", "--no-checkout", "--filter=blob:none", "file://"+dir, clone)
	fsys, err := preview.Revision(t.Context(), clone, "")
	require.NoError(t, err)
	_, err = fs.ReadDir(fsys, "K8s/app")
	require.NoError(t, err)
	_, err = fs.ReadFile(fsys, "K8s/app/file")
	require.ErrorContains(t, err, "git fetch --refetch")
}

func TestRevisionSaysWhyARepositoryCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		make func(dir string)
		want error
	}{
		"missing":             {func(dir string) { require.NoError(t, os.Remove(dir)) }, fs.ErrNotExist},
		"an empty folder":     {func(string) {}, git.ErrRepositoryNotExists},
		"a folder of files":   {func(dir string) { preview.WriteFiles(t, dir, map[string]string{"a/b": ""}) }, git.ErrRepositoryNotExists},
		"a .git to nowhere":   {func(dir string) { preview.WriteFiles(t, dir, map[string]string{".git": "gitdir: /nowhere\n"}) }, git.ErrRepositoryNotExists},
		"a .git that is none": {func(dir string) { preview.WriteFiles(t, dir, map[string]string{".git": "x"}) }, nil},
		"objects of sha256":   {func(dir string) { preview.GitIn(t, dir, "init", "--quiet", "--object-format=sha256") }, nil},
		"an unknown format": {func(dir string) {
			preview.GitIn(t, dir, "init", "--quiet")
			preview.GitIn(t, dir, "config", "core.repositoryFormatVersion", "1")
			preview.GitIn(t, dir, "config", "extensions.refStorage", "reftable")
		}, nil},
		"an unknown extension": {func(dir string) {
			preview.GitIn(t, dir, "init", "--quiet")
			preview.GitIn(t, dir, "config", "extensions.unheardOf", "true")
		}, nil},
		"objects borrowed from nowhere": {func(dir string) {
			preview.GitIn(t, dir, "init", "--quiet")
			preview.WriteFiles(t, dir, map[string]string{".git/objects/info/alternates": "/nowhere/objects\n"})
		}, nil},
		"objects borrowed from itself": {func(dir string) {
			preview.GitIn(t, dir, "init", "--quiet")
			preview.WriteFiles(t, dir, map[string]string{".git/objects/info/alternates": filepath.Join(dir, ".git/objects")})
		}, nil},
		"a broken configuration": {func(dir string) {
			preview.GitIn(t, dir, "init", "--quiet")
			preview.WriteFiles(t, dir, map[string]string{".git/config": "[core"})
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "repository")
			require.NoError(t, os.Mkdir(dir, 0o755))
			test.make(dir)
			_, err := preview.Revision(t.Context(), dir, "")
			var at *preview.RepositoryError
			require.ErrorAs(t, err, &at)
			require.Equal(t, dir, at.Repository)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
		})
	}
	t.Run("a file", func(t *testing.T) {
		dir := t.TempDir()
		preview.WriteFiles(t, dir, map[string]string{"file": ""})
		_, err := preview.Revision(t.Context(), filepath.Join(dir, "file"), "")
		require.ErrorAs(t, err, new(*preview.RepositoryError))
	})
	t.Run("no commit yet", func(t *testing.T) {
		dir := t.TempDir()
		preview.GitIn(t, dir, "init", "--quiet")
		_, err := preview.Revision(t.Context(), dir, "")
		require.ErrorIs(t, err, preview.ErrNoRevision)
	})
}

func TestRevisionIsAFileSystem(t *testing.T) {
	dir := t.TempDir()
	preview.GitIn(t, dir, "init", "--quiet")
	// git orders a-b, a.b, a/ and so on in another way than their names.
	preview.WriteFiles(t, dir, map[string]string{"a/file": "x", "a-b": "", "a.b": "", "a0": "", "deep/1/2/3/file": "", "ü/ö": ""})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run"), []byte("#!"), 0o755))
	linked(t, dir, map[string]string{"link": "a/file", "folder": "deep/1", "deep/up": "../a"})
	preview.Commit(t, dir, "first")
	fsys, err := preview.Revision(t.Context(), dir, "")
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(fsys, "a/file", "a-b", "a.b", "a0", "deep/1/2/3/file", "ü/ö", "link", "folder", "deep/up", "run"))
	for name, want := range map[string]string{"link": "x", "deep/up/file": "x"} {
		data, err := fs.ReadFile(fsys, name)
		require.NoError(t, err)
		require.Equal(t, want, string(data))
	}
	info, err := fs.Stat(fsys, "run")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o555), info.Mode())
}

func TestRevisionRefusesWhatIsOutside(t *testing.T) {
	for name, test := range forbidden {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			preview.WriteFiles(t, parent, map[string]string{"secret": "secret", "inside/file": "content"})
			dir := filepath.Join(parent, "inside")
			preview.GitIn(t, dir, "init", "--quiet")
			linked(t, dir, test.links)
			preview.Commit(t, dir, "first")
			fsys, err := preview.Revision(t.Context(), dir, "")
			require.NoError(t, err)
			refuses(t, fsys, test.name, test.want)
		})
	}
}

func TestRevisionLeavesTheRepositoryAlone(t *testing.T) {
	dir, _ := history(t)
	before := snapshot(t, dir)
	fsys, err := preview.Revision(t.Context(), dir, "v1")
	require.NoError(t, err)
	require.NoError(t, fs.WalkDir(fsys, ".", func(_ string, _ fs.DirEntry, err error) error { return err }))
	require.Equal(t, "first", nameAt(t, dir, "HEAD~2"))
	require.Equal(t, before, snapshot(t, dir))
}

// snapshot describes every file of a folder, that of .git too, and when it was changed.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files[path] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime().UnixNano())
		return nil
	}))
	return files
}

func TestRevisionShowsASubmoduleAsAnEmptyFolder(t *testing.T) {
	other := preview.GitRepository(t, map[string]string{"file": ""})
	dir := preview.GitRepository(t, map[string]string{"K8s/app/file": ""})
	preview.GitIn(t, dir, "submodule", "--quiet", "add", other, "K8s/module")
	preview.Commit(t, dir, "second")
	fsys, err := preview.Revision(t.Context(), dir, "")
	require.NoError(t, err)
	entries, err := fs.ReadDir(fsys, "K8s/module")
	require.NoError(t, err)
	require.Empty(t, entries)
	info, err := fs.Stat(fsys, "K8s/module")
	require.NoError(t, err)
	require.True(t, info.IsDir())
	require.NotZero(t, info.Mode()&fs.ModeIrregular)
}

func TestRevisionMayBeReadByManyAtOnce(t *testing.T) {
	contents := map[string]string{}
	for i := range 50 {
		contents[fmt.Sprintf("K8s/%d/file", i)] = fmt.Sprint(i)
	}
	dir := preview.GitRepository(t, contents)
	preview.GitIn(t, dir, "repack", "-a", "-d", "--quiet")
	fsys, err := preview.Revision(t.Context(), dir, "")
	require.NoError(t, err)
	var all sync.WaitGroup
	faults := make(chan error, 8)
	for range 8 {
		all.Go(func() {
			for name, want := range contents {
				if data, err := fs.ReadFile(fsys, name); err != nil || string(data) != want {
					faults <- fmt.Errorf("%s: %q, %w", name, data, err)
					return
				}
			}
		})
	}
	all.Wait()
	close(faults)
	for err := range faults {
		require.NoError(t, err)
	}
}

func TestRevisionKeepsPointersOfLFS(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" +
		"4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	dir := preview.GitRepository(t, map[string]string{"name": pointer, ".gitattributes": "name filter=lfs diff=lfs merge=lfs -text\n"})
	require.Equal(t, pointer, nameAt(t, dir, "HEAD"))
}

func TestRevisionRefusesNamesThatGitWouldNotCheckOut(t *testing.T) {
	dir := preview.GitRepository(t, map[string]string{"file": ""})
	for _, name := range []string{".git", ".GIT", "..", ".", "a/b", ""} {
		t.Run(name, func(t *testing.T) {
			entry := "100644 " + name + "\x00" + strings.Repeat("\x01", 20)
			tree := preview.PipeToGit(t, dir, entry, "hash-object", "--literally", "-w", "-t", "tree", "--stdin")
			commit := preview.GitIn(t, dir, "commit-tree", tree, "-m", "x")
			_, err := preview.Revision(t.Context(), dir, commit)
			require.ErrorAs(t, err, new(*preview.RevisionError))
		})
	}
}
