package preview

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/google/go-jsonnet"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// evaluate returns the object, or the list of objects, that a jsonnet file comes to (argo-cd:
// reposerver/repository/repository.go, makeJsonnetVm).
func (s *sourceContent) evaluate(name string, settings v1alpha1.ApplicationSourceJsonnet) ([]*unstructured.Unstructured, error) {
	vm := jsonnet.MakeVM()
	for _, variable := range settings.TLAs {
		set := vm.TLAVar
		if variable.Code {
			set = vm.TLACode
		}
		set(variable.Name, s.env.Envsubst(variable.Value))
	}
	for _, variable := range settings.ExtVars {
		set := vm.ExtVar
		if variable.Code {
			set = vm.ExtCode
		}
		set(variable.Name, s.env.Envsubst(variable.Value))
	}
	importer := &jsonnetImporter{fsys: s.fsys, folders: []string{s.dir}, files: map[string]jsonnet.Contents{}}
	for _, library := range settings.Libs {
		// Libraries are relative to the root of the repository; a leading slash means the same.
		folder, err := insidePath(".", library)
		if err != nil {
			return nil, fmt.Errorf("jsonnet library %s: %w", library, err)
		}
		importer.folders = append(importer.folders, folder)
	}
	vm.Importer(importer)
	text, err := vm.EvaluateFile(name)
	if err != nil {
		return nil, &ContentError{Path: name, Err: err}
	}
	var objects []*unstructured.Unstructured
	if json.Unmarshal([]byte(text), &objects) == nil {
		return objects, nil
	}
	obj := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), obj); err != nil {
		return nil, &ContentError{Path: name, Err: fmt.Errorf("is no object or list of objects: %w", withoutValues(err))}
	}
	return []*unstructured.Unstructured{obj}, nil
}

// jsonnetImporter imports from the repository and nowhere else.
type jsonnetImporter struct {
	fsys    fs.FS
	folders []string
	// files that were read: jsonnet wants the same value for the same file.
	files map[string]jsonnet.Contents
}

// Import looks beside the importing file, and then in the folders, the last first.
func (i *jsonnetImporter) Import(from, name string) (jsonnet.Contents, string, error) {
	folders := []string{path.Dir(from)}
	if from == "" {
		folders = []string{"."}
	}
	for n := len(i.folders) - 1; n >= 0; n-- {
		folders = append(folders, i.folders[n])
	}
	for _, folder := range folders {
		if path.IsAbs(name) {
			return jsonnet.Contents{}, "", fmt.Errorf("import %s: an absolute path %w", name, ErrOutside)
		}
		file := path.Join(folder, name)
		if !fs.ValidPath(file) {
			return jsonnet.Contents{}, "", fmt.Errorf("import %s: it %w", name, ErrOutside)
		}
		if contents, ok := i.files[file]; ok {
			return contents, file, nil
		}
		data, err := readFile(i.fsys, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return jsonnet.Contents{}, "", err
		}
		i.files[file] = jsonnet.MakeContentsRaw(data)
		return i.files[file], file, nil
	}
	return jsonnet.Contents{}, "", fmt.Errorf("import %s: %w", name, fs.ErrNotExist)
}

// insidePath returns the path in the repository that a path in a folder means. One with a leading slash starts at the
// root of the repository (argo-cd: util/io/path/resolved.go).
func insidePath(folder, name string) (string, error) {
	joined := path.Join(folder, name)
	if path.IsAbs(name) {
		joined = path.Join(".", "."+name)
	}
	if !fs.ValidPath(joined) {
		return "", ErrOutside
	}
	return joined, nil
}
