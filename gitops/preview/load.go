package preview

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Load returns the AppProjects, ApplicationSets and Applications that the YAML and JSON files of a repository declare,
// by path and then as the file orders them: what [Expand] takes. Files of several documents and lists are taken apart.
// Everything else in the files is left out.
//
// The patterns are read as "git ls-files" does: a file, a folder with all that is in it, or a glob whose * matches
// slashes too. Of what they match, files that end in .yaml, .yml or .json are read, links where they lead, and
// each has to parse.
//
// Without patterns, the whole repository is read, as a folder of manifests may be anywhere: except for links, which
// would declare twice what they lead to, and for the templates of Helm charts. A file has to parse only if it mentions
// argoproj.io: it would be wrong to take what such a file declares for deleted.
//
// Objects are taken as they are written: what a Kustomize overlay makes of them, or a patch that is in a file of its
// own, is not told from an object. Name the files then.
//
// A file that cannot be used is a [ContentError].
func Load(fsys fs.FS, patterns ...string) ([]*unstructured.Unstructured, error) {
	paths, err := manifestFiles(fsys, patterns)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, path := range paths {
		found, err := loadFile(fsys, path, len(patterns) > 0)
		if err != nil {
			return nil, fmt.Errorf("load manifests: %w", err)
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// manifestFiles returns the files to read, in order.
func manifestFiles(fsys fs.FS, patterns []string) ([]string, error) {
	var paths []string
	for _, pattern := range patterns {
		err := walkFiles(fsys, pattern, func(name string, entry fs.DirEntry) error {
			if entry.IsDir() || !manifestExtensions[path.Ext(name)] {
				return nil
			}
			if entry.Type()&fs.ModeSymlink != 0 {
				info, err := fs.Stat(fsys, name)
				if err != nil {
					return contentError(name, err)
				}
				if info.IsDir() {
					return nil
				}
			}
			paths = append(paths, name)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("load manifests: %w", err)
		}
	}
	if len(patterns) > 0 {
		slices.Sort(paths)
		return slices.Compact(paths), nil
	}
	charts := map[string]bool{}
	err := walkFiles(fsys, "", func(name string, entry fs.DirEntry) error {
		if path.Base(name) == "Chart.yaml" {
			charts[path.Dir(name)] = true
		}
		if entry.Type().IsRegular() && manifestExtensions[path.Ext(name)] {
			paths = append(paths, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load manifests: %w", err)
	}
	paths = slices.DeleteFunc(paths, func(name string) bool { return inTemplates(name, charts) })
	slices.Sort(paths)
	return paths, nil
}

var manifestExtensions = map[string]bool{".yaml": true, ".yml": true, ".json": true}

// inTemplates tells whether a file is a template of one of the Helm charts.
func inTemplates(name string, charts map[string]bool) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if path.Base(dir) == "templates" && charts[path.Dir(dir)] {
			return true
		}
	}
	return false
}

// group is the API group of all that Load returns. Only files and documents that mention it need a parser.
const group = "argoproj.io"

func loadFile(fsys fs.FS, name string, strict bool) ([]*unstructured.Unstructured, error) {
	data, err := readFile(fsys, name)
	if errors.Is(err, ErrTooLarge) && !strict {
		mentioned, scanErr := mentionsGroup(fsys, name)
		if scanErr != nil {
			return nil, contentError(name, scanErr)
		}
		if !mentioned {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if !strict && !bytes.Contains(data, []byte(group)) {
		return nil, nil
	}
	documents, err := parseManifests(name, data, strict)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, document := range documents {
		objects = appendDeclarations(objects, document)
	}
	return objects, nil
}

// mentionsGroup reads a file that is too large to keep.
func mentionsGroup(fsys fs.FS, name string) (bool, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	buffer := make([]byte, 64<<10)
	kept := 0
	for {
		n, err := file.Read(buffer[kept:])
		if bytes.Contains(buffer[:kept+n], []byte(group)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		// The text may go on in what is read next.
		tail := buffer[max(0, kept+n-len(group)) : kept+n]
		kept = copy(buffer, tail)
	}
}

// appendDeclarations adds the document if it declares something for Expand, or what it lists.
func appendDeclarations(objects []*unstructured.Unstructured, document map[string]any) []*unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: document}
	if strings.HasSuffix(object.GetKind(), "List") {
		items, _ := document["items"].([]any)
		for _, item := range items {
			if item, ok := item.(map[string]any); ok {
				objects = appendDeclarations(objects, item)
			}
		}
		return objects
	}
	if object.GroupVersionKind().Group != group {
		return objects
	}
	switch object.GetKind() {
	case "AppProject", "ApplicationSet", "Application":
		return append(objects, object)
	}
	return objects
}
