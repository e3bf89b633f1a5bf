package gitops

import (
	"context"
	"fmt"
	"strings"
)

// Condition is something to wait for. The predefined ones are [Synced], [Healthy] and [OperationDone].
type Condition struct {
	// Name of the condition in errors, such as "Synced".
	Name string
	// Met looks at a settled status: no requested refresh or operation is pending. An error ends the waiting.
	Met func(ApplicationStatus) (bool, error)
}

// Synced is met when the live state equals the sources.
func Synced() Condition {
	return Condition{Name: "Synced", Met: func(s ApplicationStatus) (bool, error) { return s.Sync == SyncStatusSynced, nil }}
}

// Healthy is met when all deployed resources are healthy.
func Healthy() Condition {
	return Condition{Name: "Healthy", Met: func(s ApplicationStatus) (bool, error) { return s.Health == HealthStatusHealthy, nil }}
}

// OperationDone is met when the last operation has succeeded, and ends the waiting with an *OperationError when it has
// failed.
func OperationDone() Condition {
	return Condition{Name: "OperationDone", Met: func(s ApplicationStatus) (bool, error) {
		if s.Operation == nil {
			return false, nil
		}
		switch s.Operation.Phase {
		case PhaseFailed, PhaseError:
			return false, &OperationError{Namespace: s.Namespace, Name: s.Name, Operation: *s.Operation}
		default:
			return s.Operation.Phase == PhaseSucceeded, nil
		}
	}}
}

// OperationError says that an operation on an Application has failed.
type OperationError struct {
	Namespace string
	Name      string
	Operation OperationStatus
}

func (e *OperationError) Error() string {
	text := fmt.Sprintf("operation on Application %s/%s: %s: %s", e.Namespace, e.Name, e.Operation.Phase, e.Operation.Message)
	if failures := e.Operation.failures(); failures != "" {
		text += " (" + failures + ")"
	}
	return text
}

// WaitError says what was still missing when the context ended. It wraps the context's error, so that
// errors.Is(err, context.DeadlineExceeded) works.
type WaitError struct {
	// Unmet are the Applications that did not get there, by name.
	Unmet []Unmet
	cause error
}

// Unmet is an Application that did not meet all conditions.
type Unmet struct {
	Namespace string
	Name      string
	// Conditions that were not met, by name. Empty while a refresh or an operation is pending.
	Conditions []string
	// Status when last seen. Nil if the Application did not exist.
	Status *ApplicationStatus
}

func (e *WaitError) Error() string {
	texts := make([]string, len(e.Unmet))
	for i, unmet := range e.Unmet {
		texts[i] = unmet.String()
	}
	return fmt.Sprintf("wait for Applications: %s: %v", strings.Join(texts, "; "), e.cause)
}

func (e *WaitError) Unwrap() error { return e.cause }

// String explains in one line what is missing and what Argo CD says about it.
func (u Unmet) String() string {
	key := u.Namespace + "/" + u.Name
	if u.Status == nil {
		return key + " does not exist"
	}
	var parts []string
	if len(u.Conditions) > 0 {
		parts = append(parts, "is not "+strings.Join(u.Conditions, ", "))
	}
	if u.Status.Deleting {
		parts = append(parts, "it is being deleted")
	}
	if u.Status.RefreshPending {
		parts = append(parts, "its refresh is pending")
	}
	if u.Status.OperationPending {
		parts = append(parts, "its operation is pending")
	}
	parts = append(parts, fmt.Sprintf("sync %q, health %q", u.Status.Sync, u.Status.Health))
	if u.Status.HealthMessage != "" {
		parts = append(parts, u.Status.HealthMessage)
	}
	for _, resource := range u.Status.Resources {
		if resource.Health != "" && resource.Health != HealthStatusHealthy {
			parts = append(parts, fmt.Sprintf("%s is %s %s", resource.Resource, resource.Health, resource.HealthMessage))
		}
	}
	for _, condition := range u.Status.Conditions {
		parts = append(parts, condition.Type+": "+condition.Message)
	}
	if operation := u.Status.Operation; operation != nil && operation.Phase != PhaseSucceeded {
		parts = append(parts, fmt.Sprintf("operation %s: %s", operation.Phase, operation.Message))
		if failures := operation.failures(); failures != "" {
			parts = append(parts, failures)
		}
	}
	return key + " " + strings.Join(parts, ", ")
}

// Wait watches the Applications until every one of them meets every condition, and returns their statuses in the order
// of the names. Applications that do not exist yet are waited for, and so are those that are deleted meanwhile: whoever
// generates them may create them again. Default conditions: Synced and Healthy. A pending refresh or operation is always
// waited for. When the context ends first, the error is a *WaitError. ClientOptions.Progress hears of every change.
func (c *Client) Wait(ctx context.Context, names []string, until ...Condition) ([]ApplicationStatus, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if len(until) == 0 {
		until = []Condition{Synced(), Healthy()}
	}
	waiting := &waiting{namespace: c.namespace, names: names, until: until, seen: map[string]*ApplicationStatus{}}
	err := c.followNamed(ctx, names, waiting.observed)
	if err == nil {
		return waiting.statuses(), nil
	}
	if ctx.Err() != nil {
		return nil, &WaitError{Unmet: waiting.unmet(), cause: err}
	}
	return nil, fmt.Errorf("wait for Applications: %w", err)
}

// waiting is what one call of Wait has seen so far.
type waiting struct {
	namespace string
	names     []string
	until     []Condition
	seen      map[string]*ApplicationStatus
}

func (w *waiting) observed(events []Event) (bool, error) {
	for _, event := range events {
		if event.Type == Disappeared {
			delete(w.seen, event.Status.Name)
		} else {
			w.seen[event.Status.Name] = &event.Status
		}
	}
	return w.done()
}

func (w *waiting) done() (bool, error) {
	all := true
	for _, name := range w.names {
		status := w.seen[name]
		if status == nil || status.pending() {
			all = false
			continue
		}
		for _, condition := range w.until {
			met, err := condition.Met(*status)
			if err != nil {
				return false, err
			}
			all = all && met
		}
	}
	return all, nil
}

func (w *waiting) unmet() []Unmet {
	var out []Unmet
	for _, name := range w.names {
		unmet := Unmet{Namespace: w.namespace, Name: name, Status: w.seen[name]}
		if unmet.Status == nil || unmet.Status.pending() {
			out = append(out, unmet)
			continue
		}
		for _, condition := range w.until {
			if met, err := condition.Met(*unmet.Status); err != nil || !met {
				unmet.Conditions = append(unmet.Conditions, condition.Name)
			}
		}
		if len(unmet.Conditions) > 0 {
			out = append(out, unmet)
		}
	}
	return out
}

func (w *waiting) statuses() []ApplicationStatus {
	out := make([]ApplicationStatus, len(w.names))
	for i, name := range w.names {
		out[i] = *w.seen[name]
	}
	return out
}

func (s ApplicationStatus) pending() bool { return s.OperationPending || s.RefreshPending }
