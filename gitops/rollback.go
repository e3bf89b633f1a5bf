package gitops

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// RollbackRequest says what to return to. The zero value returns to the newest deployment in the history that differs
// from what was synced last, and leaves automated sync suspended.
type RollbackRequest struct {
	// HistoryID of the deployment to return to. Default: chosen by Revision, or as said above.
	HistoryID *int64
	// Revision to return to: the newest deployment of the history with exactly this revision in one of its sources.
	// Not together with HistoryID.
	Revision string
	// Prune deletes resources that the deployment did not have. Default: false, they stay.
	Prune bool
	// RestoreAutomation calls [Client.RestoreAutomation] after the rollback. Argo CD then syncs forward again at once,
	// unless the sources were put right before. Default: false, automated sync stays suspended.
	RestoreAutomation bool
	// DryRun returns the steps that would be taken, after all checks, and changes nothing. Default: false.
	DryRun bool
	// InitiatedBy is recorded as the one who asked. Default: "backbone".
	InitiatedBy string
	// OnEvent is called before and after each step. Default: none.
	OnEvent func(RollbackEvent)
}

// Validate reports every fault that is visible without the Application.
func (r RollbackRequest) Validate() field.ErrorList {
	faults := object.Text(field.NewPath("revision"), r.Revision)
	faults = append(faults, object.Text(field.NewPath("initiatedBy"), r.InitiatedBy)...)
	if r.HistoryID != nil && r.Revision != "" {
		faults = append(faults, field.Forbidden(field.NewPath("revision"), "the history ID says already what to return to"))
	}
	return faults
}

// RollbackResult is what a rollback has reached.
type RollbackResult struct {
	// Target is the deployment that was returned to. It keeps its ID; the rollback itself is a new entry of the history.
	Target HistoryEntry
	// Steps that were still to be taken when Rollback was called: all that a dry run reports. Empty when the rollback
	// was complete already.
	Steps []RollbackStep
	// Status of the Application afterwards. It is OutOfSync, because it still declares the newer revision; its Operation
	// is the rollback. The zero value for a dry run.
	Status ApplicationStatus
}

// Rollback returns an Application to an earlier deployment and keeps it there, although it is synced automatically:
//
//  1. Every owner that would switch automated sync on again is guarded, from the top down: the ApplicationSet that
//     generates the Application (spec.ignoreApplicationDifferences), the Applications that deploy it or its owners
//     (spec.ignoreDifferences with the sync option RespectIgnoreDifferences=true), up to one that deploys itself.
//  2. Automated sync of the Application is suspended; what was there is remembered.
//  3. The deployment is synced again from its recorded sources, as Argo CD's own rollback does: with the sync options of
//     the sync policy, its retry, and without hooks.
//  4. The rollback is verified: the operation has succeeded with the recorded revisions, the guards hold, automated sync
//     is still off, and the resources are healthy. The context is the deadline.
//
// Each step is recorded in the annotations [RollbackAnnotation] and [RollbackGuardsAnnotation] by the same write that
// takes it. After a crash or an error between two steps, Rollback continues and RestoreAutomation undoes. A complete
// rollback is verified again and nothing else; another target in the request starts the next rollback without
// forgetting what automated sync was.
//
// While an owner is guarded, its other settings in the same fields wait too: changes that git makes to the guarded
// list, to the sync options of a guarded owner, or to the automated sync of the Application take effect after
// RestoreAutomation. An Application among the owners respects all its ignored differences on syncs meanwhile. Against
// people a guard is powerless: whoever applies an owner's manifest by hand, or syncs an owner with other sync options
// than its own, writes over it.
//
// Nothing is changed when the error is a *HistoryError, an *UnguardableOwnerError, an *OperationInProgressError, or a
// *SyncRefusedError (a deletion, a sync window). A *RollbackFailedError says that the deployment could not be synced;
// automated sync stays suspended, because it would only bring the newer revision back: call Rollback again, or
// RestoreAutomation. A *RollbackUndoneError says that something unguarded switches automated sync on. When the context
// ends first, the error wraps the context's.
func (c *Client) Rollback(ctx context.Context, name string, request RollbackRequest) (RollbackResult, error) {
	if err := object.Invalid(argoapp.Kind("Application").GroupKind(), name, request.Validate()); err != nil {
		return RollbackResult{}, fmt.Errorf("roll back Application %s/%s: %w", c.namespace, name, err)
	}
	run, err := c.planRollback(ctx, name, request)
	if err != nil {
		return RollbackResult{}, fmt.Errorf("roll back Application %s/%s: %w", c.namespace, name, err)
	}
	result := RollbackResult{Target: historyEntryOf(run.deployment), Steps: run.steps}
	if request.DryRun {
		return result, nil
	}
	if result.Status, err = run.execute(ctx); err != nil {
		return result, fmt.Errorf("roll back Application %s/%s: %w", c.namespace, name, err)
	}
	if !request.RestoreAutomation {
		return result, nil
	}
	if err := c.restore(ctx, run.application, request.report); err != nil {
		return result, fmt.Errorf("roll back Application %s/%s: %w", c.namespace, name, err)
	}
	return result, nil
}

// RollbackAction is one kind of step.
type RollbackAction string

const (
	// RollbackGuard protects a field of an owner and records who asked for it.
	RollbackGuard RollbackAction = "Guard"
	// RollbackSuspend switches automated sync of the Application off and remembers what it was.
	RollbackSuspend RollbackAction = "Suspend"
	// RollbackSync requests the sync of the earlier deployment.
	RollbackSync RollbackAction = "Sync"
	// RollbackVerify waits until the sync has succeeded and the resources are healthy.
	RollbackVerify RollbackAction = "Verify"
	// RollbackRestore puts automated sync of the Application back as it was.
	RollbackRestore RollbackAction = "Restore"
	// RollbackRelease removes a guard from an owner.
	RollbackRelease RollbackAction = "Release"
)

// RollbackStep is one step of a rollback.
type RollbackStep struct {
	Action RollbackAction
	// Object that the step changes or looks at.
	Object Resource
}

// String returns "Guard ApplicationSet.argoproj.io argocd/name".
func (s RollbackStep) String() string { return string(s.Action) + " " + s.Object.String() }

// RollbackEvent reports a step.
type RollbackEvent struct {
	Step RollbackStep
	// Done is false before the step is taken, and true afterwards. A step may come again when somebody else has undone
	// it.
	Done bool
}

func (r RollbackRequest) report(action RollbackAction, on Resource, done bool) {
	if r.OnEvent != nil {
		r.OnEvent(RollbackEvent{Step: RollbackStep{Action: action, Object: on}, Done: done})
	}
}
