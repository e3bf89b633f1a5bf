package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Split returns the folder to open for a path of the machine, and the name of the path there. A folder is opened as a file
// system of its own, so that the path may be any.
func Split(path string) (folder, name string) {
	folder, name = filepath.Split(filepath.Clean(path))
	if folder == "" {
		folder = "."
	}
	if name == "." || name == ".." || name == "" {
		folder, name = path, "."
	}
	return folder, name
}

// LoadPaths is Load for paths of the machine.
func LoadPaths(paths ...string) ([]Document, error) {
	var out []Document
	var errs []error
	for _, path := range paths {
		folder, name := Split(path)
		documents, err := Load(os.DirFS(folder), name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
		for i := range documents {
			documents[i].File = filepath.Join(folder, documents[i].File)
		}
		out = append(out, documents...)
	}
	return out, errors.Join(errs...)
}
