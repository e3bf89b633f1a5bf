package eventing

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SensorTrigger is one thing a sensor does, when it does it, and what happens
// when it fails.
type SensorTrigger struct {
	// Name of the trigger, unique within the sensor. Required. It consists of
	// letters, digits, "-", "_" and "=".
	Name string
	// When is an expression of dependency names with "&&", "||" and parentheses,
	// for example "(push || schedule) && approval". The trigger fires with the
	// latest event of each dependency once the expression holds.
	// Default: all dependencies of the sensor.
	When string
	// Resets are the times at which events that did not fire the trigger yet are
	// forgotten. Default: never.
	Resets []Reset
	// Trigger is what is done. Required.
	Trigger Trigger
	// Parameters copy values of the event into upstream's template of the trigger,
	// as Build makes it, for example to "http.url" or "k8s.operation". What a
	// trigger has parameters of its own for belongs there: [Sensor.RBAC] refuses
	// those that change a Kubernetes object here.
	Parameters []Parameter
	// Delivery says whether an event may be lost or repeated.
	// Default: AtLeastOnce. Upstream's default is AtMostOnce.
	Delivery Delivery
	// Retry says how often a failing trigger is tried again. Default: 8 attempts
	// over two minutes, with pauses of 1, 2, 4 and so on up to 64 seconds, longer
	// than the claim of a [Responder] that has crashed. Upstream's default is one
	// attempt. Later events wait for the trigger meanwhile. Forbidden with
	// AtMostOnce, because upstream ignores it there.
	Retry *Retry
	// RateLimit makes events wait when they come faster. Default: no limit.
	RateLimit *RateLimit
	// DeadLetter is done when all attempts failed. Default: nothing. Forbidden with
	// AtMostOnce, because upstream refuses it there.
	DeadLetter *DeadLetterTrigger
}

// Delivery is what a sensor guarantees about the execution of a trigger.
type Delivery string

const (
	// AtLeastOnce acknowledges an event after the trigger ran, so that the event
	// survives a restart of the sensor. A trigger may run twice for one event.
	AtLeastOnce Delivery = "AtLeastOnce"
	// AtMostOnce acknowledges an event before the trigger runs.
	AtMostOnce Delivery = "AtMostOnce"
)

var deliveries = []Delivery{AtLeastOnce, AtMostOnce}

// Reset is a time at which a trigger forgets events.
type Reset struct {
	// Schedule is a cron expression of five fields. Required.
	Schedule string
	// Timezone of the schedule, in the IANA time zone database. Default: UTC.
	Timezone string
}

// RateLimit bounds how often each pod of a sensor runs a trigger.
type RateLimit struct {
	// Requests in each period of time. At least 1.
	Requests int32
	// Per is the period: a second, a minute or an hour. Default: a second.
	Per time.Duration
}

// DeadLetterTrigger is what a sensor does with events for which a trigger failed. It
// sees the same events, but not the error.
type DeadLetterTrigger struct {
	// Name of the trigger, unique within the sensor. Required.
	Name string
	// Trigger is what is done. Required.
	Trigger Trigger
	// Parameters are those of a [SensorTrigger].
	Parameters []Parameter
	// Retry says how often a failing trigger is tried again. Default: as for a
	// [SensorTrigger]. When all attempts fail, the event is lost.
	Retry *Retry
}

// Trigger is an action of a sensor: [ArgoCDTrigger], [CustomTrigger],
// [EmailTrigger], [HTTPTrigger], [KafkaTrigger], [LogTrigger], [NATSTrigger],
// [ObjectTrigger], [SlackTrigger], [WorkflowTrigger] or [RawTrigger].
type Trigger interface {
	validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList
	// template returns the field of upstream's trigger template, which names the
	// kind of trigger, and its value.
	template(sensor Sensor) (kind string, spec map[string]any)
	traits() traits
}

// traits are what a trigger needs outside its template.
type traits struct {
	// policy says how upstream tells a success from a failure; nil leaves it to
	// the error of the call.
	policy map[string]any
	// templateParameters change the template rather than what it makes: paths
	// start at the kind.
	templateParameters []Parameter
	// object is the Kubernetes object that the trigger changes, if any.
	object *objectTraits
	// permissions are the rights on the Kubernetes API.
	permissions []Permission
}

// objectTraits tell whether the rights on a Kubernetes object are known.
type objectTraits struct {
	// parameters change the object.
	parameters []Parameter
	// unknown says that only the running sensor knows the object, and nobody named
	// the rights.
	unknown bool
}

func (t SensorTrigger) validate(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := matches(path.Child("name"), t.Name, triggerName)
	faults = append(faults, validateCondition(path.Child("when"), t.When, dependencies)...)
	for i, reset := range t.Resets {
		at := path.Child("resets").Index(i)
		faults = append(faults, validateSchedule(at.Child("schedule"), reset.Schedule)...)
		faults = append(faults, validateTimezone(at.Child("timezone"), reset.Timezone)...)
	}
	faults = append(faults, validateAction(path, t.Trigger, t.Parameters, dependencies)...)
	faults = append(faults, oneOf(path.Child("delivery"), t.Delivery, deliveries)...)
	faults = append(faults, t.RateLimit.validate(path.Child("rateLimit"))...)
	if t.Delivery == AtMostOnce {
		// argo-events: triggerActions in pkg/sensors/listener.go
		if t.Retry != nil {
			faults = append(faults, field.Forbidden(path.Child("retry"), "upstream ignores retries unless delivery is AtLeastOnce"))
		}
		if t.DeadLetter != nil {
			faults = append(faults, field.Forbidden(path.Child("deadLetter"), "upstream refuses it unless delivery is AtLeastOnce"))
		}
	}
	faults = append(faults, t.Retry.validateOptional(path.Child("retry"))...)
	return append(faults, t.DeadLetter.validate(path.Child("deadLetter"), dependencies)...)
}

// validateAction checks what a trigger and its dead letter have in common.
func validateAction(path *field.Path, trigger Trigger, parameters []Parameter, dependencies map[string]bool) field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(trigger) {
		faults = append(faults, field.Required(path.Child("trigger"), "HTTPTrigger, ObjectTrigger, ArgoCDTrigger or another trigger"))
	} else {
		faults = append(faults, trigger.validateTrigger(path.Child("trigger"), dependencies)...)
	}
	return append(faults, validateParameters(path.Child("parameters"), parameters, dependencies, false)...)
}

func (r *RateLimit) validate(path *field.Path) field.ErrorList {
	if r == nil {
		return nil
	}
	var faults field.ErrorList
	if r.Requests < 1 {
		faults = append(faults, field.Invalid(path.Child("requests"), r.Requests, "must be at least 1"))
	}
	if rateUnits[r.Per] == "" {
		faults = append(faults, field.Invalid(path.Child("per"), r.Per.String(), "must be a second, a minute or an hour"))
	}
	return faults
}

// rateUnits are the periods that upstream has names for.
var rateUnits = map[time.Duration]string{0: "Second", time.Second: "Second", time.Minute: "Minute", time.Hour: "Hour"}

func (r *RateLimit) spec() map[string]any {
	if r == nil {
		return nil
	}
	return map[string]any{"unit": rateUnits[r.Per], "requestsPerUnit": r.Requests}
}

func (d *DeadLetterTrigger) validate(path *field.Path, dependencies map[string]bool) field.ErrorList {
	if d == nil {
		return nil
	}
	faults := matches(path.Child("name"), d.Name, triggerName)
	faults = append(faults, validateAction(path, d.Trigger, d.Parameters, dependencies)...)
	return append(faults, d.Retry.validateOptional(path.Child("retry"))...)
}

func (t SensorTrigger) spec(sensor Sensor) map[string]any {
	spec := actionSpec(sensor, t.Name, t.Trigger, t.Parameters)
	template, _ := spec["template"].(map[string]any)
	if t.When != "" {
		template["conditions"] = t.When
	}
	resets := make([]any, 0, len(t.Resets))
	for _, reset := range t.Resets {
		resets = append(resets, map[string]any{"byTime": object.Compact(map[string]any{"cron": reset.Schedule, "timezone": reset.Timezone})})
	}
	if len(resets) > 0 {
		template["conditionsReset"] = resets
	}
	if t.RateLimit != nil {
		spec["rateLimit"] = t.RateLimit.spec()
	}
	if t.Delivery == AtMostOnce {
		return spec
	}
	spec["atLeastOnce"] = true
	spec["retryStrategy"] = retrySpec(t.Retry)
	if t.DeadLetter != nil {
		spec["dlqTrigger"] = t.DeadLetter.spec(sensor)
	}
	return spec
}

func (d *DeadLetterTrigger) spec(sensor Sensor) map[string]any {
	spec := actionSpec(sensor, d.Name, d.Trigger, d.Parameters)
	spec["atLeastOnce"] = true
	spec["retryStrategy"] = retrySpec(d.Retry)
	return spec
}

func actionSpec(sensor Sensor, name string, trigger Trigger, parameters []Parameter) map[string]any {
	kind, action := trigger.template(sensor)
	traits := trigger.traits()
	return object.Compact(map[string]any{
		"template":   map[string]any{"name": name, kind: action},
		"parameters": parametersSpec(slices.Concat(traits.templateParameters, parameters)),
		"policy":     traits.policy,
	})
}

func retrySpec(retry *Retry) map[string]any {
	if retry == nil {
		return Retry{Attempts: 8}.spec()
	}
	return retry.spec()
}
