package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Kubernetes' own namespaces are exempt from every rule on namespaces: its controllers write them before and without
// any convention, and a platform whose policies block them does not start again.
var kubernetesNamespaces = []string{"default", "kube-node-lease", "kube-public", "kube-system"}

// exempt returns the names of all exempt namespaces, in order and once each.
func exempt(own []string) []string {
	all := slices.Concat(kubernetesNamespaces, own)
	slices.Sort(all)
	return slices.Compact(all)
}

func validateExempt(path *field.Path, names []string) field.ErrorList {
	var faults field.ErrorList
	for i, name := range names {
		faults = append(faults, object.Namespace(path.Index(i), name)...)
	}
	return faults
}

// celNamespaces returns the parts of a CEL policy's spec that select requests for namespaces outside of the exempt.
func celNamespaces(exemptNames []string) map[string]any {
	return map[string]any{
		"matchConstraints": map[string]any{"resourceRules": []any{map[string]any{
			"apiGroups":   []any{""},
			"apiVersions": []any{"v1"},
			"resources":   []any{"namespaces"},
			"operations":  []any{"CREATE", "UPDATE"},
		}}},
		"matchConditions": []any{map[string]any{
			"name":       "not-exempt",
			"expression": fmt.Sprintf("!(object.metadata.name in %s)", celList(exempt(exemptNames))),
		}},
	}
}

// classicNamespaces returns the match and exclude blocks of a ClusterPolicy's rule for namespaces outside of the exempt.
// Without operations, the rule is for every kind of request that rules of its type are for.
func classicNamespaces(exemptNames []string, operations ...string) map[string]any {
	return map[string]any{
		"match": map[string]any{"any": []any{map[string]any{"resources": object.Compact(map[string]any{
			"kinds":      []any{"Namespace"},
			"operations": anyList(operations),
		})}}},
		"exclude": map[string]any{"any": []any{map[string]any{"resources": map[string]any{
			"kinds": []any{"Namespace"},
			"names": anyList(exempt(exemptNames)),
		}}}},
	}
}

// celString returns a CEL string literal. Go's escapes are a subset of CEL's for valid UTF-8.
func celString(value string) string { return strconv.Quote(value) }

func celList(values []string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = celString(value)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func anyList(values []string) []any {
	out := make([]any, len(values))
	for i, value := range values {
		out[i] = value
	}
	return out
}
