// Package eventprogram bounds the programs in objects of Argo Events.
package eventprogram

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxLength is the most bytes of a condition, an expression, a template or a script. Upstream's parsers call themselves
// for each level of nesting, and a Go program whose stack is full ends without a way to go on.
const MaxLength = 64 << 10

// fields are those that hold programs, wherever they are.
var fields = []string{"conditions", "contextTemplate", "dataTemplate", "expr", "expression", "jq", "script", "template"}

// TooLong returns the path of the first program in an object that is longer than MaxLength.
func TooLong(object map[string]any) (path string, found bool) {
	return tooLong("", "", object)
}

func tooLong(path, name string, value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return path, len(value) > MaxLength && slices.Contains(fields, name)
	case []any:
		for i, item := range value {
			if at, found := tooLong(fmt.Sprintf("%s[%d]", path, i), "", item); found {
				return at, true
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if at, found := tooLong(strings.TrimPrefix(path+"."+key, "."), key, value[key]); found {
				return at, true
			}
		}
	}
	return "", false
}
