package preview

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// files returns the content, by path, of the files that the git file generator is offered for a pattern, as
// "git ls-files" matches it (argo-cd: reposerver/repository/repository.go, GetGitFiles, without new globbing). A link
// is read where it leads. As in Argo CD, one match that cannot be read, be it a link to a folder or a submodule, is
// an error of the whole. So is one that would take too much memory to parse, which is what files are asked for.
func files(fsys fs.FS, pattern string) (map[string][]byte, error) {
	contents := map[string][]byte{}
	size := 0
	err := walkFiles(fsys, pattern, func(name string, entry fs.DirEntry) error {
		if entry.IsDir() {
			return &ContentError{Path: name, Err: errors.New("is a submodule, not a file; narrow the pattern")}
		}
		data, err := readFile(fsys, name)
		if err != nil {
			return err
		}
		if size += len(data); size > MaxAnswerSize {
			return fmt.Errorf("%w: they have more than %d bytes together", ErrTooLarge, MaxAnswerSize)
		}
		contents[name] = data
		return checkYAML(name, data)
	})
	if err != nil {
		return nil, fmt.Errorf("read the files that match %q: %w", pattern, err)
	}
	return contents, nil
}

// walkFiles calls visit with the files and links that match a pattern.
func walkFiles(fsys fs.FS, pattern string, visit func(string, fs.DirEntry) error) error {
	spec, err := parsePathspec(pattern)
	if err != nil {
		return err
	}
	submodules, err := submodulePaths(fsys)
	if err != nil {
		return err
	}
	w := fileWalk{fsys: fsys, spec: spec, submodules: submodules, visit: visit}
	return w.enter(".")
}

type fileWalk struct {
	fsys       fs.FS
	spec       pathspec
	submodules map[string]bool
	visit      func(string, fs.DirEntry) error
	entryCount
}

func (w *fileWalk) enter(dir string) error {
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return contentError(dir, err)
	}
	if err := w.count(dir, len(entries)); err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		var err error
		switch {
		case isSubmodule(name, entry, w.submodules):
			if w.spec.matchesSubmodule(name) {
				err = w.visit(name, entry)
			}
		case entry.IsDir():
			if w.spec.mayHold(name) {
				err = w.enter(name)
			}
		case inGit(entry) && w.spec.matches(name):
			err = w.visit(name, entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
