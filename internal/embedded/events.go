package embedded

import (
	"fmt"
	"strings"
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
	// Done counts what Message names. Total is 0 when nobody can tell it, and
	// otherwise an upper bound: what the Go build cache holds is not compiled again.
	Done, Total int
	// Duration is how long the step took, on events that end one.
	Duration time.Duration
}

// String puts the event into words.
func (e Event) String() string {
	switch {
	case e.Kind == Building && e.Total > 0:
		return fmt.Sprintf("building %s: %d of at most %d %s", e.Name, e.Done, e.Total, e.Message)
	case e.Kind == Building && e.Done > 0:
		return fmt.Sprintf("building %s: %d %s", e.Name, e.Done, e.Message)
	case e.Kind == Built:
		return fmt.Sprintf("built %s in %.1fs", e.Name, e.Duration.Seconds())
	case e.Kind == Ready:
		return fmt.Sprintf("ready in %.1fs", e.Duration.Seconds())
	default:
		return fmt.Sprintf("%s %s", strings.ToLower(string(e.Kind)), e.Name)
	}
}
