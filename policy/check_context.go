package policy

import (
	"slices"
	"strings"
)

// contextSources are the fields of which a context entry has exactly one.
var contextSources = []string{"configMap", "apiCall", "globalReference", "imageRegistry", "variable"}

// checkContextEntries checks the context of a rule and of its loops.
// kyverno: pkg/validation/policy/validate.go, validateRuleContext
func checkContextEntries(rule place) {
	lists := []place{rule.Child("context")}
	for _, each := range [][]string{{"validate", "foreach"}, {"mutate", "foreach"}, {"generate", "foreach"}, {"mutate", "targets"}} {
		for _, item := range rule.Child(each...).Items() {
			lists = append(lists, item.Child("context"))
		}
	}
	for _, list := range lists {
		for _, entry := range list.Items() {
			checkContextEntry(entry)
		}
	}
}

func checkContextEntry(entry place) {
	name := entry.Child("name")
	first, _, _ := strings.Cut(name.Text(), ".")
	switch {
	case name.Text() == "":
		name.Report(checkContext, "the entry needs a name")
	case slices.Contains(builtInVariables, first), first == "element", first == "elementIndex":
		name.Report(checkContext, "%s is built in", first)
	}
	var sources []string
	for _, source := range contextSources {
		if entry.Child(source).Present() {
			sources = append(sources, source)
		}
	}
	if len(sources) != 1 {
		entry.Report(checkContext, "it has %d sources, and needs one of %s", len(sources), strings.Join(contextSources, ", "))
		return
	}
	switch source := entry.Child(sources[0]); sources[0] {
	case "configMap":
		for _, field := range []string{"name", "namespace"} {
			if source.Child(field).Empty() {
				source.Child(field).Report(checkContext, "a ConfigMap needs a %s", field)
			}
		}
	case "apiCall":
		if !source.Child("urlPath").Empty() && source.Child("service").Present() {
			source.Report(checkContext, "urlPath is for the API server, and service for others")
		}
	case "imageRegistry":
		if source.Child("reference").Empty() {
			source.Child("reference").Report(checkContext, "it needs the reference of an image")
		}
	case "variable":
		if !source.Child("value").Present() && source.Child("jmesPath").Empty() {
			source.Report(checkContext, "a variable needs a value or a jmesPath")
		}
		if source.Child("default").Present() && source.Child("jmesPath").Empty() {
			source.Child("default").Report(checkContext, "a default is for a jmesPath")
		}
	}
}
