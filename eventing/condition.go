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
	parser := conditionParser{rest: condition, dependencies: dependencies}
	err := parser.or()
	if err == nil && parser.peek() != "" {
		err = fmt.Errorf("unexpected %q", parser.peek())
	}
	if err != nil {
		return field.ErrorList{field.Invalid(path, condition, err.Error())}
	}
	return nil
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

// conditionParser is a recursive descent parser over
//
//	or      = and { "||" and }
//	and     = operand { "&&" operand }
//	operand = name | "(" or ")"
type conditionParser struct {
	rest         string
	depth        int
	dependencies map[string]bool
}

func (p *conditionParser) or() error {
	return p.sequence("||", p.and)
}

func (p *conditionParser) and() error {
	return p.sequence("&&", p.operand)
}

func (p *conditionParser) sequence(operator string, operand func() error) error {
	for {
		if err := operand(); err != nil {
			return err
		}
		if p.peek() != operator {
			return nil
		}
		p.next()
	}
}

func (p *conditionParser) operand() error {
	switch token := p.next(); {
	case token == "":
		return fmt.Errorf("ends where a dependency is expected")
	case token == "(":
		return p.group()
	case p.dependencies[token]:
		return nil
	case dependencyName.MatchString(token):
		return fmt.Errorf("no dependency is named %q", token)
	default:
		return fmt.Errorf("unexpected %q where a dependency is expected", token)
	}
}

func (p *conditionParser) group() error {
	if p.depth++; p.depth > maxConditionDepth {
		return fmt.Errorf("nests deeper than %d parentheses", maxConditionDepth)
	}
	if err := p.or(); err != nil {
		return err
	}
	p.depth--
	if p.next() != ")" {
		return fmt.Errorf("a parenthesis is not closed")
	}
	return nil
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
