package preview

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"

	yaml "go.yaml.in/yaml/v3"
)

// MaxValues is the most fields and list items that a YAML or JSON file may have: what takes a second and 200 MB to parse.
// That many are in 10,000 Applications.
const MaxValues = 300_000

// checkYAML refuses a YAML or JSON file whose first document, which is all that the generators read, would take far more
// memory than its size suggests: one with too many values, or whose aliases stand for too much.
func checkYAML(path string, data []byte) error {
	for line, document := range yamlDocuments(data) {
		if values := countValues(document); values > MaxValues {
			return &ContentError{Path: path, Line: line, Err: tooManyValues(values)}
		}
		return checkAliases(path, line, document)
	}
	return nil
}

func tooManyValues(values int) error {
	return fmt.Errorf("%w: it may have %d fields and list items, at most %d are read", ErrTooLarge, values, MaxValues)
}

// checkAliases refuses a document whose aliases stand for too much. It begins on the given line of the file.
func checkAliases(path string, begin int, document []byte) error {
	if bytes.IndexByte(document, '&') < 0 || bytes.IndexByte(document, '*') < 0 {
		return nil
	}
	var node yaml.Node
	if err := yaml.Unmarshal(document, &node); err != nil {
		return parseError(path, begin, err)
	}
	size := aliasSize{known: map[*yaml.Node]int{}}
	if size.of(&node) > MaxFileSize {
		return &ContentError{Path: path, Line: begin - 1 + size.line, Err: fmt.Errorf(
			"%w: with its aliases written out it has more than %d bytes", ErrTooLarge, MaxFileSize)}
	}
	return nil
}

// countValues returns at least how many fields and list items there are: each comes with one of these characters.
func countValues(data []byte) int {
	count := 0
	for _, c := range data {
		switch c {
		case ',', ':', '-', '?', '[', '{':
			count++
		}
	}
	return count
}

// aliasSize measures a document as if every alias were written out, up to MaxFileSize. What an alias stands for is
// measured once.
type aliasSize struct {
	known map[*yaml.Node]int
	// line of the alias or value that takes the document beyond MaxFileSize.
	line int
}

func (s *aliasSize) of(node *yaml.Node) int {
	if node.Kind == yaml.AliasNode {
		size, known := s.known[node.Alias]
		if !known {
			// An alias in what it stands for has no end.
			s.known[node.Alias] = MaxFileSize + 1
			size = s.of(node.Alias)
			s.known[node.Alias] = size
		}
		if size > MaxFileSize && s.line == 0 {
			s.line = node.Line
		}
		return size
	}
	size := 1 + len(node.Value)
	for _, child := range node.Content {
		if size += s.of(child); size > MaxFileSize {
			if s.line == 0 {
				s.line = child.Line
			}
			return MaxFileSize + 1
		}
	}
	return size
}

var yamlLine = regexp.MustCompile(`(?s)^.*?line (\d+): (.*)$`)

// parseError says on which line of a file a part that begins on a line does not parse. go-yaml tells the line of the
// part in its text only.
func parseError(path string, begin int, err error) error {
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		if line, lineErr := strconv.Atoi(match[1]); lineErr == nil {
			return &ContentError{Path: path, Line: begin - 1 + line, Err: fmt.Errorf("does not parse as YAML: %s", match[2])}
		}
	}
	return &ContentError{Path: path, Line: begin, Err: fmt.Errorf("does not parse as YAML: %w", err)}
}
