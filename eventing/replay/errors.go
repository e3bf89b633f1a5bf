package replay

import (
	"context"
	"fmt"
	"time"
)

// RefusedError says why the controller of Argo Events does not deploy a Sensor.
type RefusedError struct{ err error }

// Error says what the controller says.
func (e *RefusedError) Error() string { return "the controller refuses it: " + e.err.Error() }

// Unwrap returns the controller's own error.
func (e *RefusedError) Unwrap() error { return e.err }

// ConditionError is a condition that does not compile. A live sensor logs it, and never fires the trigger.
type ConditionError struct {
	Condition string
	err       error
}

// Error shows the condition and what is wrong with it.
func (e *ConditionError) Error() string {
	return fmt.Sprintf("the condition %q does not compile: %v", e.Condition, e.err)
}

// Unwrap returns what is wrong.
func (e *ConditionError) Unwrap() error { return e.err }

// MissingError is something that a trigger reads while it runs, and that [Options] do not hold.
type MissingError struct {
	// What is missing, such as "ConfigMap shop/job".
	What string
	// Option is the field of Options that supplies it.
	Option string
}

// Error names what is missing and where it goes.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not known here: supply it in Options.%s", e.What, e.Option)
}

// UnsafeError is a script or template that reaches for more than the event.
type UnsafeError struct {
	// Path of the field in the Sensor.
	Path string
	// Names are what it reaches for.
	Names []string
}

// Error names the field and what it reaches for.
func (e *UnsafeError) Error() string {
	return fmt.Sprintf("%s uses %v, which reach outside the event: set Options.AllowUnsafe for a Sensor you trust", e.Path, e.Names)
}

// CrashError is a panic of Argo Events' own code. The live sensor's pod ends with it, and starts again.
type CrashError struct {
	// Value that the code panicked with.
	Value any
}

// Error shows the value.
func (e *CrashError) Error() string { return fmt.Sprintf("the sensor crashes: %v", e.Value) }

// TimeoutError is work that took longer than Options.ScriptTimeout.
type TimeoutError struct{ Limit time.Duration }

// Error shows the limit.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("took longer than %s, the limit in Options.ScriptTimeout", e.Limit)
}

// protect runs upstream's code and turns a panic into a CrashError.
func protect(run func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &CrashError{Value: value}
		}
	}()
	return run()
}

// bounded runs upstream's code, which heeds no context, for a time. What it hands over, it does through its result.
func bounded[T any](ctx context.Context, limit time.Duration, run func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var out result
		out.err = protect(func() error {
			var err error
			out.value, err = run()
			return err
		})
		done <- out
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var none T
	select {
	case out := <-done:
		return out.value, out.err
	case <-timer.C:
		return none, &TimeoutError{Limit: limit}
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
