package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/util/glob"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
)

var manifestFile = regexp.MustCompile(`\.(yaml|yml|json|jsonnet)$`)

// renderDirectory reads the manifests of a folder (argo-cd: reposerver/repository/repository.go, findManifests). It
// reads the file system that it is given: Argo CD's own code reads the machine's, and follows absolute jsonnet imports.
func (r renderer) renderDirectory(ctx context.Context, content *sourceContent) ([]*unstructured.Unstructured, error) {
	directory := v1alpha1.ApplicationSourceDirectory{}
	if content.source.Directory != nil {
		directory = *content.source.Directory
	}
	var objects []*unstructured.Unstructured
	size := 0
	err := fs.WalkDir(content.fsys, content.dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return contentError(name, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && name != content.dir && (!directory.Recurse || entry.Name() == ".git"):
			return fs.SkipDir
		case entry.IsDir() || !isManifest(content.dir, name, directory):
			return nil
		}
		info, err := fs.Stat(content.fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a link to nothing is no manifest
		}
		if err != nil {
			return contentError(name, err)
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		if strings.HasSuffix(name, ".jsonnet") {
			found, err := content.evaluate(name, directory.Jsonnet)
			objects = append(objects, found...)
			return err
		}
		data, err := readFile(content.fsys, name)
		if err != nil {
			return err
		}
		if size += len(data); size > MaxFileSize {
			return &ContentError{Path: content.dir, Err: fmt.Errorf("%w: its manifests have more than %d bytes together", ErrTooLarge, MaxFileSize)}
		}
		found, err := readManifests(name, data)
		objects = append(objects, found...)
		return err
	})
	return objects, err
}

func isManifest(dir, name string, directory v1alpha1.ApplicationSourceDirectory) bool {
	relative := strings.TrimPrefix(name, dir+"/")
	return manifestFile.MatchString(path.Base(name)) &&
		(directory.Exclude == "" || !glob.Match(directory.Exclude, relative)) &&
		(directory.Include == "" || glob.Match(directory.Include, relative))
}

// readManifests decodes a file as Argo CD does: YAML that is no manifest is passed over, unless it looks like one.
func readManifests(name string, data []byte) ([]*unstructured.Unstructured, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := tooMuch(name, data); err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".json") {
		obj := &unstructured.Unstructured{}
		decoder := json.NewDecoder(bytes.NewReader(data))
		if err := decoder.Decode(obj); err != nil {
			return nil, contentError(name, withoutValues(err))
		}
		if decoder.More() {
			return nil, &ContentError{Path: name, Err: errors.New("holds several objects: a JSON file holds one")}
		}
		return []*unstructured.Unstructured{obj}, nil
	}
	objects, err := decodeYAML(data)
	if err != nil && (len(objects) > 0 || looksLikeManifest(data)) {
		return nil, contentError(name, withoutValues(err))
	}
	return objects, nil
}

// withoutValues takes the text of manifests out of errors: it may be that of a Secret.
func withoutValues(err error) error {
	if runtime.IsMissingKind(err) || strings.Contains(err.Error(), "Object 'Kind' is missing") {
		return errors.New("an object has no kind")
	}
	if text, _, found := strings.Cut(err.Error(), "node contents"); found {
		return errors.New(strings.TrimRight(text, " :\n"))
	}
	return err
}

func looksLikeManifest(data []byte) bool {
	return bytes.Contains(data, []byte("apiVersion:")) && bytes.Contains(data, []byte("kind:")) && bytes.Contains(data, []byte("metadata:"))
}

// decodeYAML returns the objects up to the first that cannot be decoded. A document whose aliases multiply is one.
func decodeYAML(data []byte) ([]*unstructured.Unstructured, error) {
	decoder := kubeyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var objects []*unstructured.Unstructured
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(&obj)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return objects, err
		}
		if obj != nil {
			objects = append(objects, obj)
		}
	}
}
