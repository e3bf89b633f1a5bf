package preview

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"unicode/utf8"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// MaxDocuments is the most YAML documents of one file that are parsed, as each takes some time however small it is.
const MaxDocuments = 10_000

// parseManifests returns the documents of a YAML or JSON file that are maps. Documents of YAML that do not mention the
// group are left out, unparsed, unless all have to parse.
func parseManifests(name string, data []byte, all bool) ([]map[string]any, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return nil, &ContentError{Path: name, Line: lineAt(data, invalidAt(data)), Err: errors.New("is not text in UTF-8")}
	}
	if path.Ext(name) == ".json" {
		return parseJSON(name, data)
	}
	var manifests []map[string]any
	documents, values := 0, 0
	for line, part := range yamlDocuments(data) {
		if !all && !bytes.Contains(part, []byte(group)) {
			continue
		}
		if documents++; documents > MaxDocuments {
			return nil, &ContentError{Path: name, Line: line, Err: fmt.Errorf("%w: it has more than %d documents",
				ErrTooLarge, MaxDocuments)}
		}
		if values += countValues(part); values > MaxValues {
			return nil, &ContentError{Path: name, Line: line, Err: tooManyValues(values)}
		}
		if err := checkAliases(name, line, part); err != nil {
			return nil, err
		}
		converted, err := yaml.YAMLToJSON(part)
		if err != nil {
			return nil, parseError(name, line, err)
		}
		var manifest any
		if err := utiljson.Unmarshal(converted, &manifest); err != nil {
			return nil, parseError(name, line, err)
		}
		if manifest, ok := manifest.(map[string]any); ok {
			manifests = append(manifests, manifest)
		}
	}
	return manifests, nil
}

// yamlDocuments yields the documents of a YAML file that are not blank, with the line on which each begins.
func yamlDocuments(data []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		line, begin, beginLine, blank := 1, 0, 1, true
		for at := 0; at < len(data); line++ {
			end := len(data)
			if length := bytes.IndexByte(data[at:], '\n'); length >= 0 {
				end = at + length + 1
			}
			content, marker := bytes.CutPrefix(data[at:end], []byte("---"))
			if marker && (len(content) == 0 || bytes.IndexByte([]byte(" \t\r\n"), content[0]) >= 0) {
				if !blank && !yield(beginLine, data[begin:at]) {
					return
				}
				begin, beginLine, blank = at, line, true
			}
			blank = blank && len(bytes.TrimSpace(content)) == 0
			at = end
		}
		if !blank {
			yield(beginLine, data[begin:])
		}
	}
}

// parseJSON reads JSON values that follow one another.
func parseJSON(name string, data []byte) ([]map[string]any, error) {
	if values := countValues(data); values > MaxValues {
		return nil, &ContentError{Path: name, Err: tooManyValues(values)}
	}
	var manifests []map[string]any
	for decoder := json.NewDecoder(bytes.NewReader(data)); ; {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return manifests, nil
		}
		if err != nil {
			return nil, &ContentError{Path: name, Line: lineAt(data, jsonFaultAt(data, decoder, err)),
				Err: fmt.Errorf("does not parse as JSON: %w", err)}
		}
		var manifest any
		if err := utiljson.Unmarshal(value, &manifest); err != nil {
			return nil, &ContentError{Path: name, Line: lineAt(data, int(decoder.InputOffset())),
				Err: fmt.Errorf("does not parse as JSON: %w", err)}
		}
		if manifest, ok := manifest.(map[string]any); ok {
			manifests = append(manifests, manifest)
		}
	}
}

// jsonFaultAt returns how far the decoder came.
func jsonFaultAt(data []byte, decoder *json.Decoder, err error) int {
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		return int(syntax.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return len(data)
	}
	return int(decoder.InputOffset())
}

// lineAt returns the line, from 1, of the byte at an offset.
func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(max(offset, 0), len(data))], []byte("\n"))
}

// invalidAt returns where the first byte is that is not UTF-8.
func invalidAt(data []byte) int {
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
	return len(data)
}
