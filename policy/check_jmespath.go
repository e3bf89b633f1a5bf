package policy

import (
	"regexp"
	"slices"
	"strings"

	jmespath "github.com/kyverno/go-jmespath"
)

// variablePattern finds {{...}} as Kyverno does.
// kyverno: pkg/engine/variables/regex/vars.go, RegexVariables
var variablePattern = regexp.MustCompile(`(^|[^\\])(\{\{(?:\{[^{}]*\}|[^{}])*\}\})`)

// variablesIn returns the expressions of the variables in a text.
func variablesIn(text string) []string {
	var out []string
	for _, found := range variablePattern.FindAllStringSubmatch(text, -1) {
		inner := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(found[2], "{{"), "}}"))
		out = append(out, inner)
	}
	return out
}

// jmesFunctions are JMESPath's own functions and Kyverno's.
// kyverno: pkg/engine/jmespath/functions.go, time.go; go-jmespath: functions.go
var jmesFunctions = strings.Fields(`
abs avg ceil contains ends_with floor join keys length map max max_by merge min min_by not_null reverse sort sort_by
starts_with sum to_array to_number to_string type values
compare equal_fold replace replace_all to_upper to_lower trim trim_prefix split regex_replace_all regex_replace_all_literal
regex_match pattern_match label_match to_boolean add subtract multiply divide modulo round base64_decode base64_encode
path_canonicalize truncate semver_compare parse_json parse_yaml lookup items object_from_lists random x509_decode
image_normalize is_external_url sha256 sha1 md5
time_since time_now time_now_utc time_add time_parse time_to_cron time_utc time_diff time_before time_after time_between
time_truncate`)

// jmesReferences are the names that an expression takes from its context, and the functions that it calls.
type jmesReferences struct{ roots, functions []string }

// parseJMESPath returns what an expression refers to, or why it does not parse.
func parseJMESPath(expression string) (jmesReferences, string) {
	tree, err := jmespath.NewParser().Parse(expression)
	if err != nil {
		return jmesReferences{}, err.Error()
	}
	var found jmesReferences
	found.walk(tree, true)
	return found, ""
}

// walk visits the tree. Fields count while they are looked up in the whole context, and not in a part of it.
func (r *jmesReferences) walk(node jmespath.ASTNode, whole bool) {
	switch node.NodeType {
	case jmespath.ASTField:
		if name, ok := node.Value.(string); ok && whole {
			r.roots = append(r.roots, name)
		}
	case jmespath.ASTFunctionExpression:
		if name, ok := node.Value.(string); ok && !slices.Contains(jmesFunctions, name) {
			r.functions = append(r.functions, name)
		}
		r.walkAll(node.Children, whole)
	case jmespath.ASTExpRef:
		r.walkAll(node.Children, false)
	case jmespath.ASTSubexpression, jmespath.ASTIndexExpression, jmespath.ASTProjection, jmespath.ASTValueProjection,
		jmespath.ASTFilterProjection, jmespath.ASTPipe:
		for i, child := range node.Children {
			r.walk(child, whole && i == 0)
		}
	default:
		r.walkAll(node.Children, whole)
	}
}

func (r *jmesReferences) walkAll(nodes []jmespath.ASTNode, whole bool) {
	for _, node := range nodes {
		r.walk(node, whole)
	}
}
