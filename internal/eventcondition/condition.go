// Package eventcondition compiles the conditions of triggers as a sensor of Argo Events does.
package eventcondition

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Knetic/govaluate"
	"github.com/antonmedv/expr"
)

// Condition is one that compiles.
type Condition struct {
	// Text over the dependencies' own names, as a sensor logs it.
	Text string
	// Names of the dependencies in it, in order.
	Names []string
	// Waits tells whether a sensor keeps events until the condition holds. Otherwise every event of a dependency in it is
	// enough.
	Waits bool

	expression *govaluate.EvaluableExpression
}

// Compile compiles a condition over the names of dependencies. An empty one stands for all of them.
// argo-events: listenEvents in pkg/sensors/listener.go, NewJetstreamTriggerConn in pkg/eventbus/jetstream/sensor/trigger_conn.go
func Compile(written string, dependencies []string) (condition *Condition, err error) {
	defer func() {
		if value := recover(); value != nil {
			condition, err = nil, fmt.Errorf("the compiler crashes: %v", value)
		}
	}()
	text := strings.Join(dependencies, "&&")
	if written != "" {
		if text, err = translate(written, dependencies); err != nil {
			return nil, err
		}
	}
	expression, err := govaluate.NewEvaluableExpression(strings.ReplaceAll(text, "-", "\\-"))
	if err != nil {
		return nil, err
	}
	condition = &Condition{Text: text, Waits: strings.Contains(text, "&"), expression: expression}
	for _, name := range expression.Vars() {
		if !slices.Contains(dependencies, name) {
			return nil, fmt.Errorf("no dependency is named %q", name)
		}
		if !slices.Contains(condition.Names, name) {
			condition.Names = append(condition.Names, name)
		}
	}
	if len(condition.Names) == 0 {
		return nil, errors.New("it names no dependency")
	}
	return condition, nil
}

// translate returns the expression over the dependencies' own names. Upstream makes it by running the condition as a
// program that joins texts: names with "_" for "-" are variables, and operators and parentheses are texts.
// argo-events: getDependencyExpression in pkg/sensors/listener.go
func translate(written string, dependencies []string) (string, error) {
	variables := map[string]string{}
	for _, name := range dependencies {
		variables[strings.ReplaceAll(name, "-", "_")] = name
	}
	program := written
	for _, replacement := range [][2]string{{"&&", ` + "&&" + `}, {"||", ` + "||" + `}, {"-", "_"}, {"(", `"("+`}, {")", `+")"`}} {
		program = strings.ReplaceAll(program, replacement[0], replacement[1])
	}
	compiled, err := expr.Compile(program, expr.Env(variables))
	if err != nil {
		return "", err
	}
	joined, err := expr.Run(compiled, variables)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(`"("`, "(", `")"`, ")").Replace(fmt.Sprint(joined)), nil
}

// Holds tells whether the condition is true with events for these dependencies.
func (c *Condition) Holds(have func(name string) bool) (bool, error) {
	variables := map[string]any{}
	for _, name := range c.Names {
		variables[name] = have(name)
	}
	holds, err := c.expression.Evaluate(variables)
	return holds == true, err
}

// maxNames bounds the work of MayLack.
const maxNames = 16

// MayLack tells whether the trigger can fire without an event for the dependency. It says no for conditions of more than
// 16 names.
func (c *Condition) MayLack(name string) bool {
	if !slices.Contains(c.Names, name) {
		return true
	}
	if !c.Waits {
		return len(c.Names) > 1
	}
	if len(c.Names) > maxNames {
		return false
	}
	for set := range 1 << len(c.Names) {
		holds, err := c.Holds(func(other string) bool {
			return other != name && set&(1<<slices.Index(c.Names, other)) != 0
		})
		if err == nil && holds {
			return true
		}
	}
	return false
}
