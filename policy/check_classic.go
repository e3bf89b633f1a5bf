package policy

import (
	"slices"
	"strings"

	"github.com/robfig/cron/v3"
)

// ruleTypes are the fields of which a rule has exactly one.
var ruleTypes = []string{"validate", "mutate", "generate", "verifyImages"}

// checkClassic checks a ClusterPolicy or a Policy.
func (c *checker) checkClassic(root place, kind string) {
	spec := root.Child("spec")
	checkDeprecatedSpec(spec)
	c.checkTimeouts(spec.Child("webhookTimeoutSeconds"), spec.Child("webhookConfiguration", "timeoutSeconds"))
	for _, condition := range spec.Child("webhookConfiguration", "matchConditions").Items() {
		c.checkExpression(condition.Child("expression"), append([]string{"authorizer"}, celRequest...), nil)
	}
	background := spec.Child("background").Flag(true)
	admission := spec.Child("admission").Flag(true)
	policy := classicPolicy{checker: c, spec: spec, background: background}
	if !admission && !background {
		spec.Child("admission").Report(checkNeverEvaluated, "admission and background are both off")
	}
	rules := spec.Child("rules")
	if rules.Empty() {
		rules.Report(checkRuleType, "a policy needs a rule")
	}
	var names []string
	for _, rule := range rules.Items() {
		name := rule.Child("name")
		switch text := name.Text(); {
		case text == "", len(text) > 63:
			name.Report(checkDuplicateRule, "the name has %d characters", len(text))
		case slices.Contains(names, text):
			name.Report(checkDuplicateRule, "another rule is called %s", text)
		default:
			names = append(names, text)
		}
		if !admission && (rule.Child("mutate").Present() || rule.Child("generate").Present() || rule.Child("verifyImages").Present()) {
			spec.Child("admission").Report(checkNeverEvaluated, "without admission only validate rules work")
		}
		policy.checkRule(rule)
	}
	c.checkClassicFailurePolicy(spec)
	if kind == "ClusterPolicy" && admission {
		for _, rule := range rules.Items() {
			if enforces(spec, rule) {
				c.checkReachOf(rule)
			}
		}
	}
}

// classicPolicy is what the checks of a rule need of its policy.
type classicPolicy struct {
	*checker
	spec       place
	background bool
}

func (p classicPolicy) checkRule(rule place) {
	var types []string
	for _, field := range ruleTypes {
		if rule.Child(field).Present() {
			types = append(types, field)
		}
	}
	if len(types) != 1 {
		rule.Report(checkRuleType, "it has %d of them: %s", len(types), strings.Join(types, ", "))
	}
	p.checkMatch(rule)
	p.checkVariables(rule)
	checkContextEntries(rule)
	checkConditionsOf(rule)
	checkPatternsOf(rule)
	if validate := rule.Child("validate", "cel"); validate.Present() {
		p.checkClassicCEL(rule, validate)
	} else if conditions := rule.Child("celPreconditions"); !conditions.Empty() {
		conditions.Report(checkRuleType, "CEL preconditions are for validate.cel only")
	}
	if rule.Child("generate").Present() {
		p.checkGenerate(rule)
	}
	for _, n := range p.targetNeeds(rule.Child("mutate", "targets")) {
		p.checkNeed(n)
	}
}

// checkClassicCEL checks a validate rule in CEL.
func (p classicPolicy) checkClassicCEL(rule, cel place) {
	if context := rule.Child("context"); !context.Empty() {
		context.Report(checkContext, "a rule in CEL has variables, and no context")
	}
	roots := append([]string{"authorizer"}, celRequest...)
	if cel.Child("paramKind").Present() {
		roots = append(roots, "params")
	}
	p.checkConditions(rule.Child("celPreconditions"), roots)
	roots = append(roots, "variables")
	var variables []string
	for _, variable := range cel.Child("variables").Items() {
		p.checkExpression(variable.Child("expression"), roots, variables)
		variables = append(variables, variable.Child("name").Text())
	}
	for _, expression := range cel.Child("expressions").Items() {
		p.checkExpression(expression.Child("expression"), roots, variables)
		p.checkExpression(expression.Child("messageExpression"), roots, variables)
	}
	for _, annotation := range cel.Child("auditAnnotations").Items() {
		p.checkExpression(annotation.Child("valueExpression"), roots, variables)
	}
}

// checkCleanup checks a clean-up policy.
func (c *checker) checkCleanup(root place) {
	spec := root.Child("spec")
	checkCron(spec.Child("schedule"))
	for _, block := range []string{"match", "exclude"} {
		for _, filter := range filtersOf(spec.Child(block)) {
			c.checkKinds(filter.Child("resources", "kinds"))
		}
	}
	for _, filter := range filtersOf(spec.Child("match")) {
		for _, kind := range filter.Child("resources", "kinds").Items() {
			for _, n := range c.kindNeeds(kind, "", cleanupController, cleanupVerbs...) {
				c.checkNeed(n)
			}
		}
	}
	for _, list := range []string{"any", "all"} {
		for _, condition := range spec.Child("conditions", list).Items() {
			checkCondition(condition)
		}
	}
}

// checkCron checks a schedule.
// kyverno: pkg/validation/cleanuppolicy/validate.go, validateSchedule
func checkCron(schedule place) {
	text := schedule.Text()
	// The parser panics on a time zone that nothing follows.
	if zone, fields, _ := strings.Cut(text, " "); strings.Contains(zone, "TZ=") && fields == "" {
		schedule.Report(checkSchedule, "the time zone is followed by nothing")
		return
	}
	if _, err := cron.ParseStandard(text); err != nil {
		schedule.Report(checkSchedule, "%q: %v", text, err)
	}
}

func (c *checker) checkTimeouts(timeouts ...place) {
	for _, timeout := range timeouts {
		seconds, ok := number(timeout.Value())
		if ok && (seconds < 1 || seconds > 30) {
			timeout.Report(checkTimeout, "it is %v seconds", timeout.Value())
		}
	}
}

// number returns a JSON number.
func number(value any) (float64, bool) {
	switch value := value.(type) {
	case int64:
		return float64(value), true
	case float64:
		return value, true
	case int:
		return float64(value), true
	default:
		return 0, false
	}
}

func (c *checker) checkClassicFailurePolicy(spec place) {
	policy := spec.Child("webhookConfiguration", "failurePolicy")
	if !policy.Present() {
		policy = spec.Child("failurePolicy")
	}
	if policy.Text() == "Ignore" && slices.ContainsFunc(spec.Child("rules").Items(), func(rule place) bool { return enforces(spec, rule) }) {
		policy.Report(checkFailOpen, "requests are admitted unchecked while Kyverno cannot answer")
	}
}

// enforces reports whether a validate rule denies requests anywhere.
func enforces(spec, rule place) bool {
	validate := rule.Child("validate")
	if !validate.Present() {
		return false
	}
	action := validate.Child("failureAction").Text()
	if action == "" {
		action = spec.Child("validationFailureAction").Text()
	}
	if strings.EqualFold(action, "Enforce") {
		return true
	}
	overrides := append(validate.Child("failureActionOverrides").Items(), spec.Child("validationFailureActionOverrides").Items()...)
	return slices.ContainsFunc(overrides, func(override place) bool {
		return strings.EqualFold(override.Child("action").Text(), "Enforce")
	})
}
