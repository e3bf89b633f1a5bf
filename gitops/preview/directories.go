package preview

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// directories returns the folders that the git directory generator is offered, each before those in it, by name
// (argo-cd: reposerver/repository/repository.go, GetGitDirectories): not the root, no folder with a leading dot nor any
// in it, no link. A folder without a file does not exist in git, and so is left out, unless a submodule belongs there.
func directories(fsys fs.FS) ([]string, error) {
	submodules, err := submodulePaths(fsys)
	if err != nil {
		return nil, err
	}
	w := &directoryWalk{fsys: fsys, submodules: submodules}
	if _, err := w.visit(".", nil, true); err != nil {
		return nil, fmt.Errorf("list folders: %w", err)
	}
	return w.paths, nil
}

type directoryWalk struct {
	fsys       fs.FS
	submodules map[string]bool
	paths      []string
	size       int
	entryCount
}

// visit lists a folder and tells whether there is a file in it.
func (w *directoryWalk) visit(dir string, entry fs.DirEntry, listed bool) (bool, error) {
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return false, contentError(dir, err)
	}
	if err := w.count(dir, len(entries)); err != nil {
		return false, err
	}
	before := len(w.paths)
	if listed && dir != "." {
		if w.size += len(dir); w.size > MaxAnswerSize {
			return false, &ContentError{Path: dir, Err: fmt.Errorf("%w: the paths of all folders have more than %d bytes",
				ErrTooLarge, MaxAnswerSize)}
		}
		w.paths = append(w.paths, dir)
	}
	exists := isSubmodule(dir, entry, w.submodules)
	var hidden []fs.DirEntry
	for _, entry := range entries {
		switch {
		case !entry.IsDir():
			exists = exists || inGit(entry)
		case !listed || strings.HasPrefix(entry.Name(), "."):
			hidden = append(hidden, entry)
		default:
			found, err := w.visit(path.Join(dir, entry.Name()), entry, true)
			if err != nil {
				return false, err
			}
			exists = exists || found
		}
	}
	for _, entry := range hidden {
		if exists {
			break
		}
		if exists, err = w.visit(path.Join(dir, entry.Name()), entry, false); err != nil {
			return false, err
		}
	}
	if !exists {
		w.paths = w.paths[:before]
	}
	return exists, nil
}

// inGit tells whether git can hold what a folder lists: a file or a symbolic link.
func inGit(entry fs.DirEntry) bool {
	return entry.Type().IsRegular() || entry.Type()&fs.ModeSymlink != 0
}

// entryCount bounds a walk.
type entryCount int

func (c *entryCount) count(dir string, entries int) error {
	if *c += entryCount(entries); *c > MaxEntries {
		return &ContentError{Path: dir, Err: fmt.Errorf("%w: the repository has more than %d files and folders",
			ErrTooLarge, MaxEntries)}
	}
	if len(dir) > MaxPathLength {
		return &ContentError{Path: dir[:64] + "...", Err: fmt.Errorf("%w: a path has more than %d bytes",
			ErrTooLarge, MaxPathLength)}
	}
	return nil
}
