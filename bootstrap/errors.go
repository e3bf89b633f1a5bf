package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// timeoutError is the cause with which a component's context ends after its
// Timeout.
type timeoutError struct {
	after time.Duration
}

func (e timeoutError) Error() string { return fmt.Sprintf("not done after %s", e.after) }

func (e timeoutError) Unwrap() error { return context.DeadlineExceeded }

// ApplyError says which objects of a component could not be applied.
type ApplyError struct {
	Component string
	Objects   []ObjectError
}

// ObjectError is what became of one object.
type ObjectError struct {
	Object ObjectRef
	// Attempts that were made. More than one means that the error looked as if
	// it could pass, until the component's time was over or another of its
	// objects failed for good.
	Attempts int
	// Err is the last attempt's error, such as a [ConflictError] or the API
	// server's answer.
	Err error
}

// Error implements error.
func (e *ApplyError) Error() string {
	return fmt.Sprintf("component %s: %s", e.Component, joinErrors(e.Unwrap()))
}

// Unwrap gives an ObjectError for each object.
func (e *ApplyError) Unwrap() []error {
	all := make([]error, len(e.Objects))
	for i := range e.Objects {
		all[i] = &e.Objects[i]
	}
	return all
}

// Error implements error.
func (e *ObjectError) Error() string {
	if e.Attempts > 1 {
		return fmt.Sprintf("apply %s: %d attempts: %v", e.Object, e.Attempts, e.Err)
	}
	return fmt.Sprintf("apply %s: %v", e.Object, e.Err)
}

// Unwrap gives the last attempt's error.
func (e *ObjectError) Unwrap() error { return e.Err }

// ConflictError says that fields of an object belong to other field managers,
// which gave them other values. [Options.Force] takes such fields over.
type ConflictError struct {
	Object    ObjectRef
	Conflicts []FieldConflict
	// Err is the API server's answer.
	Err error
}

// FieldConflict is a field that another manager owns.
type FieldConflict struct {
	// Manager that owns the field.
	Manager string
	// Field is the path as the API server writes it, such as ".spec.replicas".
	Field string
}

// Error implements error.
func (e *ConflictError) Error() string {
	parts := make([]string, len(e.Conflicts))
	for i, conflict := range e.Conflicts {
		parts[i] = fmt.Sprintf("%s belongs to field manager %q", conflict.Field, conflict.Manager)
	}
	return "conflict: " + strings.Join(parts, "; ")
}

// Unwrap gives the API server's answer.
func (e *ConflictError) Unwrap() error { return e.Err }

// asConflict reads the conflicts of a refused server-side apply. The manager
// stands, quoted, in the cause's message only (apimachinery:
// pkg/util/managedfields/internal/conflict.go); when the message has another
// form, all of it stands for the manager.
func asConflict(ref ObjectRef, err error) (*ConflictError, bool) {
	status := apierrors.APIStatus(nil)
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil, false
	}
	conflict := &ConflictError{Object: ref, Err: err}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := cause.Message
		quoted, prefixErr := strconv.QuotedPrefix(strings.TrimPrefix(cause.Message, "conflict with "))
		if prefixErr == nil {
			if name, err := strconv.Unquote(quoted); err == nil {
				manager = name
			}
		}
		conflict.Conflicts = append(conflict.Conflicts, FieldConflict{Manager: manager, Field: cause.Field})
	}
	return conflict, len(conflict.Conflicts) > 0
}

// NotReadyError says that the objects of a component were applied, and which of
// them did not become ready.
type NotReadyError struct {
	Component string
	// Objects that are not ready, with what is known about the reason.
	Objects []ObjectStatus
	// Err is why the wait ended: an error for which errors.Is answers
	// context.DeadlineExceeded or context.Canceled, or nil when an object
	// failed for good.
	Err error
}

// Error implements error.
func (e *NotReadyError) Error() string {
	parts := make([]string, len(e.Objects))
	for i, object := range e.Objects {
		parts[i] = object.String()
	}
	text := fmt.Sprintf("component %s is not ready", e.Component)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text + ": " + strings.Join(parts, "; ")
}

// Unwrap gives the reason why the wait ended.
func (e *NotReadyError) Unwrap() error { return e.Err }

// UpgradeRequiredError says that components are installed in another version,
// or with other objects, than the plan holds, and that [Options.Upgrade] was
// not set. Nothing was written.
type UpgradeRequiredError struct {
	Plan       string
	Components []VersionChange
}

// VersionChange is a component that an upgrade would change. With equal
// versions, the objects differ.
type VersionChange struct {
	Component string
	Installed string
	Wanted    string
}

// Error implements error.
func (e *UpgradeRequiredError) Error() string {
	parts := make([]string, len(e.Components))
	for i, change := range e.Components {
		if change.Installed == change.Wanted {
			parts[i] = fmt.Sprintf("%s (other objects in version %q)", change.Component, change.Wanted)
			continue
		}
		parts[i] = fmt.Sprintf("%s (%q to %q)", change.Component, change.Installed, change.Wanted)
	}
	return fmt.Sprintf("plan %s: installed components would change, which needs Options.Upgrade: %s",
		e.Plan, strings.Join(parts, ", "))
}

func joinErrors(all []error) string {
	parts := make([]string, len(all))
	for i, err := range all {
		parts[i] = err.Error()
	}
	return strings.Join(parts, "; ")
}
