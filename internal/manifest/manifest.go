// Package manifest reads Kubernetes objects from files, and says where each was.
package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// MaxFileSize is what Load and Read take of one file, in bytes. A manifest that the API server takes is smaller by far.
const MaxFileSize = 16 << 20

// Document is an object and where it was read.
type Document struct {
	Object *unstructured.Unstructured
	// File that it was read from, and the line where its document begins, from 1.
	File string
	Line int
}

// String returns "file:line".
func (d Document) String() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// Objects returns the objects of documents.
func Objects(documents []Document) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, len(documents))
	for i, document := range documents {
		out[i] = document.Object
	}
	return out
}

// Load reads the objects of all files with the endings .yaml, .yml and .json at the paths and below, in order. Names that
// begin with a dot, and symbolic links, are passed over. The error joins the faults of all files.
func Load(fsys fs.FS, paths ...string) ([]Document, error) {
	var out []Document
	var errs []error
	for _, root := range paths {
		err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			hidden := strings.HasPrefix(entry.Name(), ".") && name != root
			if entry.IsDir() {
				if hidden {
					return fs.SkipDir
				}
				return nil
			}
			named := name == root // A file that is named is read, whatever it is called.
			if hidden || !named && !isManifest(name) || !named && !entry.Type().IsRegular() {
				return nil
			}
			documents, err := loadFile(fsys, name)
			out = append(out, documents...)
			errs = append(errs, err)
			return nil
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("load manifests: %w", err))
		}
	}
	return out, errors.Join(errs...)
}

func isManifest(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}

func loadFile(fsys fs.FS, name string) ([]Document, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("load manifests: %w", err)
	}
	defer func() { _ = file.Close() }() // It was only read.
	return Read(file, name)
}

// Read reads the objects of one file. Lists give their items. An error names the file and the line.
func Read(reader io.Reader, file string) ([]Document, error) {
	raw, err := io.ReadAll(io.LimitReader(reader, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(raw) > MaxFileSize {
		return nil, fmt.Errorf("%s: it is larger than %d MiB: split it", file, MaxFileSize>>20)
	}
	var out []Document
	var errs []error
	for _, part := range splitDocuments(raw) {
		objects, err := part.objects()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, part.line, err))
			continue
		}
		for _, obj := range objects {
			out = append(out, Document{Object: obj, File: file, Line: part.line})
		}
	}
	return out, errors.Join(errs...)
}

// part is one document of a file.
type part struct {
	text []byte
	line int // of its first line that is not empty
}

// splitDocuments splits a file at its lines of three dashes.
func splitDocuments(raw []byte) []part {
	var parts []part
	var text bytes.Buffer
	begins, line := 1, 0
	flush := func() {
		if len(bytes.TrimSpace(text.Bytes())) > 0 {
			parts = append(parts, part{bytes.Clone(text.Bytes()), begins})
		}
		text.Reset()
	}
	lines := bufio.NewReader(bytes.NewReader(raw))
	for {
		next, err := lines.ReadBytes('\n')
		line++
		if isSeparator(next) {
			flush()
		} else {
			if len(bytes.TrimSpace(text.Bytes())) == 0 {
				begins = line
			}
			text.Write(next)
		}
		if err != nil {
			flush()
			return parts
		}
	}
}

func isSeparator(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte("---"))
	rest = bytes.TrimSpace(rest)
	return found && (len(rest) == 0 || rest[0] == '#')
}

// objects reads a document: none for one of comments only, several for a list.
func (p part) objects() ([]*unstructured.Unstructured, error) {
	raw, err := yaml.YAMLToJSONStrict(p.text)
	if err != nil {
		return nil, p.located()
	}
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil, nil
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(raw); err != nil {
		return nil, errors.New("it is no Kubernetes object: an object has an apiVersion and a kind")
	}
	if obj.GetAPIVersion() == "" {
		return nil, errors.New("it is no Kubernetes object: it has no apiVersion")
	}
	if !obj.IsList() {
		return []*unstructured.Unstructured{obj}, nil
	}
	list, err := obj.ToList()
	if err != nil {
		return nil, err
	}
	out := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		out[i] = &list.Items[i]
	}
	return out, nil
}

// located returns the parser's complaint with the lines of the file: what came before is given to it as empty lines.
func (p part) located() error {
	_, err := yaml.YAMLToJSONStrict(append(bytes.Repeat([]byte("\n"), p.line-1), p.text...))
	return err
}
