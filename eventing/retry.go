package eventing

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
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
