package policy

import (
	"reflect"
	"slices"
)

// filtersOf returns the resource filters of a match or exclude block, with the block itself where it holds one directly.
func filtersOf(block place) []place {
	filters := append(block.Child("any").Items(), block.Child("all").Items()...)
	if len(filters) == 0 && (block.Child("resources").Present() || !isEmptyUser(block)) {
		filters = append(filters, block)
	}
	return filters
}

// userFields are what a filter asks of the user.
var userFields = []string{"roles", "clusterRoles", "subjects"}

func isEmptyUser(filter place) bool {
	return !slices.ContainsFunc(userFields, func(field string) bool { return !filter.Child(field).Empty() })
}

func (p classicPolicy) checkMatch(rule place) {
	match, exclude := rule.Child("match"), rule.Child("exclude")
	matched := filtersOf(match)
	if len(matched) == 0 {
		match.Report(checkMatchesNothing, "it has no filter")
	}
	if !match.Child("any").Empty() && !match.Child("all").Empty() {
		match.Report(checkMatchesNothing, "any and all exclude each other")
	}
	for _, filter := range matched {
		kinds := filter.Child("resources", "kinds")
		if kinds.Empty() {
			kinds.Report(checkMatchesNothing, "without a kind the rule is refused")
		}
		p.checkWildcardKinds(rule, kinds)
	}
	for _, filter := range append(matched, filtersOf(exclude)...) {
		p.checkKinds(filter.Child("resources", "kinds"))
		for _, operation := range filter.Child("resources", "operations").Items() {
			if !slices.Contains(operations, operation.Text()) {
				operation.Report(checkOperation, "%q is none", operation.Text())
			}
		}
		if p.background && !isEmptyUser(filter) {
			filter.Report(checkBackgroundUser, "it is matched by roles or subjects, which nobody has in the background")
		}
		filter.Walk(func(at place) {
			if text, ok := at.Value().(string); ok && len(variablesIn(text)) > 0 {
				at.Report(checkVariablePlace, "match and exclude take no variables")
			}
		})
	}
	if excludesAll(match, exclude) {
		exclude.Report(checkExcludesAll, "it holds for everything that the match block holds for")
	}
}

var operations = []string{"CREATE", "UPDATE", "DELETE", "CONNECT"}

func (p classicPolicy) checkWildcardKinds(rule, kinds place) {
	texts := kinds.Texts()
	if !slices.Contains(texts, "*") {
		return
	}
	switch {
	case p.background:
		kinds.Report(checkWildcardKind, "background mode cannot look at every kind")
	case len(texts) > 1:
		kinds.Report(checkWildcardKind, "it stands for all kinds, and must stand alone")
	case rule.Child("generate").Present(), rule.Child("verifyImages").Present(), !rule.Child("validate", "foreach").Empty():
		kinds.Report(checkWildcardKind, "rules of this type need to know the kind")
	}
}

// excludesAll reports whether what is excluded certainly holds all that is matched: an exclude filter that asks no more
// than each of the match filters.
func excludesAll(match, exclude place) bool {
	matched := append(match.Child("any").Items(), match.Child("all").Items()...)
	excluded := exclude.Child("any").Items()
	if all := exclude.Child("all").Items(); len(all) == 1 {
		excluded = append(excluded, all...)
	}
	if len(matched) == 0 || len(excluded) == 0 {
		return false
	}
	every := match.Child("all").Empty()
	covered := func(filter place) bool {
		return slices.ContainsFunc(excluded, func(by place) bool { return covers(by, filter) })
	}
	if every {
		return !slices.ContainsFunc(matched, func(filter place) bool { return !covered(filter) })
	}
	return slices.ContainsFunc(matched, covered)
}

// covers reports whether one filter certainly holds all that another holds.
func covers(wide, narrow place) bool {
	wideFields, _ := wide.Value().(map[string]any)
	narrowFields, _ := narrow.Value().(map[string]any)
	if len(wideFields) == 0 {
		return false
	}
	for key, value := range wideFields {
		if key != "resources" {
			if !reflect.DeepEqual(value, narrowFields[key]) {
				return false
			}
			continue
		}
		resources, _ := value.(map[string]any)
		if len(resources) == 0 {
			return false
		}
		for field, wanted := range resources {
			if !coversList(wanted, narrow.Child("resources", field).Value()) {
				return false
			}
		}
	}
	return true
}

func coversList(wide, narrow any) bool {
	wideList, ok := wide.([]any)
	narrowList, okNarrow := narrow.([]any)
	if !ok || !okNarrow || len(narrowList) == 0 {
		return reflect.DeepEqual(wide, narrow) && wide != nil
	}
	for _, item := range narrowList {
		if !slices.Contains(wideList, item) && !slices.Contains(wideList, any("*")) {
			return false
		}
	}
	return true
}

// checkGenerate checks what a generate rule makes.
func (p classicPolicy) checkGenerate(rule place) {
	generate := rule.Child("generate")
	withOperations := false
	for _, filter := range filtersOf(rule.Child("match")) {
		withOperations = withOperations || !filter.Child("resources", "operations").Empty()
	}
	if generate.Child("synchronize").Flag(false) && withOperations {
		rule.Child("match").Report(checkNotRestored, "what the rule has generated is not restored when it is deleted")
	}
	// Only the direct form is refused; otherwise the requests of Kyverno's own controllers are passed over.
	if kind := generate.Child("kind"); slices.Contains(rule.Child("match", "resources", "kinds").Texts(), kind.Text()) {
		kind.Report(checkGeneratesItself, "the rule matches %s too", kind.Text())
	}
	for _, pattern := range generatePatterns(generate) {
		for _, n := range p.generateNeeds(generate, pattern) {
			p.checkNeed(n)
		}
	}
}

func generatePatterns(generate place) []place {
	if each := generate.Child("foreach").Items(); len(each) > 0 {
		return each
	}
	return []place{generate}
}
