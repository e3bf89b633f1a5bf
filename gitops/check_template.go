package gitops

import (
	"errors"
	"slices"
	"strings"
)

var templateOptions = []string{"missingkey=default", "missingkey=error", "missingkey=invalid", "missingkey=zero"}

func checkTemplating(set applicationSet) {
	options := set.spec.child("goTemplateOptions")
	if !set.goTemplate {
		set.spec.child("goTemplate").report(ruleFastTemplate, "it is not true")
		if options.exists() {
			options.report(ruleTemplateOption, "they are ignored unless goTemplate is true")
		}
	} else {
		var last string
		for _, item := range options.items() {
			if last = item.text(); !slices.Contains(templateOptions, last) {
				item.report(ruleTemplateOption, "Go's templates know %s", strings.Join(templateOptions, ", "))
			}
		}
		if last != "missingkey=error" {
			options.report(ruleMissingKey, "a missing key becomes \"<no value>\" in the Applications")
		}
	}
	if patch := set.spec.child("templatePatch"); patch.exists() {
		checkTemplateText(set, patch)
	}
}

// checkTemplateTexts checks the syntax of every string in a template, keys included.
func checkTemplateTexts(set applicationSet, n node) {
	for _, l := range n.layers {
		walkTexts(n.at(l), func(at node) { checkTemplateText(set, at) })
	}
}

func walkTexts(n node, visit func(node)) {
	switch value := n.top().value.(type) {
	case string:
		visit(n)
	case []any:
		for _, item := range n.items() {
			walkTexts(item, visit)
		}
	case map[string]any:
		for _, key := range keys(value) {
			visit(n.at(layer{value: key, path: n.child(key).top().path}))
			walkTexts(n.child(key), visit)
		}
	}
}

func checkTemplateText(set applicationSet, at node) {
	text := at.text()
	parse := parseFastTemplate
	if set.goTemplate {
		parse = parseTemplate
	}
	if err := parse(text); err != nil {
		at.report(ruleTemplate, "%v", err)
	}
}

// parseFastTemplate finds what Argo CD's simple templates reject: a tag without an end. A text without any whole tag is
// no template.
// argo-cd: applicationset/utils/utils.go, Replace
func parseFastTemplate(text string) error {
	whole := false
	for {
		_, rest, found := strings.Cut(text, "{{")
		if !found {
			return nil
		}
		_, after, closed := strings.Cut(rest, "}}")
		if !closed && whole {
			return errors.New("a tag that begins with {{ does not end with }}")
		}
		if !closed {
			return nil
		}
		whole, text = true, after
	}
}
