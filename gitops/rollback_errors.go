package gitops

import (
	"fmt"
	"strings"
)

// HistoryError says that the history of an Application has no deployment to return to as asked.
type HistoryError struct {
	Namespace string
	Name      string
	// Asked is the deployment that was asked for, such as "ID 4".
	Asked string
	// History that there is, newest first.
	History []HistoryEntry
}

func (e *HistoryError) Error() string {
	known := make([]string, len(e.History))
	for i, entry := range e.History {
		known[i] = fmt.Sprintf("ID %d (%s)", entry.ID, strings.Join(entry.Revisions, ", "))
	}
	there := "it is empty"
	if len(known) > 0 {
		there = "there are " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("the history of Application %s/%s has no %s: %s", e.Namespace, e.Name, e.Asked, there)
}

// UnguardableOwnerError says that an owner would undo the rollback and cannot be kept from it. Nothing was changed.
type UnguardableOwnerError struct {
	// Owner as far as it is known, and the object that it would write.
	Owner  Resource
	Object Resource
	// Reason, and what to do about it.
	Reason string
	// Cause is the API server's refusal. Nil for other reasons.
	Cause error
}

func (e *UnguardableOwnerError) Error() string {
	text := fmt.Sprintf("%s owns %s and cannot be kept from undoing the rollback: %s", e.Owner, e.Object, e.Reason)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

func (e *UnguardableOwnerError) Unwrap() error { return e.Cause }

// RollbackFailedError says that the earlier deployment could not be synced, or that Argo CD synced other revisions.
// Automated sync stays suspended and the owners stay guarded.
type RollbackFailedError struct {
	Namespace string
	Name      string
	// Target that was asked for.
	Target HistoryEntry
	// Operation as it ended.
	Operation OperationStatus
}

func (e *RollbackFailedError) Error() string {
	return fmt.Sprintf("deployment ID %d (%s) could not be synced, automated sync stays suspended: %v",
		e.Target.ID, strings.Join(e.Target.Revisions, ", "), e.Unwrap())
}

// Unwrap returns an *OperationError.
func (e *RollbackFailedError) Unwrap() error {
	return &OperationError{Namespace: e.Namespace, Name: e.Name, Operation: e.Operation}
}

// RollbackUndoneError says that something that is no known owner keeps switching automated sync on again or syncs other
// revisions.
type RollbackUndoneError struct {
	Namespace string
	Name      string
	// Attempts that were undone.
	Attempts int
}

func (e *RollbackUndoneError) Error() string {
	return fmt.Sprintf("something undid the rollback of Application %s/%s %d times: find out who writes its spec.syncPolicy "+
		"or syncs it (metadata.managedFields, status.operationState.operation.initiatedBy)", e.Namespace, e.Name, e.Attempts)
}
