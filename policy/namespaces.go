package policy

import (
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
