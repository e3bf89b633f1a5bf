package policy

import (
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// checkPatternsOf checks the patterns of a validate rule.
func checkPatternsOf(rule place) {
	validate := rule.Child("validate")
	checkPatternBelow(validate.Child("pattern"))
	for _, pattern := range validate.Child("anyPattern").Items() {
		checkPatternBelow(pattern)
	}
	checkForeachPatterns(validate.Child("foreach"))
}

func checkForeachPatterns(list place) {
	for _, item := range list.Items() {
		checkPatternBelow(item.Child("pattern"))
		for _, pattern := range item.Child("anyPattern").Items() {
			checkPatternBelow(pattern)
		}
		if nested := item.Child("foreach"); nested.Present() {
			checkForeachPatterns(nested)
		}
	}
}

func checkPatternBelow(pattern place) {
	pattern.Walk(func(at place) {
		text, ok := at.Value().(string)
		if !ok || strings.Contains(text, "{{") || strings.Contains(text, "$(") {
			return
		}
		// One alternative is enough to match.
		var problem string
		for _, alternative := range strings.Split(text, "|") {
			if problem = impossible(alternative); problem == "" {
				return
			}
		}
		at.Report(checkPattern, "%q: %s", text, problem)
	})
}

var rangePattern = regexp.MustCompile(`^([-|+]?\d+(?:\.\d+)?[A-Za-z]*)-([-|+]?\d+(?:\.\d+)?[A-Za-z]*)$`)

// impossible says why conditions that must all hold never do; "" if they may.
// kyverno: pkg/engine/pattern/pattern.go, checkForAndConditionsAndValidate
func impossible(conditions string) string {
	var lower, upper string
	for _, condition := range strings.Split(conditions, "&") {
		condition = strings.TrimSpace(condition)
		if found := rangePattern.FindStringSubmatch(condition); found != nil {
			lower, upper = found[1], found[2]
			if exceeds(lower, upper) {
				return "the range is empty"
			}
			continue
		}
		bound := strings.TrimSpace(strings.TrimLeft(condition, "<>="))
		isBound := strings.HasPrefix(condition, ">") || strings.HasPrefix(condition, "<")
		if !isBound {
			continue
		}
		if !comparable(bound) {
			return "only quantities and durations have an order, not " + bound
		}
		if strings.HasPrefix(condition, ">") {
			lower = bound
		} else {
			upper = bound
		}
	}
	if lower != "" && upper != "" && exceeds(lower, upper) {
		return "nothing is above " + lower + " and below " + upper
	}
	return ""
}

func comparable(text string) bool {
	if _, err := time.ParseDuration(text); err == nil {
		return true
	}
	_, err := resource.ParseQuantity(text)
	return err == nil
}

// exceeds reports whether a bound is certainly above another.
func exceeds(a, b string) bool {
	first, err := time.ParseDuration(a)
	second, otherErr := time.ParseDuration(b)
	if err == nil && otherErr == nil {
		return first > second
	}
	left, err := resource.ParseQuantity(a)
	right, otherErr := resource.ParseQuantity(b)
	return err == nil && otherErr == nil && left.Cmp(right) > 0
}
