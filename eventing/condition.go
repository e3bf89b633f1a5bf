package eventing

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateCondition checks an expression of dependency names, "&&", "||" and
// parentheses. Upstream accepts any text, compiles it when the sensor starts
// and, if it does not compile, logs that and never fires the trigger
// (argo-events: getDependencyExpression in pkg/sensors/listener.go).
func validateCondition(path *field.Path, condition string, dependencies map[string]bool) field.ErrorList {
	if condition == "" {
		return nil
	}
	if _, err := holds(condition, dependencies); err != nil {
		return field.ErrorList{field.Invalid(path, condition, err.Error())}
	}
	return nil
}

// holds evaluates a condition over dependencies, true for those with an event.
func holds(condition string, dependencies map[string]bool) (bool, error) {
	parser := conditionParser{rest: condition, dependencies: dependencies}
	value, err := parser.or()
	if err == nil && parser.peek() != "" {
		err = fmt.Errorf("unexpected %q", parser.peek())
	}
	return value, err
}

// certain returns, for each dependency, whether a trigger never fires without an
// event of it. A condition has no negation, so that is the case if it does not
// hold with events of all others.
func certain(condition string, dependencies []Dependency) map[string]bool {
	events := map[string]bool{}
	for _, dependency := range dependencies {
		events[dependency.Name] = true
	}
	known := map[string]bool{}
	for name := range events {
		events[name] = false
		without, err := holds(condition, events)
		known[name] = condition == "" || err != nil || !without
		events[name] = true
	}
	return known
}

// dependencyName is what upstream can parse as one variable of a condition.
var dependencyName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// validateDependencyName also refuses the words that mean something else in the
// two expression languages a condition passes through
// (github.com/antonmedv/expr and github.com/Knetic/govaluate).
func validateDependencyName(path *field.Path, name string) field.ErrorList {
	faults := matches(path, name, dependencyName)
	switch strings.ToLower(name) {
	case "true", "false", "nil", "in", "not", "and", "or", "matches", "contains", "startswith", "endswith", "let":
		faults = append(faults, field.Invalid(path, name, "is a reserved word of conditions"))
	}
	return faults
}

// conditionKey is the name under which upstream looks a dependency up.
func conditionKey(dependency string) string {
	return strings.ReplaceAll(dependency, "-", "_")
}

// maxConditionDepth bounds the nesting of parentheses, and with it the stack.
const maxConditionDepth = 100

// conditionParser is a recursive descent parser, which evaluates as it reads, over
//
//	or      = and { "||" and }
//	and     = operand { "&&" operand }
//	operand = name | "(" or ")"
type conditionParser struct {
	rest         string
	depth        int
	dependencies map[string]bool
}

func (p *conditionParser) or() (bool, error) {
	value := false
	err := p.sequence("||", p.and, func(operand bool) { value = value || operand })
	return value, err
}

func (p *conditionParser) and() (bool, error) {
	value := true
	err := p.sequence("&&", p.operand, func(operand bool) { value = value && operand })
	return value, err
}

func (p *conditionParser) sequence(operator string, operand func() (bool, error), combine func(bool)) error {
	for {
		value, err := operand()
		if err != nil {
			return err
		}
		combine(value)
		if p.peek() != operator {
			return nil
		}
		p.next()
	}
}

func (p *conditionParser) operand() (bool, error) {
	token := p.next()
	value, known := p.dependencies[token]
	switch {
	case token == "":
		return false, fmt.Errorf("ends where a dependency is expected")
	case token == "(":
		return p.group()
	case known:
		return value, nil
	case dependencyName.MatchString(token):
		return false, fmt.Errorf("no dependency is named %q", token)
	default:
		return false, fmt.Errorf("unexpected %q where a dependency is expected", token)
	}
}

func (p *conditionParser) group() (bool, error) {
	if p.depth++; p.depth > maxConditionDepth {
		return false, fmt.Errorf("nests deeper than %d parentheses", maxConditionDepth)
	}
	value, err := p.or()
	if err != nil {
		return false, err
	}
	p.depth--
	if p.next() != ")" {
		return false, fmt.Errorf("a parenthesis is not closed")
	}
	return value, nil
}

// peek returns the next token without consuming it, "" at the end.
func (p *conditionParser) peek() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		return ""
	}
	if strings.HasPrefix(p.rest, "&&") || strings.HasPrefix(p.rest, "||") {
		return p.rest[:2]
	}
	if end := strings.IndexAny(p.rest, " \t\r\n()&|"); end > 0 {
		return p.rest[:end]
	} else if end == 0 {
		return p.rest[:1]
	}
	return p.rest
}

func (p *conditionParser) next() string {
	token := p.peek()
	p.rest = p.rest[len(token):]
	return token
}
