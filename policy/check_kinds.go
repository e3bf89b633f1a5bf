package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

const exceptionKind = "PolicyException"

// isClassic reports whether the kind is a policy of the older generation.
func isClassic(gvk schema.GroupVersionKind) bool {
	return gvk.Group == classicKind.Group && (gvk.Kind == "ClusterPolicy" || gvk.Kind == "Policy")
}

func isCleanup(gvk schema.GroupVersionKind) bool {
	return gvk.Group == classicKind.Group && (gvk.Kind == "ClusterCleanupPolicy" || gvk.Kind == "CleanupPolicy")
}

func isException(gvk schema.GroupVersionKind) bool {
	return gvk.Kind == exceptionKind && (gvk.Group == classicKind.Group || gvk.Group == celGroup)
}

// kindTable knows the kinds of API groups that it knows completely.
type kindTable struct {
	// kinds are those of each group, with the plural of each.
	kinds map[string]map[string]string
}

// kindsOf returns the built-in kinds, and those of CustomResourceDefinitions.
func kindsOf(objects []*unstructured.Unstructured) kindTable {
	table := kindTable{kinds: map[string]map[string]string{}}
	for gvk := range scheme.Scheme.AllKnownTypes() {
		// Types such as ListOptions are in every group's scheme; they are no kinds that anybody matches.
		if gvk.Version == "__internal" || strings.HasSuffix(gvk.Kind, "List") || strings.HasSuffix(gvk.Kind, "Options") {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		table.add(gvk.Group, gvk.Kind, plural.Resource)
	}
	// Kinds that client-go's scheme has no type for.
	table.add("", "Endpoints", "endpoints")
	for _, obj := range objects {
		if obj.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
		plural, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "plural")
		if table.kinds[group] != nil {
			table.add(group, kind, plural)
		}
	}
	return table
}

func (t kindTable) add(group, kind, plural string) {
	if t.kinds[group] == nil {
		t.kinds[group] = map[string]string{}
	}
	t.kinds[group][kind] = plural
}

// plausible reports whether a kind may exist. A pattern may, and so may a kind of a group that the table does not know.
func (t kindTable) plausible(selector kindSelector) bool {
	if strings.ContainsAny(selector.group+selector.kind, "*?") {
		return true
	}
	kinds, known := t.kinds[selector.group]
	return !known || kinds[selector.kind] != ""
}

// plural returns the resource of a kind of any group, or a guess.
func (t kindTable) plural(group, kind string) string {
	if plural := t.kinds[group][kind]; plural != "" {
		return plural
	}
	guess, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: group, Kind: kind})
	return guess.Resource
}

// groupOf returns the only built-in group of a kind, and whether there is one.
func (t kindTable) groupOf(kind string) (string, bool) {
	var groups []string
	for group, kinds := range t.kinds {
		// Events are in two groups, and old groups of workloads are gone.
		if kinds[kind] != "" && group != "extensions" && group != "events.k8s.io" {
			groups = append(groups, group)
		}
	}
	if len(groups) != 1 {
		return "", false
	}
	return groups[0], true
}

// hasResource reports whether a resource of a group may exist.
func (t kindTable) hasResource(group, resource string) bool {
	kinds, known := t.kinds[group]
	resource, _, _ = strings.Cut(resource, "/")
	if !known || strings.Contains(group+resource, "*") {
		return true
	}
	for _, plural := range kinds {
		if plural == resource {
			return true
		}
	}
	return false
}

// kindSelector is how a classic policy names kinds; "*" stands for any.
type kindSelector struct{ group, version, kind, subresource string }

// selectKind reads a selector.
// kyverno: pkg/utils/kube/kind.go, ParseKindSelector
func selectKind(text string) (kindSelector, bool) {
	parts := strings.Split(text, "/")
	last := len(parts) - 1
	parts = append(parts[:last:last], strings.Split(parts[last], ".")...)
	switch {
	case slices.Contains(parts, ""):
		return kindSelector{}, false
	case len(parts) == 1:
		return kindSelector{"*", "*", parts[0], ""}, true
	case len(parts) == 2 && parts[0] == "*" && parts[1] == "*":
		return kindSelector{"*", "*", "*", "*"}, true
	case len(parts) == 2 && parts[0] == "*" && strings.ToLower(parts[1]) == parts[1]:
		return kindSelector{"*", "*", "*", parts[1]}, true
	case len(parts) == 2 && isVersion(parts[0]):
		return kindSelector{"*", parts[0], parts[1], ""}, true
	case len(parts) == 2:
		return kindSelector{"*", "*", parts[0], parts[1]}, true
	case len(parts) == 3 && isVersion(parts[0]):
		return kindSelector{"*", parts[0], parts[1], parts[2]}, true
	case len(parts) == 3:
		return kindSelector{parts[0], parts[1], parts[2], ""}, true
	case len(parts) == 4:
		return kindSelector{parts[0], parts[1], parts[2], parts[3]}, true
	default:
		return kindSelector{}, false
	}
}

func isVersion(text string) bool {
	if text == "*" {
		return true
	}
	rest, found := strings.CutPrefix(text, "v")
	return found && rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// checkKinds checks the selectors of a classic policy.
func (c *checker) checkKinds(list place) {
	for _, item := range list.Items() {
		selector, ok := selectKind(item.Text())
		if !ok {
			item.Report(checkUnknownKind, "%q is no kind: write Kind, group/version/Kind or Kind/subresource", item.Text())
			continue
		}
		if !c.kinds.plausible(selector) {
			item.Report(checkUnknownKind, "the group %q has no kind %s", selector.group, selector.kind)
			continue
		}
		if selector.group == "*" && c.looksMistaken(selector.kind) {
			item.Report(checkUnknownKind, "there is no kind %s", selector.kind)
		}
	}
}

// looksMistaken reports whether a kind is the plural or lower case of one that there is. Kinds that nobody knows may be
// custom.
func (c *checker) looksMistaken(name string) bool {
	if strings.ContainsAny(name, "*?") {
		return false
	}
	mistaken := false
	for _, kinds := range c.kinds.kinds {
		for kind, plural := range kinds {
			if kind == name {
				return false
			}
			mistaken = mistaken || strings.EqualFold(kind, name) || strings.EqualFold(plural, name)
		}
	}
	return mistaken
}

// requestLists are what a resource rule selects requests by; a policy that is for no request needs only the objects.
var (
	objectLists  = []string{"apiGroups", "apiVersions", "resources"}
	requestLists = append(slices.Clone(objectLists), "operations")
)

// checkConstraints checks the match block of a CEL policy, whose resource rules need the lists.
func (c *checker) checkConstraints(constraints place, needed []string) {
	rules := constraints.Child("resourceRules")
	if rules.Empty() {
		rules.Report(checkMatchesNothing, "without a resource rule nothing matches")
	}
	for _, rule := range append(rules.Items(), constraints.Child("excludeResourceRules").Items()...) {
		for _, list := range needed {
			if rule.Child(list).Empty() {
				rule.Child(list).Report(checkMatchesNothing, "an empty list matches nothing")
			}
		}
		for _, operation := range rule.Child("operations").Items() {
			if operation.Text() != "*" && !slices.Contains(operations, operation.Text()) {
				operation.Report(checkOperation, "%q is none", operation.Text())
			}
		}
		groups := rule.Child("apiGroups").Texts()
		for _, resource := range rule.Child("resources").Items() {
			found := len(groups) == 0
			for _, group := range groups {
				found = found || c.kinds.hasResource(group, resource.Text())
			}
			if !found {
				resource.Report(checkUnknownKind, "the group %q has no resource %s", strings.Join(groups, ", "), resource.Text())
			}
		}
	}
}
