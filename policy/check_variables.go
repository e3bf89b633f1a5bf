package policy

import (
	"regexp"
	"slices"
	"strings"
)

// userVariables tell who made a request.
// kyverno: pkg/validation/policy/background.go, ForbiddenUserVariables
var userVariables = regexp.MustCompile(`\b(serviceAccountName|serviceAccountNamespace|request\.userInfo|request\.roles|request\.clusterRoles)\b`)

// builtInVariables are those of every rule.
// kyverno: pkg/engine/context/context.go, ReservedKeys
var builtInVariables = []string{"request", "serviceAccountName", "serviceAccountNamespace", "images"}

// elementVariables are those within foreach; elements of nested ones are numbered.
var elementVariables = regexp.MustCompile(`^(element|elementIndex)\d*$`)

// checkVariables checks the variables of a rule, and the JMESPath expressions of its context.
func (p classicPolicy) checkVariables(rule place) {
	scope := variableScope{policy: p, rule: rule, mutatesExisting: !rule.Child("mutate", "targets").Empty()}
	scope.declare(rule.Child("context"))
	for _, each := range [][]string{{"validate", "foreach"}, {"mutate", "foreach"}, {"generate", "foreach"}, {"mutate", "targets"}} {
		for _, item := range rule.Child(each...).Items() {
			scope.declareBelow(item)
		}
	}
	for _, image := range rule.Child("verifyImages").Items() {
		for _, attestation := range image.Child("attestations").Items() {
			scope.declared = append(scope.declared, attestation.Child("name").Text())
		}
	}
	for _, key := range rule.Keys() {
		if key == "match" || key == "exclude" {
			continue // checkMatch looks there.
		}
		rule.Child(key).Walk(scope.check)
	}
}

// variableScope is what the variables of a rule may refer to.
type variableScope struct {
	policy          classicPolicy
	rule            place
	declared        []string
	mutatesExisting bool
}

func (s *variableScope) declare(context place) {
	for _, entry := range context.Items() {
		// A name with dots is a path.
		name, _, _ := strings.Cut(entry.Child("name").Text(), ".")
		s.declared = append(s.declared, name)
	}
}

func (s *variableScope) declareBelow(item place) {
	s.declare(item.Child("context"))
	nested := item.Child("foreach")
	if _, ok := nested.Value().([]any); ok {
		for _, inner := range nested.Items() {
			s.declareBelow(inner)
		}
	}
}

// check looks at one field.
func (s *variableScope) check(at place) {
	text, ok := at.Value().(string)
	if !ok || isAttestationCondition(at.Path()) {
		return
	}
	for _, expression := range variablesIn(text) {
		// The outer of two nested variables is known only when the inner has a value.
		if strings.Contains(expression, "{{") {
			continue
		}
		s.checkExpression(at, expression)
	}
	if strings.HasSuffix(strings.ToLower(at.Path()), ".jmespath") && !strings.Contains(text, "{{") && text != "" {
		if references, problem := parseJMESPath(text); problem != "" {
			at.Report(checkVariableSyntax, "%q: %s", text, problem)
		} else {
			reportFunctions(at, references)
		}
	}
}

// The variables in the conditions of attestations are those of the attestation.
func isAttestationCondition(path string) bool {
	return strings.Contains(path, ".attestations[") && strings.Contains(path, ".conditions[")
}

func (s *variableScope) checkExpression(at place, expression string) {
	if expression == "" {
		at.Report(checkVariableSyntax, "the variable is empty")
		return
	}
	references, problem := parseJMESPath(expression)
	if problem != "" {
		at.Report(checkVariableSyntax, "%q: %s", expression, problem)
		return
	}
	reportFunctions(at, references)
	for _, name := range references.roots {
		if !s.knows(name, at.Path()) {
			at.Report(checkUnknownVariable, "%s is not known here", name)
		}
	}
	if s.policy.background && !s.mutatesExisting && userVariables.MatchString(expression) {
		at.Report(checkBackgroundUser, "%s has no value in the background", userVariables.FindString(expression))
	}
}

func (s *variableScope) knows(name, path string) bool {
	switch {
	case slices.Contains(builtInVariables, name), slices.Contains(s.declared, name):
		return true
	case name == "", name == "null":
		return true // Fields that nothing has, by which many people write the empty string and null.
	case elementVariables.MatchString(name):
		return strings.Contains(path, ".foreach[")
	case name == "target":
		return s.mutatesExisting
	case name == "image":
		// kyverno: the image that is verified, within verifyImages
		return strings.Contains(path, ".verifyImages[")
	default:
		return false
	}
}

func reportFunctions(at place, references jmesReferences) {
	for _, name := range references.functions {
		at.Report(checkUnknownFunction, "there is no function %s", name)
	}
}
