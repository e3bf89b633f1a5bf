package policy

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ClassicValidate judges what a rule matches.
type ClassicValidate struct {
	// Check is what has to hold: PatternCheck, AnyPatternCheck, DenyCheck, ForEachCheck, PodSecurityCheck, CELCheck,
	// AssertCheck or ManifestsCheck. Required.
	Check ClassicCheck
	// Message if it does not hold. Default: one of Kyverno's.
	Message string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
	// Overrides are other actions in some namespaces. The first that matches holds.
	Overrides []ActionOverride
	// DenyExistingViolations denies updates of objects that broke the rule before (allowExistingViolations: false).
	// Default: false, they can still be changed.
	DenyExistingViolations bool
}

// ActionOverride is another action in some namespaces. Namespaces or NamespaceSelector is needed.
type ActionOverride struct {
	// Action in the namespaces. Required.
	Action Action
	// Namespaces by name, in which "*" stands for any characters and "?" for one.
	Namespaces []string
	// NamespaceSelector selects namespaces by their labels.
	NamespaceSelector *metav1.LabelSelector
}

// ClassicCheck is what a rule that validates asks for: PatternCheck, AnyPatternCheck, DenyCheck, ForEachCheck,
// PodSecurityCheck, CELCheck, AssertCheck or ManifestsCheck.
type ClassicCheck interface {
	// validateCheck is told how many lists the check is nested in.
	validateCheck(path *field.Path, depth int) field.ErrorList
	// buildCheck returns the upstream field and what it holds.
	buildCheck() (string, any)
}

// ElementCheck is what a ForEachCheck asks of each element: PatternCheck, AnyPatternCheck, DenyCheck or ForEachCheck.
type ElementCheck interface {
	ClassicCheck
	ofElement()
}

// PatternCheck asks for an object that fits a pattern.
type PatternCheck struct {
	// Pattern in Kyverno's overlay syntax: map[string]any{"spec": map[string]any{"replicas": ">1"}}. Nulls stay. Required.
	Pattern any
}

// AnyPatternCheck asks for an object that fits one of several patterns.
type AnyPatternCheck struct {
	// Patterns in Kyverno's overlay syntax. At least one.
	Patterns []any
}

// DenyCheck denies if conditions are true.
type DenyCheck struct {
	// Conditions that deny. Default: everything is denied.
	Conditions Conditions
}

// AssertCheck asks for what an assertion tree of kyverno-json says.
type AssertCheck struct {
	// Tree of assertions on the root {object, oldObject, admissionInfo, operation, ...}. Required.
	Tree map[string]any
}

func (v ClassicValidate) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(v.Check) {
		faults = append(faults, field.Required(path.Child("check"), "it says what has to hold"))
	} else {
		faults = append(faults, v.Check.validateCheck(path.Child("check"), 0)...)
	}
	faults = append(faults, object.Text(path.Child("message"), v.Message)...)
	faults = append(faults, validateAction(path.Child("action"), v.Action)...)
	return append(faults, validateOverrides(path.Child("overrides"), v.Overrides)...)
}

// validateOverrides reports what Kyverno rejects: a namespace with both actions.
// kyverno: pkg/validation/policy/validate.go, validateNamespaces
func validateOverrides(path *field.Path, overrides []ActionOverride) field.ErrorList {
	var faults field.ErrorList
	for i, override := range overrides {
		at := path.Index(i)
		if override.Action == "" {
			faults = append(faults, field.Required(at.Child("action"), ""))
		}
		faults = append(faults, validateAction(at.Child("action"), override.Action)...)
		if len(override.Namespaces) == 0 && override.NamespaceSelector == nil {
			faults = append(faults, field.Required(at.Child("namespaces"), "an override is for some namespaces"))
		}
		faults = append(faults, validateTexts(at.Child("namespaces"), override.Namespaces)...)
		faults = append(faults, validateClassicSelector(at.Child("namespaceSelector"), override.NamespaceSelector)...)
		for j, namespace := range override.Namespaces {
			if other := overlapping(overrides[:i], override.Action, namespace); other != "" {
				faults = append(faults, field.Invalid(at.Child("namespaces").Index(j), namespace,
					fmt.Sprintf("%q has another action already", other)))
			}
		}
	}
	return faults
}

// overlapping returns the name or pattern of an override with another action that has namespaces in common.
func overlapping(overrides []ActionOverride, action Action, namespace string) string {
	for _, override := range overrides {
		for _, other := range override.Namespaces {
			if override.Action != action && (matchesWildcard(other, namespace) || matchesWildcard(namespace, other)) {
				return other
			}
		}
	}
	return ""
}

// matchesWildcard reports whether a text matches a pattern in which "*" stands for any characters and "?" for one. The
// library that Kyverno calls does the same, in a time that is exponential in the number of stars.
func matchesWildcard(pattern, text string) bool {
	// next is where to go on after the last star: behind it in the pattern, one character further in the text.
	p, t, star, next := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, next = p, t+1
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			p, t = star+1, next
			next++
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func (v ClassicValidate) build() map[string]any {
	overrides := make([]any, len(v.Overrides))
	for i, override := range v.Overrides {
		overrides[i] = object.Compact(map[string]any{
			"action": override.Action, "namespaces": override.Namespaces, "namespaceSelector": override.NamespaceSelector,
		})
	}
	fields := object.Compact(map[string]any{
		"failureAction":          orDefault(v.Action, Enforce),
		"failureActionOverrides": overrides,
		"message":                v.Message,
	})
	setFalse(fields, "allowExistingViolations", v.DenyExistingViolations)
	name, check := v.Check.buildCheck()
	fields[name] = check
	return fields
}

func (c PatternCheck) validateCheck(path *field.Path, _ int) field.ErrorList {
	return validatePattern(path.Child("pattern"), c.Pattern)
}

func (c PatternCheck) buildCheck() (string, any) { return "pattern", c.Pattern }

func (PatternCheck) ofElement() {}

func (c AnyPatternCheck) validateCheck(path *field.Path, _ int) field.ErrorList {
	var faults field.ErrorList
	if len(c.Patterns) == 0 {
		faults = append(faults, field.Required(path.Child("patterns"), ""))
	}
	for i, pattern := range c.Patterns {
		faults = append(faults, validatePattern(path.Child("patterns").Index(i), pattern)...)
	}
	return faults
}

func (c AnyPatternCheck) buildCheck() (string, any) { return "anyPattern", c.Patterns }

func (AnyPatternCheck) ofElement() {}

func (c DenyCheck) validateCheck(path *field.Path, _ int) field.ErrorList {
	return c.Conditions.validate(path.Child("conditions"))
}

func (c DenyCheck) buildCheck() (string, any) {
	return "deny", object.Compact(map[string]any{"conditions": c.Conditions.build()})
}

func (DenyCheck) ofElement() {}

func (c AssertCheck) validateCheck(path *field.Path, _ int) field.ErrorList {
	return object.RequiredFragment(path.Child("tree"), c.Tree)
}

func (c AssertCheck) buildCheck() (string, any) { return "assert", c.Tree }
