package policy

import (
	"slices"
	"strings"
)

// celRoots are the names that each kind's expressions may use, by the place of the expression.
// kyverno: pkg/cel/policies/*/compiler, pkg/imageverification/evaluator/compiler.go
type celRoots struct {
	// conditions are for matchConditions, rest for everything else.
	conditions, rest []string
}

var (
	celRequest = []string{"object", "oldObject", "request", "namespaceObject"}
	celLibrary = []string{"variables", "resource", "http", "globalContext"}
)

var celRootsOf = map[string]celRoots{
	"ValidatingPolicy":      {celRequest, slices.Concat(celRequest, celLibrary, []string{"image"})},
	"MutatingPolicy":        {slices.Concat(celRequest, celLibrary, []string{"image", "images"}), slices.Concat(celRequest, celLibrary, []string{"image", "images"})},
	"GeneratingPolicy":      {celRequest, slices.Concat(celRequest, celLibrary, []string{"generator"})},
	"DeletingPolicy":        {slices.Concat(celRequest, celLibrary, []string{"image", "images"}), slices.Concat(celRequest, celLibrary, []string{"image", "images"})},
	"ImageValidatingPolicy": {slices.Concat(celRequest, celLibrary, celImage), slices.Concat(celRequest, celLibrary, celImage)},
}

var celImage = []string{"images", "image", "attestors", "attestations"}

// celNewer are names that releases after 1.15 have added somewhere. They are accepted everywhere from then on.
var celNewer = []string{"exceptions", "image", "images", "imageData", "resource", "http", "globalContext", "user", "generator", "params"}

// celExpression reports an expression that does not parse, or uses what is not there. Variables are those that are
// declared before it.
func (c *checker) checkExpression(at place, roots, variables []string) {
	text := at.Text()
	if text == "" {
		return
	}
	tree, problem := parseCEL(text)
	if problem != "" {
		at.Report(checkCELSyntax, "%s", problem)
		return
	}
	references := referencesOf(tree)
	for _, name := range references.roots {
		switch {
		case slices.Contains(roots, name), slices.Contains(celTypes, name):
		case c.kyverno.atLeast(firstBeta) && slices.Contains(celNewer, name):
		default:
			at.Report(checkCELVariable, "%s is not known here", name)
		}
	}
	if !slices.Contains(roots, "variables") {
		return
	}
	for _, name := range references.variables {
		if !slices.Contains(variables, name) {
			at.Report(checkCELVariable, "variables.%s is not declared before", name)
		}
	}
}

// checkCEL checks a policy of policies.kyverno.io.
func (c *checker) checkCEL(root place, kind string) {
	spec := root.Child("spec")
	kind = strings.TrimPrefix(kind, "Namespaced")
	roots := celRootsOf[kind]
	if spec.Child("evaluation", "mode").Text() == "JSON" {
		payload := append([]string{"object", "image"}, celLibrary...)
		roots = celRoots{conditions: payload, rest: payload}
		if kind == "ImageValidatingPolicy" {
			roots.conditions, roots.rest = append(payload, celImage...), append(payload, celImage...)
		}
	} else {
		lists := requestLists
		if kind == "DeletingPolicy" {
			lists = objectLists
		}
		c.checkConstraints(spec.Child("matchConstraints"), lists)
	}
	c.checkConditions(spec.Child("matchConditions"), roots.conditions)
	c.checkConditions(spec.Child("conditions"), roots.rest)

	var variables []string
	for _, variable := range spec.Child("variables").Items() {
		c.checkExpression(variable.Child("expression"), roots.rest, variables)
		name := variable.Child("name")
		if slices.Contains(variables, name.Text()) || name.Text() == "" {
			name.Report(checkDuplicateRule, "variable %q needs a name of its own", name.Text())
		}
		variables = append(variables, name.Text())
	}
	for _, list := range []struct {
		path   []string
		fields []string
	}{
		{[]string{"validations"}, []string{"expression", "messageExpression"}},
		{[]string{"auditAnnotations"}, []string{"valueExpression"}},
		{[]string{"generate"}, []string{"expression"}},
		{[]string{"images"}, []string{"expression"}},
	} {
		for _, item := range spec.Child(list.path...).Items() {
			for _, field := range list.fields {
				c.checkExpression(item.Child(field), roots.rest, variables)
			}
		}
	}
	if kind == "MutatingPolicy" {
		checkOldObjects(spec)
	}
	for _, mutation := range spec.Child("mutations").Items() {
		c.checkExpression(mutation.Child("applyConfiguration", "expression"), roots.rest, variables)
		c.checkExpression(mutation.Child("jsonPatch", "expression"), roots.rest, variables)
	}
	for _, n := range celNeeds(spec, kind) {
		c.checkNeed(n)
	}
	c.checkTimeouts(spec.Child("webhookConfiguration", "timeoutSeconds"))
	c.checkCELEvaluation(spec, kind)
	if kind == "DeletingPolicy" {
		checkCron(spec.Child("schedule"))
	}
}

// checkOldObjects reports expressions for which the old object is always empty.
func checkOldObjects(spec place) {
	var expressions []place
	for _, list := range []string{"matchConditions", "variables"} {
		for _, item := range spec.Child(list).Items() {
			expressions = append(expressions, item.Child("expression"))
		}
	}
	for _, mutation := range spec.Child("mutations").Items() {
		expressions = append(expressions, mutation.Child("applyConfiguration", "expression"), mutation.Child("jsonPatch", "expression"))
	}
	for _, at := range expressions {
		tree, problem := parseCEL(at.Text())
		if problem == "" && slices.Contains(referencesOf(tree).roots, "oldObject") {
			at.Report(checkOldObject, "oldObject is empty here, on updates too")
		}
	}
}

func (c *checker) checkConditions(conditions place, roots []string) {
	var names []string
	for _, condition := range conditions.Items() {
		c.checkExpression(condition.Child("expression"), roots, nil)
		name := condition.Child("name")
		if slices.Contains(names, name.Text()) || name.Text() == "" {
			name.Report(checkDuplicateRule, "condition %q needs a name of its own", name.Text())
		}
		names = append(names, name.Text())
	}
}

// checkCELEvaluation checks when a policy is evaluated, and what it does then.
func (c *checker) checkCELEvaluation(spec place, kind string) {
	evaluation := spec.Child("evaluation")
	admission := evaluation.Child("admission", "enabled")
	background := evaluation.Child("background", "enabled")
	if !admission.Flag(true) && (kind != "ValidatingPolicy" && kind != "ImageValidatingPolicy" || !background.Flag(true)) {
		admission.Report(checkNeverEvaluated, "without admission the policy does nothing")
	}
	enforces := kind != "DeletingPolicy"
	if kind == "ValidatingPolicy" || kind == "ImageValidatingPolicy" {
		actions := spec.Child("validationActions").Texts()
		enforces = len(actions) == 0 || slices.Contains(actions, "Deny")
	}
	if policy := spec.Child("failurePolicy"); enforces && policy.Text() == "Ignore" && kind != "GeneratingPolicy" {
		policy.Report(checkFailOpen, "requests are admitted unchecked while Kyverno cannot answer")
	}
	if kind == "GeneratingPolicy" {
		synchronize := evaluation.Child("synchronize", "enabled")
		if synchronize.Flag(false) && !c.kyverno.atLeast(firstSynchronized) {
			synchronize.Report(checkSynchronize, "Kyverno %s loses what it has generated", c.kyverno)
		}
		return
	}
	if enforces && kind != "MutatingPolicy" && admission.Flag(true) {
		c.checkCELReach(spec.Child("matchConstraints"), spec.Child("matchConditions"))
	}
}
