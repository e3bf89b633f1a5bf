package bootstrap

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const (
	// maxListDepth bounds lists within lists.
	maxListDepth = 8
	// maxManifestFaults bounds the faults that are reported of one file.
	maxManifestFaults = 20
)

// ManifestError says what is wrong in a manifest file, and where.
type ManifestError struct {
	// File as its Source names it.
	File string
	// Document counts the documents of the file that are not empty, from 1.
	Document int
	// Line of the file on which the document's content starts, from 1.
	Line int
	// Err is the fault. A line number in its text counts from the start of the
	// file.
	Err error
}

// Error implements error.
func (e *ManifestError) Error() string {
	return fmt.Sprintf("%s:%d: document %d: %v", e.File, e.Line, e.Document, e.Err)
}

// Unwrap gives the fault.
func (e *ManifestError) Unwrap() error { return e.Err }

// ReadManifests reads the objects in one file of Kubernetes manifests: YAML
// with any number of documents, or JSON. Empty documents are left out, Lists of
// any kind give their items. A key that occurs twice, a document that is not
// an object, and an object without apiVersion, kind or metadata.name are
// faults; the first 20 faults of the file are reported at once, each as a
// [ManifestError]. The name is used in errors only.
func ReadManifests(name string, data []byte) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	var faults []error
	for i, doc := range splitDocuments(data) {
		objects, err := doc.objects()
		if err != nil {
			faults = append(faults, &ManifestError{File: name, Document: i + 1, Line: doc.line, Err: err})
			if len(faults) == maxManifestFaults {
				break
			}
			continue
		}
		all = append(all, objects...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return all, nil
}

// document is one YAML document of a file.
type document struct {
	// line of the file, from 1, on which text starts.
	line int
	text []byte
}

// splitDocuments cuts a file at its document markers. By YAML 1.2, section 9.1,
// "---" and "..." at the start of a line are markers wherever they stand, even
// within a block scalar, when white space or nothing follows. What follows
// "---" on its line belongs to the document.
func splitDocuments(data []byte) []document {
	var documents []document
	current := document{line: 1}
	end := func(text []byte) {
		current.text = text
		if trimmed, ok := current.trim(); ok {
			documents = append(documents, trimmed)
		}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	start := 0
	for at, line := 0, 1; at < len(data); line++ {
		next := len(data)
		if newline := bytes.IndexByte(data[at:], '\n'); newline >= 0 {
			next = at + newline + 1
		}
		switch text := data[at:next]; {
		case isMarker(text, "---"):
			end(data[start:at])
			start, current.line = at+len("---"), line
		case isMarker(text, "..."):
			end(data[start:at])
			start, current.line = next, line+1
		}
		at = next
	}
	end(data[start:])
	return documents
}

func isMarker(line []byte, marker string) bool {
	rest, found := bytes.CutPrefix(line, []byte(marker))
	return found && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// trim removes blank lines and comments before the first content, and reports
// whether there is any.
func (d document) trim() (document, bool) {
	for len(d.text) > 0 {
		line, rest, _ := bytes.Cut(d.text, []byte("\n"))
		content := bytes.TrimSpace(line)
		if len(content) > 0 && content[0] != '#' && content[0] != '%' {
			return d, true
		}
		d.text = rest
		d.line++
	}
	return d, false
}

func (d document) objects() ([]*unstructured.Unstructured, error) {
	content, err := d.parse()
	if err != nil || content == nil {
		return nil, err
	}
	object, ok := content.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return flatten(object, 0)
}

func (d document) parse() (any, error) {
	text := d.text
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		// Indentation with tabs is legal in JSON but not always in YAML.
		if content, err := parseJSON(text); err == nil {
			return content, nil
		}
	}
	converted, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		// With the lines before it left blank, the parser counts as the file does.
		_, err = yaml.YAMLToJSONStrict(append(bytes.Repeat([]byte("\n"), d.line-1), text...))
		return nil, fmt.Errorf("not valid YAML: %w", err)
	}
	var content any
	if err := utiljson.Unmarshal(converted, &content); err != nil {
		return nil, fmt.Errorf("not valid YAML: %w", err)
	}
	return content, nil
}

func parseJSON(text []byte) (any, error) {
	var content any
	strict, err := kjson.UnmarshalStrict(text, &content)
	if err != nil {
		return nil, err
	}
	return content, errors.Join(strict...)
}

// flatten gives the items of a list, and any other object as it is.
func flatten(object map[string]any, depth int) ([]*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{Object: object}
	apiVersion, _, _ := unstructured.NestedString(object, "apiVersion")
	kind, _, _ := unstructured.NestedString(object, "kind")
	if apiVersion == "" {
		return nil, errors.New("apiVersion is missing")
	}
	if kind == "" {
		return nil, errors.New("kind is missing")
	}
	if name, _, _ := unstructured.NestedString(object, "metadata", "name"); name == "" {
		items, isList := object["items"].([]any)
		if isList && strings.HasSuffix(kind, "List") {
			return flattenItems(apiVersion, strings.TrimSuffix(kind, "List"), items, depth)
		}
		return nil, fmt.Errorf("%s: metadata.name is missing", kind)
	}
	return []*unstructured.Unstructured{u}, nil
}

// flattenItems reads a list's items. The items of a typed list may leave their
// own apiVersion and kind to the list.
func flattenItems(apiVersion, kind string, items []any, depth int) ([]*unstructured.Unstructured, error) {
	if depth == maxListDepth {
		return nil, fmt.Errorf("lists within lists are more than %d deep", maxListDepth)
	}
	var all []*unstructured.Unstructured
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("items[%d]: not an object", i)
		}
		if _, set := object["kind"]; !set && kind != "" {
			object["apiVersion"], object["kind"] = apiVersion, kind
		}
		objects, err := flatten(object, depth+1)
		if err != nil {
			return nil, fmt.Errorf("items[%d]: %w", i, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}
