package gitops

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// applicationSet is an ApplicationSet while it is checked.
type applicationSet struct {
	root, spec node
	name       string
	namespace  string
	goTemplate bool
	// patched templates can come out as anything.
	patched bool
}

func (c *checker) checkApplicationSet(obj *unstructured.Unstructured) {
	root := c.root(obj)
	spec := root.child("spec")
	set := applicationSet{
		root: root, spec: spec, name: obj.GetName(), namespace: obj.GetNamespace(),
		goTemplate: spec.child("goTemplate").flag(), patched: spec.child("templatePatch").exists(),
	}
	checkTemplating(set)
	if !spec.child("generators").exists() {
		spec.child("generators").report(ruleGenerator, "there is none, so that all Applications are deleted")
	}
	var bare bool
	for _, generator := range spec.child("generators").items() {
		checkGenerator(set, generator, 1)
		template, own := templateOf(set, generator)
		bare = bare || !own
		if own {
			c.checkTemplate(set, template)
		}
	}
	if bare || !spec.child("generators").exists() {
		c.checkTemplate(set, spec.child("template"))
	}
	c.addGeneratedNames(set)
	checkDeletion(set)
	checkStrategy(set)
	for _, entry := range spec.child("ignoreApplicationDifferences").items() {
		checkIgnoredFields(application{}, entry)
	}
	if wave := spec.child("template", "metadata", "annotations").key(waveAnnotation); wave.exists() {
		wave.report(ruleTemplateWave, "the ApplicationSet controller creates all Applications at once")
	}
}

// templateOf returns the template of a generator's Applications, and whether it differs from the ApplicationSet's own.
// argo-cd: applicationset/generators/generator_spec_processor.go, mergeGeneratorTemplate
func templateOf(set applicationSet, generator node) (node, bool) {
	base := set.spec.child("template")
	for _, kind := range generatorKinds {
		if own := generator.child(kind, "template"); own.exists() {
			return own.over(base), true
		}
	}
	return base, false
}

// checkTemplate checks one template as the Application that it makes, as far as it is known.
func (c *checker) checkTemplate(set applicationSet, template node) {
	checkTemplateTexts(set, template)
	if set.patched {
		return
	}
	app := application{
		metadata: template.child("metadata"), spec: template.child("spec"), namespace: set.namespace, templated: true,
	}
	c.checkSpec(app)
	if set.spec.child("syncPolicy", "preserveResourcesOnDeletion").flag() {
		for _, item := range app.metadata.child("finalizers").items() {
			if name, known := app.literal(item); known && strings.HasPrefix(name, argoapp.ResourcesFinalizer) {
				item.report(ruleFinalizerDeletes, "the Applications' resources are deleted with them")
			}
		}
	}
	if isRolling(set) && isAutomated(app) {
		app.spec.child("syncPolicy", "automated").report(ruleRollingAutomated, "RollingSync switches it off")
	}
}

// checkDeletion reports a generator over folders or files whose Applications go, with all that they deployed, when one
// is renamed.
// argo-cd: applicationset/utils/utils.go, RenderTemplateParams
func checkDeletion(set applicationSet) {
	policy := set.spec.child("syncPolicy")
	switch policy.child("applicationsSync").text() {
	case "create-only", "create-update":
		return
	}
	if set.patched || policy.child("preserveResourcesOnDeletion").flag() {
		return
	}
	finalizers := set.spec.child("template", "metadata", "finalizers").texts()
	deletes := func(name string) bool {
		return strings.HasPrefix(name, argoapp.ResourcesFinalizer) || isTemplate(name)
	}
	if len(finalizers) > 0 && !slices.ContainsFunc(finalizers, deletes) {
		return
	}
	for _, generator := range set.spec.child("generators").items() {
		if followsGit(generator, 1) {
			policy.child("preserveResourcesOnDeletion").report(rulePreserve,
				"it is not set, and a generator follows git's folders or files")
			return
		}
	}
}

func followsGit(generator node, depth int) bool {
	git := generator.child("git")
	if git.child("directories").exists() || git.child("files").exists() {
		return true
	}
	if depth > maxGeneratorDepth {
		return false
	}
	for _, kind := range combinations {
		for _, child := range generator.child(kind, "generators").items() {
			if followsGit(child, depth+1) {
				return true
			}
		}
	}
	return false
}

func isRolling(set applicationSet) bool {
	strategy := set.spec.child("strategy")
	return strategy.child("type").text() == "RollingSync" && strategy.child("rollingSync").present()
}

// checkStrategy checks the steps of a progressive sync.
// argo-cd: applicationset/controllers/applicationset_controller.go, buildAppDependencyList
func checkStrategy(set applicationSet) {
	strategy := set.spec.child("strategy")
	kind, steps := strategy.child("type"), strategy.child("rollingSync", "steps").items()
	switch kind.text() {
	case "", "AllAtOnce":
		if strategy.child("rollingSync").exists() {
			strategy.child("rollingSync").report(ruleStrategy, "it is ignored unless the type is RollingSync")
		}
		return
	case "RollingSync":
		if len(steps) == 0 {
			strategy.child("rollingSync", "steps").report(ruleStrategy, "without steps the strategy has no effect")
		}
	default:
		kind.report(ruleStrategy, "the strategies are AllAtOnce and RollingSync")
	}
	for _, step := range steps {
		checkStep(set, step)
	}
}

func checkStep(set applicationSet, step node) {
	for _, expression := range step.child("matchExpressions").items() {
		operator, key := expression.child("operator"), expression.child("key").text()
		if operator.text() != "In" && operator.text() != "NotIn" {
			operator.report(ruleStep, "the operators are In and NotIn")
			continue
		}
		if set.patched || !neverMatches(set, expression) {
			continue
		}
		expression.report(ruleStep, "no Application has a label %q with one of these values", key)
	}
}

// neverMatches reports whether none of the templates gives a label that the expression selects.
func neverMatches(set applicationSet, expression node) bool {
	if expression.child("operator").text() != "In" {
		return false
	}
	templates := []node{set.spec.child("template")}
	for _, generator := range set.spec.child("generators").items() {
		template, _ := templateOf(set, generator)
		templates = append(templates, template)
	}
	key, values := expression.child("key").text(), expression.child("values").texts()
	return !slices.ContainsFunc(templates, func(template node) bool {
		labels := template.child("metadata", "labels")
		return slices.ContainsFunc(labels.keys(), func(label string) bool {
			value := labels.key(label).text()
			return isTemplate(label) || label == key && (isTemplate(value) || slices.Contains(values, value))
		})
	})
}
