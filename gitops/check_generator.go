package gitops

import (
	"slices"
	"strings"
)

// generatorKinds are those of Argo CD 2.14 and 3.5.
// argo-cd: pkg/apis/application/v1alpha1/applicationset_types.go, ApplicationSetGenerator
var generatorKinds = []string{
	"list", "clusters", "git", "scmProvider", "clusterDecisionResource", "pullRequest", "plugin", "matrix", "merge",
}

// combinations are the generators that hold others.
var combinations = []string{"matrix", "merge"}

// maxGeneratorDepth is how many levels of combinations Argo CD evaluates.
const maxGeneratorDepth = 2

// kindsOf returns the generators of one entry. A present but empty one, such as clusters: {}, counts.
func kindsOf(generator node) []string {
	return slices.DeleteFunc(slices.Clone(generatorKinds), func(kind string) bool { return !generator.child(kind).present() })
}

// checkGenerator checks an entry at a depth: 1 for those of the ApplicationSet itself.
// argo-cd: applicationset/utils/utils.go, CheckInvalidGenerators; applicationset/generators/matrix.go, merge.go
func checkGenerator(set applicationSet, generator node, depth int) {
	known := kindsOf(generator)
	foreign := slices.DeleteFunc(generator.keys(), func(key string) bool {
		return key == "selector" || slices.Contains(generatorKinds, key)
	})
	for _, key := range foreign {
		generator.child(key).report(ruleGenerator, "Argo CD knows no such generator")
	}
	switch {
	case len(known) == 0 && len(foreign) == 0:
		generator.report(ruleGenerator, "the entry holds none of %s", strings.Join(generatorKinds, ", "))
	case len(known) > 1 && depth > 1:
		generator.report(ruleGenerator, "an entry inside matrix or merge holds one generator, not %s",
			strings.Join(known, " and "))
	case len(known) > 1:
		generator.report(ruleGeneratorSeveral, "the Applications of all of %s are made", strings.Join(known, " and "))
	}
	for _, kind := range combinations {
		if slices.Contains(known, kind) {
			checkCombination(set, generator.child(kind), kind, depth)
		}
	}
	checkGit(generator.child("git"))
	checkElements(set, generator.child("list"))
}

func checkCombination(set applicationSet, combination node, kind string, depth int) {
	if depth > maxGeneratorDepth {
		combination.report(ruleNesting, "Argo CD combines generators at most two levels deep")
		return
	}
	generators := combination.child("generators")
	count := len(generators.items())
	switch {
	case kind == "matrix" && count != 2:
		generators.report(ruleNesting, "a matrix combines exactly two generators, not %d", count)
	case count < 2:
		generators.report(ruleNesting, "a merge combines at least two generators, not %d", count)
	}
	if kind == "merge" && len(combination.child("mergeKeys").items()) == 0 {
		combination.child("mergeKeys").report(ruleMergeKeys, "a merge needs keys that say which parameters belong together")
	}
	for _, child := range generators.items() {
		if depth == maxGeneratorDepth && child.child("selector").exists() && !set.spec.child("applyNestedSelectors").flag() {
			child.child("selector").report(ruleNestedSelector, "applyNestedSelectors is not true")
		}
		for _, inner := range kindsOf(child) {
			if template := child.child(inner, "template"); template.exists() {
				template.report(ruleNestedTemplate, "Argo CD uses only the template of the outermost generator")
			}
		}
		checkGenerator(set, child, depth+1)
	}
}

// argo-cd: applicationset/generators/git.go, GenerateParams
func checkGit(git node) {
	directories, files := git.child("directories"), git.child("files")
	switch {
	case !git.present():
	case !directories.exists() && !files.exists():
		git.report(ruleGenerator, "a git generator needs directories or files")
	case directories.exists() && files.exists():
		files.report(ruleGitFiles, "the directories are used instead")
	}
}

// checkElements: without Go templates, the values of a list's elements are strings.
// argo-cd: applicationset/generators/list.go
func checkElements(set applicationSet, list node) {
	if set.goTemplate || !list.present() {
		return
	}
	for _, element := range list.child("elements").items() {
		for _, key := range element.keys() {
			value := element.child(key)
			if key != "values" {
				checkElement(value)
				continue
			}
			for _, name := range value.keys() {
				checkElement(value.child(name))
			}
		}
	}
}

func checkElement(value node) {
	if _, ok := value.top().value.(string); !ok {
		value.report(ruleElement, "it is no string")
	}
}
