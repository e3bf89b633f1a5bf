package policy

import (
	"slices"
	"strings"
)

// conditionOperators are Kyverno's.
// kyverno: api/kyverno/v1/common_types.go, ConditionOperators
var conditionOperators = strings.Fields("Equal Equals NotEqual NotEquals In AnyIn AllIn NotIn AnyNotIn AllNotIn " +
	"GreaterThanOrEquals GreaterThan LessThanOrEquals LessThan " +
	"DurationGreaterThanOrEquals DurationGreaterThan DurationLessThanOrEquals DurationLessThan")

// deprecatedOperators are still evaluated.
// kyverno: pkg/engine/variables/operator/utils.go, deprecatedOperators
var deprecatedOperators = []string{"In", "NotIn"}

// checkConditionsOf checks the conditions of a rule, wherever they are.
func checkConditionsOf(rule place) {
	blocks := []place{rule.Child("preconditions"), rule.Child("validate", "deny", "conditions")}
	blocks = append(blocks, foreachConditions(rule.Child("validate", "foreach"))...)
	blocks = append(blocks, foreachConditions(rule.Child("mutate", "foreach"))...)
	blocks = append(blocks, foreachConditions(rule.Child("generate", "foreach"))...)
	for _, target := range rule.Child("mutate", "targets").Items() {
		blocks = append(blocks, target.Child("preconditions"))
	}
	for _, block := range blocks {
		// The oldest form is a list.
		if _, ok := block.Value().([]any); ok {
			checkConditionList(block)
			continue
		}
		checkConditionList(block.Child("any"))
		checkConditionList(block.Child("all"))
	}
}

func foreachConditions(list place) []place {
	var out []place
	for _, item := range list.Items() {
		out = append(out, item.Child("preconditions"), item.Child("deny", "conditions"))
		if nested := item.Child("foreach"); nested.Present() {
			out = append(out, foreachConditions(nested)...)
		}
	}
	return out
}

func checkConditionList(list place) {
	for _, condition := range list.Items() {
		checkCondition(condition)
	}
}

func checkCondition(condition place) {
	operator := condition.Child("operator")
	switch text := operator.Text(); {
	case !condition.Child("key").Present(), !condition.Child("value").Present(), text == "":
		condition.Report(checkOperator, "it needs a key, an operator and a value")
	case !slices.Contains(conditionOperators, text):
		operator.Report(checkOperator, "there is no operator %q", text)
	case slices.Contains(deprecatedOperators, text):
		operator.Report(checkOperatorDeprecated, "%s is deprecated", text)
	}
	key, _ := condition.Child("key").Value().(string)
	if strings.ReplaceAll(key, " ", "") != "{{request.operation}}" {
		return
	}
	values := []place{condition.Child("value")}
	if _, ok := values[0].Value().([]any); ok {
		values = values[0].Items()
	}
	for _, value := range values {
		if text := value.Text(); !strings.HasPrefix(text, "{{") && !slices.Contains(operations, text) {
			value.Report(checkOperation, "%q is none", text)
		}
	}
}
