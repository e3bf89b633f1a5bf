package replay

import (
	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/robfig/cron/v3"

	"github.com/controlbackbone/backbone/internal/eventcondition"
)

// compiledTrigger is a trigger and its condition.
type compiledTrigger struct {
	sensor *compiledSensor
	spec   *v1alpha1.Trigger
	// refused says why the controller does not deploy the sensor, fault why this trigger never fires.
	refused, fault error
	// unsafe says that a template reaches outside the event.
	unsafe error
	// condition is nil for a trigger that never fires.
	condition *eventcondition.Condition
	resets    []cron.Schedule
}

func compileTrigger(s *compiledSensor, spec *v1alpha1.Trigger, refused error) *compiledTrigger {
	trigger := &compiledTrigger{sensor: s, spec: spec, refused: refused}
	if refused != nil {
		return trigger
	}
	names := make([]string, len(s.spec.Spec.Dependencies))
	for i, dependency := range s.spec.Spec.Dependencies {
		names[i] = dependency.Name
	}
	condition, err := eventcondition.Compile(spec.Template.Conditions, names)
	if err != nil {
		trigger.fault = &ConditionError{Condition: spec.Template.Conditions, err: err}
		return trigger
	}
	trigger.condition = condition
	trigger.resets = resets(spec.Template.ConditionsReset)
	trigger.unsafe = safeTrigger(spec)
	return trigger
}

func (t *compiledTrigger) name() string {
	if t.spec == nil || t.spec.Template == nil {
		return ""
	}
	return t.spec.Template.Name
}

// dependencies are those of the condition, in its order.
func (t *compiledTrigger) dependencies() []string {
	if t.condition == nil {
		return nil
	}
	return t.condition.Names
}

// resets are the times at which a condition forgets.
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
		// The controller refuses what the parser does.
		if schedule, err := parser.Parse("CRON_TZ=" + zone + " " + criterion.ByTime.Cron); err == nil {
			schedules = append(schedules, schedule)
		}
	}
	return schedules
}
