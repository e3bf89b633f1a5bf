package eventing

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Stream holds the limits of the JetStream stream that keeps the events of a
// bus. The oldest events go first when a limit is reached.
type Stream struct {
	// MaxMessages is the number of events kept; -1 means no limit.
	// Default: 50000.
	MaxMessages int64
	// MaxBytes is the size kept in bytes; -1 means no limit. Default: -1.
	MaxBytes int64
	// MaxAge is how long an event is kept. Default: 168h.
	MaxAge time.Duration
	// Replicas is the number of servers that store each event: 1, 3 or 5, and
	// not more than the cluster has. Default: 1 for [JetStreamExotic], the
	// controller's configuration for [JetStream].
	Replicas int
	// Duplicates is the window in which a repeated event ID is dropped.
	// Default: 5m.
	Duplicates time.Duration
}

func (s Stream) withDefaults() Stream {
	// argo-events: the controller configuration in manifests/install.yaml, except
	// for the replicas: a server we know nothing about may be a single one.
	return Stream{
		MaxMessages: cmp.Or(s.MaxMessages, 50000),
		MaxBytes:    cmp.Or(s.MaxBytes, -1),
		MaxAge:      cmp.Or(s.MaxAge, 168*time.Hour),
		Replicas:    cmp.Or(s.Replicas, 1),
		Duplicates:  cmp.Or(s.Duplicates, 5*time.Minute),
	}
}

func (s Stream) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if s.MaxMessages < -1 {
		faults = append(faults, field.Invalid(path.Child("maxMessages"), s.MaxMessages, "must be -1 or more"))
	}
	if s.MaxBytes < -1 {
		faults = append(faults, field.Invalid(path.Child("maxBytes"), s.MaxBytes, "must be -1 or more"))
	}
	if s.MaxAge < 0 {
		faults = append(faults, field.Invalid(path.Child("maxAge"), s.MaxAge.String(), "must not be negative"))
	}
	if s.Duplicates < 0 {
		faults = append(faults, field.Invalid(path.Child("duplicates"), s.Duplicates.String(), "must not be negative"))
	}
	switch s.Replicas {
	case 0, 1, 3, 5:
	default:
		faults = append(faults, field.Invalid(path.Child("replicas"), s.Replicas, "must be 1, 3 or 5"))
	}
	return faults
}

// yaml renders the limits that are set, in the form that upstream reads from
// the streamConfig string.
func (s Stream) yaml() string {
	var text strings.Builder
	if s.MaxMessages != 0 {
		fmt.Fprintf(&text, "maxMsgs: %d\n", s.MaxMessages)
	}
	if s.MaxBytes != 0 {
		fmt.Fprintf(&text, "maxBytes: %d\n", s.MaxBytes)
	}
	if s.MaxAge != 0 {
		fmt.Fprintf(&text, "maxAge: %s\n", s.MaxAge)
	}
	if s.Replicas != 0 {
		fmt.Fprintf(&text, "replicas: %d\n", s.Replicas)
	}
	if s.Duplicates != 0 {
		fmt.Fprintf(&text, "duplicates: %s\n", s.Duplicates)
	}
	return text.String()
}
