package embedded

import (
	"fmt"
	"time"
)

// EventKind says what an [Event] reports.
type EventKind string

const (
	// Building reports progress of a module's build.
	Building EventKind = "Building"
	// Built reports a finished build, with its duration.
	Built EventKind = "Built"
	// Starting reports a program of the target that is being started.
	Starting EventKind = "Starting"
	// Ready reports the whole target, with the time from start to ready.
	Ready EventKind = "Ready"
)

// Event is one step of a target on its way up.
type Event struct {
	Kind EventKind
	// Name is the module or program concerned; empty for the whole target.
	Name string
	// Message adds detail for a reader; often empty.
	Message string
	// Done and Total count compiled packages. Total is an upper bound: what the
	// Go build cache holds is not compiled again. Zero when not known.
	Done, Total int
	// Duration is how long the step took, on events that end one.
	Duration time.Duration
}

// Detail puts the progress of a build into words; it may be empty.
func (e Event) Detail() string {
	if e.Total > 0 {
		return fmt.Sprintf("(%d of at most %d packages compiled)", e.Done, e.Total)
	}
	return e.Message
}
