package eventing

import (
	"cmp"
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
	// Trigger is what is done. Required.
	Trigger Trigger
	// Delivery says whether an event may be lost or repeated.
	// Default: AtLeastOnce. Upstream's default is AtMostOnce.
	Delivery Delivery
	// Retry says how often a failing trigger is tried again. Default: 5 attempts
	// with pauses of 1, 2, 4 and 8 seconds. Upstream's default is one attempt.
	// Forbidden with AtMostOnce, because upstream ignores it there.
	Retry *Retry
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

// Retry is an exponential back-off.
type Retry struct {
	// Attempts is how often the trigger is tried in all. Required; 1 means no
	// retry.
	Attempts int32
	// Pause before the second attempt. Default: 1s.
	Pause time.Duration
	// Factor multiplies the pause after each attempt; at least 1. Default: 2.
	Factor float64
	// Jitter lengthens each pause by a random share of up to this factor.
	// Default: 0.1.
	Jitter float64
}

// Trigger is an action of a sensor: [ArgoCDTrigger], [ObjectTrigger],
// [HTTPTrigger], [LogTrigger] or [RawTrigger].
type Trigger interface {
	validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList
	// template returns the field of upstream's trigger template, which names the
	// kind of trigger, and its value.
	template(sensor Sensor) (kind string, spec map[string]any)
	// policy says how upstream tells a success from a failure; nil leaves it to
	// the error of the call.
	policy() map[string]any
	// objectParameters are the parameters that change a Kubernetes object.
	objectParameters() []Parameter
	// permissions are the rights on the Kubernetes API.
	permissions() []Permission
}

func (t SensorTrigger) validate(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := matches(path.Child("name"), t.Name, triggerName)
	faults = append(faults, validateCondition(path.Child("when"), t.When, dependencies)...)
	if object.IsNil(t.Trigger) {
		faults = append(faults, field.Required(path.Child("trigger"), "ArgoCDTrigger, ObjectTrigger, HTTPTrigger, LogTrigger or RawTrigger"))
	} else {
		faults = append(faults, t.Trigger.validateTrigger(path.Child("trigger"), dependencies)...)
	}
	if t.Delivery != "" && t.Delivery != AtLeastOnce && t.Delivery != AtMostOnce {
		faults = append(faults, field.NotSupported(path.Child("delivery"), t.Delivery, []Delivery{AtLeastOnce, AtMostOnce}))
	}
	if t.Retry == nil {
		return faults
	}
	if t.Delivery == AtMostOnce {
		// argo-events: triggerActions in pkg/sensors/listener.go
		faults = append(faults, field.Forbidden(path.Child("retry"), "upstream ignores retries unless delivery is AtLeastOnce"))
	}
	return append(faults, t.Retry.validate(path.Child("retry"))...)
}

func (t SensorTrigger) spec(sensor Sensor) map[string]any {
	kind, action := t.Trigger.template(sensor)
	template := object.Compact(map[string]any{"name": t.Name, "conditions": t.When})
	template[kind] = action
	spec := object.Compact(map[string]any{"template": template, "policy": t.Trigger.policy()})
	if t.Delivery != AtMostOnce {
		spec["atLeastOnce"] = true
		spec["retryStrategy"] = t.retry().spec()
	}
	return spec
}

func (t SensorTrigger) retry() Retry {
	if t.Retry == nil {
		return Retry{Attempts: 5}
	}
	return *t.Retry
}

func (r Retry) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if r.Attempts < 1 {
		faults = append(faults, field.Invalid(path.Child("attempts"), r.Attempts, "must be at least 1"))
	}
	if r.Pause < 0 {
		faults = append(faults, field.Invalid(path.Child("pause"), r.Pause.String(), "must not be negative"))
	}
	if !finite(r.Factor) || r.Factor != 0 && r.Factor < 1 {
		faults = append(faults, field.Invalid(path.Child("factor"), formatNumber(r.Factor), "must be at least 1"))
	}
	if !finite(r.Jitter) || r.Jitter < 0 {
		faults = append(faults, field.Invalid(path.Child("jitter"), formatNumber(r.Jitter), "must not be negative"))
	}
	return faults
}

func (r *Retry) validateOptional(path *field.Path) field.ErrorList {
	if r == nil {
		return nil
	}
	return r.validate(path)
}

// optionalSpec returns nothing for no back-off.
func (r *Retry) optionalSpec() map[string]any {
	if r == nil {
		return nil
	}
	return r.spec()
}

func (r Retry) spec() map[string]any {
	return map[string]any{
		"steps":    r.Attempts,
		"duration": cmp.Or(r.Pause, time.Second).String(),
		"factor":   cmp.Or(r.Factor, 2),
		"jitter":   cmp.Or(r.Jitter, 0.1),
	}
}

// LogTrigger writes the event to the log of the sensor's pod.
type LogTrigger struct {
	// Interval is the shortest time between two entries, in whole seconds.
	// Default: every event is logged.
	Interval time.Duration
}

func (l LogTrigger) validateTrigger(path *field.Path, _ map[string]bool) field.ErrorList {
	return seconds(path.Child("interval"), l.Interval)
}

func (l LogTrigger) template(Sensor) (string, map[string]any) {
	return "log", object.Compact(map[string]any{"intervalSeconds": int64(l.Interval / time.Second)})
}

func (l LogTrigger) policy() map[string]any        { return nil }
func (l LogTrigger) objectParameters() []Parameter { return nil }
func (l LogTrigger) permissions() []Permission     { return nil }

// RawTrigger is a trigger as upstream defines it, for the kinds that have no
// type here.
type RawTrigger struct {
	// Kind is the field of the trigger template, for example "slack". Required.
	Kind string
	// Spec is its value. Required.
	Spec map[string]any
	// Policy is upstream's policy of the trigger. Default: none.
	Policy map[string]any
	// Permissions are the rights the trigger needs on the Kubernetes API.
	Permissions []Permission
}

// nonTriggerFields are the fields of a trigger template that are no triggers.
var nonTriggerFields = []string{"name", "conditions", "conditionsReset"}

func (r RawTrigger) validateTrigger(path *field.Path, _ map[string]bool) field.ErrorList {
	faults := matches(path.Child("kind"), r.Kind, fieldName)
	if slices.Contains(nonTriggerFields, r.Kind) {
		faults = append(faults, field.Invalid(path.Child("kind"), r.Kind, "is no trigger"))
	}
	faults = append(faults, object.RequiredFragment(path.Child("spec"), r.Spec)...)
	if r.Policy != nil {
		faults = append(faults, object.RequiredFragment(path.Child("policy"), r.Policy)...)
	}
	return append(faults, validatePermissions(path.Child("permissions"), r.Permissions)...)
}

func (r RawTrigger) template(Sensor) (string, map[string]any) { return r.Kind, r.Spec }
func (r RawTrigger) policy() map[string]any                   { return r.Policy }
func (r RawTrigger) objectParameters() []Parameter            { return nil }
func (r RawTrigger) permissions() []Permission                { return r.Permissions }
