package bootstrap

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Manifests is a Source of manifest files in fsys, such as an [embed.FS] or
// [os.DirFS]. Each pattern is a [path.Match] pattern as [fs.Glob] takes it; a
// directory that matches stands for every .yaml, .yml and .json file in it and
// below. Without patterns that is everything in fsys. A file that matches twice
// is read once. A pattern that matches nothing is an error.
//
// Files are read as [ReadManifests] does.
func Manifests(fsys fs.FS, patterns ...string) Source {
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	return manifestSource{fsys: fsys, patterns: slices.Clone(patterns)}
}

type manifestSource struct {
	fsys     fs.FS
	patterns []string
}

func (s manifestSource) Objects(ctx context.Context) ([]*unstructured.Unstructured, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := fs.ReadFile(s.fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		objects, err := ReadManifests(file, data)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// files lists the files that the patterns stand for: in the order of the
// patterns, and by name within one.
func (s manifestSource) files() ([]string, error) {
	if s.fsys == nil {
		return nil, fmt.Errorf("manifests %q: the file system is nil", s.patterns)
	}
	var files []string
	seen := map[string]bool{}
	for _, pattern := range s.patterns {
		matches, err := s.matches(pattern)
		if err != nil {
			return nil, fmt.Errorf("manifests %q: %w", pattern, err)
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("manifests %q: %w", pattern, fs.ErrNotExist)
		}
		for _, file := range matches {
			if !seen[file] {
				seen[file] = true
				files = append(files, file)
			}
		}
	}
	return files, nil
}

func (s manifestSource) matches(pattern string) ([]string, error) {
	names, err := fs.Glob(s.fsys, pattern)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range names {
		info, err := fs.Stat(s.fsys, name)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, name)
			continue
		}
		err = fs.WalkDir(s.fsys, name, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && hasManifestExtension(file) {
				files = append(files, file)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func hasManifestExtension(file string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(file))
}
