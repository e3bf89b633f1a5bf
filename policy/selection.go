package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// selection says which requests a rule is for.
type selection struct {
	kinds []ResourceKind
	// operations of the requests. Default: CREATE and UPDATE.
	operations []string
	// exempt are the names of all namespaces that are left alone.
	exempt []string
	// conditions say which of the requests that the kinds and namespaces select. They can use no variables.
	conditions []NamedExpression
}

// notDeleting leaves alone what is being deleted: its finalizers could not be removed otherwise.
var notDeleting = NamedExpression{Name: "not-being-deleted", Expression: "!has(object.metadata.deletionTimestamp)"}

// specChanged leaves alone what is updated in other respects: labelled, annotated, released by a finalizer.
var specChanged = NamedExpression{
	Name: "spec-changed", Expression: `request.operation != "UPDATE" || object.spec != oldObject.spec`,
}

// matchConditions are those of a CEL policy.
func (s selection) matchConditions() []NamedExpression {
	exempt := NamedExpression{Name: "not-exempt", Expression: fmt.Sprintf("!(%s in %s)", s.namespace(), celList(s.exempt))}
	return append([]NamedExpression{exempt, notDeleting}, s.conditions...)
}

// filters are the match and exclude blocks of a ClusterPolicy's rule. They know no conditions.
func (s selection) filters() (match, exclude ResourceFilters) {
	kinds := make([]string, len(s.kinds))
	for i, kind := range s.kinds {
		kinds[i] = kind.selector()
	}
	match = ResourceFilters{Any: []ResourceFilter{{Kinds: kinds, Operations: s.selectedOperations()}}}
	// Kyverno takes a Namespace to be in itself: pkg/engine/utils/match.go (checkNameSpace).
	exclude = ResourceFilters{Any: []ResourceFilter{{Namespaces: s.exempt}}}
	return match, exclude
}

func (s selection) selectedOperations() []string {
	return listOrDefault(s.operations, writingOperations)
}

// namespace returns the expression for the namespace that a request is about.

func (s selection) namespace() string {
	const name, namespace = "object.metadata.name", `object.metadata.?namespace.orValue("")`
	if !slices.ContainsFunc(s.kinds, ResourceKind.isNamespace) {
		return namespace
	}
	if len(s.kinds) == 1 {
		return name
	}
	return fmt.Sprintf(`(object.apiVersion == "v1" && object.kind == "Namespace" ? %s : %s)`, name, namespace)
}

// resourceRules are one for each API version, with what a kind stands for.
func (s selection) resourceRules(of func(ResourceKind) []string) []ResourceRule {
	resources := map[schema.GroupVersion][]string{}
	for _, kind := range s.kinds {
		version := schema.GroupVersion{Group: kind.Group, Version: kind.version()}
		resources[version] = append(resources[version], of(kind)...)
	}
	versions := slices.SortedFunc(maps.Keys(resources), func(a, b schema.GroupVersion) int {
		return cmp.Compare(a.String(), b.String())
	})
	rules := make([]ResourceRule, len(versions))
	for i, version := range versions {
		rules[i] = ResourceRule{
			Groups: []string{version.Group}, Versions: []string{version.Version}, Resources: resources[version],
			Operations: s.selectedOperations(),
		}
	}
	return rules
}
