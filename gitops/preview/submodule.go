package preview

import (
	"errors"
	"io/fs"
	"path"

	"github.com/go-git/go-git/v5/config"
)

// submodulePaths returns where .gitmodules says that submodules belong.
func submodulePaths(fsys fs.FS) (map[string]bool, error) {
	const file = ".gitmodules"
	data, err := readFile(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	modules := config.NewModules()
	if err := modules.Unmarshal(data); err != nil {
		return nil, &ContentError{Path: file, Err: err}
	}
	paths := map[string]bool{}
	for _, module := range modules.Submodules {
		paths[path.Clean(module.Path)] = true
	}
	return paths, nil
}

// isSubmodule tells whether git holds another repository's commit at the path, rather than a folder.
func isSubmodule(name string, entry fs.DirEntry, submodules map[string]bool) bool {
	return submodules[name] || entry != nil && entry.Type()&fs.ModeIrregular != 0
}
