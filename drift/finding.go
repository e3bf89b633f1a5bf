package drift

import (
	"fmt"
	"time"
)

// Finding is one departure of one resource from its declaration.
type Finding struct {
	// Namespace and Application that declares the resource.
	Namespace   string
	Application string
	// Resource that departed.
	Resource Resource
	// Change says how it departed.
	Change Change
	// State says what has become of it.
	State State
	// DetectedAt is when Argo CD's detection was seen, exact if it was watched live. Of a departure between the baseline
	// and the watch it is the start of its self-heal as Argo CD recorded it, precise to a second. Zero if the resource
	// had departed before the baseline: Argo CD does not record since when.
	DetectedAt time.Time
	// EndedAt is when it ended, with the same precision. Zero while it lasts.
	EndedAt time.Time
	// Attempts is the number of self-heal syncs in a row that Argo CD has counted for the Application. Zero when none
	// was started.
	Attempts int64
	// Message is what Argo CD said about the last sync of the resource.
	Message string
}

// Took returns how long the departure lasted. Zero while it lasts, or when it is not known since when.
func (f Finding) Took() time.Duration {
	if f.EndedAt.IsZero() || f.DetectedAt.IsZero() {
		return 0
	}
	return max(0, f.EndedAt.Sub(f.DetectedAt))
}

// String describes the finding in one line.
func (f Finding) String() string {
	text := fmt.Sprintf("%s of Application %s/%s: %s, %s", f.Resource, f.Namespace, f.Application, f.Change, f.State)
	if took := f.Took(); took > 0 {
		text += fmt.Sprintf(" after %s", took.Round(time.Millisecond))
	}
	if f.State == HealFailed && f.Message != "" {
		text += ": " + f.Message
	}
	return text
}

// Change says how a resource departs from its declaration.
type Change string

const (
	// Modified resources differ.
	Modified Change = "Modified"
	// Missing resources are declared and do not exist.
	Missing Change = "Missing"
	// Extra resources exist and are no longer declared.
	Extra Change = "Extra"
)

// State says what has become of a departure.
type State string

const (
	// Drifted is a departure that lasts.
	Drifted State = "Drifted"
	// HealFailed is a departure that lasts although a self-heal sync was tried.
	HealFailed State = "HealFailed"
	// Healed departures were undone by Argo CD's self-heal.
	Healed State = "Healed"
	// Resolved departures ended otherwise: undone by hand, by another sync, or declared since.
	Resolved State = "Resolved"
)

// Resource names a Kubernetes resource.
type Resource struct {
	Group     string
	Kind      string
	Namespace string
	Name      string
}

// String returns "Deployment.apps namespace/name".
func (r Resource) String() string {
	kind, name := r.Kind, r.Name
	if r.Group != "" {
		kind += "." + r.Group
	}
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return kind + " " + name
}
