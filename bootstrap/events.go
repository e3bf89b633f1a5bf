package bootstrap

import "time"

// Event is something that happened during a run. It is one of
// [ComponentStarted], [ObjectsApplied], [Retrying], [Waiting],
// [ComponentReady], [ComponentUnchanged], [ComponentFailed],
// [ComponentSkipped] and [Warning].
type Event interface {
	// ComponentName says which component the event is about. Only a Warning may
	// have none.
	ComponentName() string
}

// ComponentStarted says that all a component depends on is ready and that its
// objects are being applied from now on.
type ComponentStarted struct {
	Component string
	Version   string
	// Objects is the number of objects to apply.
	Objects int
}

// ObjectsApplied says that one more object of a component was applied.
type ObjectsApplied struct {
	Component string
	Done      int
	Total     int
}

// Retrying says that applying an object failed in a way that may pass, and that
// it will be tried again.
type Retrying struct {
	Component string
	Object    ObjectRef
	// Attempt counts the attempts that failed, from 1.
	Attempt int
	Err     error
}

// Waiting says which objects a component waits for. It is sent when the wait
// begins and whenever their state changes.
type Waiting struct {
	Component string
	Unready   []ObjectStatus
}

// ComponentReady says that all objects of a component are applied and ready.
type ComponentReady struct {
	Component string
	Version   string
	Duration  time.Duration
}

// ComponentUnchanged says that a component was ready in this version already
// and was left alone.
type ComponentUnchanged struct {
	Component string
	Version   string
}

// ComponentFailed says that a component ended with an error.
type ComponentFailed struct {
	Component string
	Err       error
	Duration  time.Duration
}

// ComponentSkipped says that a component was not started because a component it
// depends on did not become ready, or the run was cancelled.
type ComponentSkipped struct {
	Component string
	// Because names the dependencies that are not ready. Empty when the run was
	// cancelled first.
	Because []string
}

// Warning is what the API server said about a request it nevertheless served,
// for example that an API version is deprecated.
type Warning struct {
	// Component is empty for a request that serves the whole plan.
	Component string
	Text      string
}

// ComponentName implements Event.
func (e ComponentStarted) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e ObjectsApplied) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e Retrying) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e Waiting) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e ComponentReady) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e ComponentUnchanged) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e ComponentFailed) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e ComponentSkipped) ComponentName() string { return e.Component }

// ComponentName implements Event.
func (e Warning) ComponentName() string { return e.Component }
