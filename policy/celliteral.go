package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// celExpression is a value that is an expression itself, within a literal.
type celExpression string

// celLiteral returns the CEL literal of a JSON value whose lists hold elements of one kind. The members of maps are
// wrapped in dyn, because CEL wants those of a literal to be of one type.
func celLiteral(value any) string {
	var out strings.Builder
	writeLiteral(&out, value, "")
	return out.String()
}

func writeLiteral(out *strings.Builder, value any, indent string) {
	inner := indent + "  "
	switch typed := value.(type) {
	case map[string]any:
		if len(typed) == 0 {
			out.WriteString("{}")
			return
		}
		out.WriteString("{\n")
		for _, key := range slices.Sorted(maps.Keys(typed)) {
			out.WriteString(inner + celString(key) + ": dyn(")
			writeLiteral(out, typed[key], inner)
			out.WriteString("),\n")
		}
		out.WriteString(indent + "}")
	case []any:
		out.WriteString("[\n")
		for i, item := range typed {
			out.WriteString(inner)
			writeLiteral(out, item, inner)
			if i < len(typed)-1 {
				out.WriteString(",")
			}
			out.WriteString("\n")
		}
		out.WriteString(indent + "]")
	case celExpression:
		out.WriteString(string(typed))
	case string:
		out.WriteString(celString(typed))
	default:
		fmt.Fprintf(out, "%v", typed)
	}
}
