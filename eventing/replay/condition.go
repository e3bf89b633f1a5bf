package replay

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Knetic/govaluate"
	"github.com/antonmedv/expr"
	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/robfig/cron/v3"
)

// compiledTrigger is a trigger and its condition.
type compiledTrigger struct {
	sensor *compiledSensor
	spec   *v1alpha1.Trigger
	// refused says why the controller does not deploy the sensor, fault why this trigger never fires.
	refused, fault error
	// unsafe says that a template reaches outside the event.
	unsafe error
	// condition over the names of dependencies. It is true as soon as one of them is there, unless waits is set.
	condition    string
	expression   *govaluate.EvaluableExpression
	dependencies []string
	waits        bool
	resets       []cron.Schedule
}

func compileTrigger(s *compiledSensor, spec *v1alpha1.Trigger, refused error) *compiledTrigger {
	trigger := &compiledTrigger{sensor: s, spec: spec, refused: refused}
	if refused != nil {
		return trigger
	}
	trigger.fault = protect(trigger.compile)
	trigger.unsafe = safeTrigger(spec)
	if trigger.fault != nil {
		trigger.dependencies = nil
	}
	return trigger
}

func (t *compiledTrigger) name() string {
	if t.spec == nil || t.spec.Template == nil {
		return ""
	}
	return t.spec.Template.Name
}

// compile reads the condition as a sensor does when it starts.
// argo-events: listenEvents in pkg/sensors/listener.go, NewJetstreamTriggerConn in pkg/eventbus/jetstream/sensor/trigger_conn.go
func (t *compiledTrigger) compile() error {
	condition, err := t.sensor.condition(t.spec.Template.Conditions)
	if err != nil {
		return &ConditionError{Condition: t.spec.Template.Conditions, err: err}
	}
	expression, err := govaluate.NewEvaluableExpression(strings.ReplaceAll(condition, "-", "\\-"))
	if err != nil {
		return &ConditionError{Condition: condition, err: err}
	}
	for _, name := range expression.Vars() {
		if t.sensor.dependency(name) == nil {
			return &ConditionError{Condition: condition, err: fmt.Errorf("no dependency is named %q", name)}
		}
		if !slices.Contains(t.dependencies, name) {
			t.dependencies = append(t.dependencies, name)
		}
	}
	if len(t.dependencies) == 0 {
		return &ConditionError{Condition: condition, err: errors.New("it names no dependency")}
	}
	t.condition, t.expression, t.waits = condition, expression, strings.Contains(condition, "&")
	t.resets = resets(t.spec.Template.ConditionsReset)
	return nil
}

// condition returns the expression over the dependencies' own names. Upstream makes it by running the condition as a
// program that joins texts: names with "_" for "-" are variables, and operators and parentheses are texts.
// argo-events: getDependencyExpression in pkg/sensors/listener.go
func (s *compiledSensor) condition(written string) (string, error) {
	if written == "" {
		names := make([]string, len(s.spec.Spec.Dependencies))
		for i, dependency := range s.spec.Spec.Dependencies {
			names[i] = dependency.Name
		}
		return strings.Join(names, "&&"), nil
	}
	variables := map[string]string{}
	for _, dependency := range s.spec.Spec.Dependencies {
		variables[strings.ReplaceAll(dependency.Name, "-", "_")] = dependency.Name
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

// resets are the times at which a condition forgets. One that a sensor cannot read, it passes over.
func resets(criteria []v1alpha1.ConditionsResetCriteria) []cron.Schedule {
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	var schedules []cron.Schedule
	for _, criterion := range criteria {
		if criterion.ByTime == nil {
			continue
		}
		// The time zone of a sensor's pod is UTC, unless something sets it.
		zone := criterion.ByTime.Timezone
		if zone == "" {
			zone = "UTC"
		}
		if schedule, err := parser.Parse("CRON_TZ=" + zone + " " + criterion.ByTime.Cron); err == nil {
			schedules = append(schedules, schedule)
		}
	}
	return schedules
}
