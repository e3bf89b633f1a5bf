package gitops

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// maxUndone bounds how often a rollback starts over because somebody has undone a step of it. An ApplicationSet
// controller or a sync that was at work on the old state when the guard came may do so once.
const maxUndone = 5

// rollbackRun takes the steps of one rollback. Each pass looks at what there is and takes the first step that is
// missing, so that it makes no difference whether an earlier call, or a crashed one, has taken those before.
type rollbackRun struct {
	client      *Client
	request     RollbackRequest
	application Resource
	chain       chain
	deployment  argoapp.Deployment
	steps       []RollbackStep

	suspensions int
	syncs       int
}

// planRollback makes all checks, those that only the API server can make by dry runs.
func (c *Client) planRollback(ctx context.Context, name string, request RollbackRequest) (*rollbackRun, error) {
	obj, err := c.get(ctx, resourceOf(c.application(name)))
	if err != nil {
		return nil, err
	}
	view, err := viewOf(obj)
	if err != nil {
		return nil, err
	}
	run := &rollbackRun{client: c, request: request, application: resourceOf(obj)}
	if run.deployment, err = chooseDeployment(obj, view.app, view.record, request); err != nil {
		return nil, err
	}
	if err := c.refuse(ctx, view.app); err != nil {
		return nil, err
	}
	if view.app.Operation != nil && !view.isRequested() {
		return nil, inProgress(view.app)
	}
	if run.chain, err = c.ownersOf(ctx, obj); err != nil {
		return nil, err
	}
	if err := errors.Join(run.chain.faults...); err != nil {
		return nil, err
	}
	for _, o := range run.chain.owners {
		guarded, err := run.tryGuard(ctx, o)
		if err != nil {
			return nil, err
		}
		if !guarded {
			run.steps = append(run.steps, RollbackStep{Action: RollbackGuard, Object: o.owner})
		}
	}
	run.steps = append(run.steps, run.stepsOf(view)...)
	return run, nil
}

// stepsOf returns the steps at the Application itself that are still to be taken.
func (r *rollbackRun) stepsOf(view applicationView) []RollbackStep {
	var actions []RollbackAction
	suspended := view.isSuspendedFor(r.deployment)
	if !suspended {
		actions = append(actions, RollbackSuspend)
	}
	if !suspended || view.needsSync() {
		actions = append(actions, RollbackSync)
	}
	if len(actions) > 0 || view.record.Phase != RollbackSucceeded {
		actions = append(actions, RollbackVerify)
	}
	if r.request.RestoreAutomation {
		actions = append(actions, RollbackRestore)
	}
	var steps []RollbackStep
	for _, action := range actions {
		steps = append(steps, RollbackStep{Action: action, Object: r.application})
	}
	if r.request.RestoreAutomation {
		for _, o := range slices.Backward(r.chain.owners) {
			steps = append(steps, RollbackStep{Action: RollbackRelease, Object: o.owner})
		}
	}
	return steps
}

func (r *rollbackRun) execute(ctx context.Context) (ApplicationStatus, error) {
	for {
		view, done, err := r.advance(ctx)
		if err != nil || done {
			return statusOf(view.app), err
		}
		if max(r.suspensions, r.syncs) > maxUndone {
			return statusOf(view.app), &RollbackUndoneError{
				Namespace: r.application.Namespace, Name: r.application.Name, Attempts: maxUndone,
			}
		}
	}
}

// advance takes the first step that is missing, and reports whether none is.
func (r *rollbackRun) advance(ctx context.Context) (applicationView, bool, error) {
	for _, o := range r.chain.owners {
		if err := r.guard(ctx, o); err != nil {
			return applicationView{}, false, err
		}
	}
	obj, err := r.client.get(ctx, r.application)
	if err != nil {
		return applicationView{}, false, err
	}
	view, err := viewOf(obj)
	if err != nil {
		return view, false, err
	}
	switch {
	case !view.isSuspendedFor(r.deployment):
		r.suspensions++
		return view, false, r.step(RollbackSuspend, func() error { return r.suspend(ctx) })
	case view.needsSync():
		if view.app.Operation != nil {
			err := r.client.await(ctx, r.application, "no operation", func(v applicationView) bool { return v.app.Operation == nil })
			return view, false, err
		}
		r.syncs++
		return view, false, r.step(RollbackSync, func() error { return r.sync(ctx) })
	case view.record.Phase == RollbackSucceeded && view.isSettled():
		return view, true, nil
	}
	return view, false, r.step(RollbackVerify, func() error { return r.verify(ctx) })
}

func (r *rollbackRun) step(action RollbackAction, take func() error) error {
	r.request.report(action, r.application, false)
	if err := take(); err != nil {
		return err
	}
	r.request.report(action, r.application, true)
	return nil
}

// suspend switches automated sync off. What it was is taken from the Application; when the Application has been
// suspended before, from its record; when that is lost, from the record at its owner.
func (r *rollbackRun) suspend(ctx context.Context) error {
	var owners []Resource
	for _, o := range r.chain.owners {
		owners = append(owners, o.owner)
	}
	noted, err := r.client.notedAutomation(ctx, owners, r.holder())
	if err != nil {
		return err
	}
	_, err = r.client.patch(ctx, r.application, func(obj *unstructured.Unstructured) (map[string]any, error) {
		view, err := viewOf(obj)
		if err != nil || view.isSuspendedFor(r.deployment) {
			return nil, err
		}
		return r.suspension(view, noted)
	})
	return err
}

func (r *rollbackRun) suspension(view applicationView, noted json.RawMessage) (map[string]any, error) {
	next := rollbackRecord{
		Phase: RollbackSuspended, HistoryID: r.deployment.ID, Revisions: revisions(r.deployment.Revision, r.deployment.Revisions),
		Automated: noted, StartedAt: time.Now().UTC().Truncate(time.Second),
	}
	if view.record != nil {
		next.Automated, next.StartedAt = view.record.Automated, view.record.StartedAt
		if view.record.targets(r.deployment) && view.record.Phase != RollbackRestoring {
			next.Phase, next.Operation = view.record.Phase, view.record.Operation
		}
	}
	for _, o := range r.chain.owners {
		next.Owners = append(next.Owners, recordedOwner{Kind: o.owner.Kind, Namespace: o.owner.Namespace, Name: o.owner.Name})
	}
	if view.automated != nil {
		next.Automated = view.automated
	}
	patch, err := next.patch()
	if err == nil && view.automated != nil {
		patch["spec"] = map[string]any{"syncPolicy": map[string]any{"automated": nil}}
	}
	return patch, err
}

// sync requests the operation, unless something else is in progress.
func (r *rollbackRun) sync(ctx context.Context) error {
	mark := rand.Text()
	_, err := r.client.patch(ctx, r.application, func(obj *unstructured.Unstructured) (map[string]any, error) {
		view, err := viewOf(obj)
		if err != nil || view.app.Operation != nil || !view.isSuspendedFor(r.deployment) {
			return nil, err
		}
		if err := r.client.refuse(ctx, view.app); err != nil {
			return nil, err
		}
		next := *view.record
		next.Phase, next.Operation = RollbackRequested, mark
		patch, err := next.patch()
		if err != nil {
			return nil, err
		}
		patch["operation"] = rollbackOperation(obj, r.deployment, r.request, mark)
		if view.app.Status.OperationState != nil {
			// As in operate: it must not be taken for the state of this operation, nor be merged with it.
			patch["status"] = map[string]any{"operationState": nil}
		}
		return patch, nil
	})
	return err
}

// verify waits for the end of the operation, then for the health of the resources. Whatever undoes the rollback ends
// the waiting, and the next pass takes the step again.
func (r *rollbackRun) verify(ctx context.Context) error {
	err := r.client.await(ctx, r.application, "OperationDone", func(v applicationView) bool {
		return !v.isSuspendedFor(r.deployment) || v.needsSync() || v.hasEnded()
	})
	if err != nil {
		return err
	}
	var failed error
	_, err = r.client.patch(ctx, r.application, func(obj *unstructured.Unstructured) (map[string]any, error) {
		view, err := viewOf(obj)
		failed = nil
		if err != nil || !view.isSuspendedFor(r.deployment) || !view.hasEnded() || view.record.Phase != RollbackRequested {
			return nil, err
		}
		next := *view.record
		next.Phase = RollbackSucceeded
		operation := operationOf(view.app)
		if operation.Phase != PhaseSucceeded || !slices.Equal(operation.Revisions, next.Revisions) {
			next.Phase = RollbackFailed
			failed = &RollbackFailedError{Namespace: r.application.Namespace, Name: r.application.Name,
				Target: historyEntryOf(r.deployment), Operation: *operation}
		}
		return next.patch()
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	err = r.client.await(ctx, r.application, "Healthy", func(v applicationView) bool {
		return !v.isSuspendedFor(r.deployment) || v.needsSync() || v.isSettled()
	})
	return err
}

func (r *rollbackRun) holder() string { return r.application.Namespace + "/" + r.application.Name }

func inProgress(app argoapp.Application) error {
	out := &OperationInProgressError{Namespace: app.Metadata.Namespace, Name: app.Metadata.Name}
	if state := app.Status.OperationState; state != nil && !state.Completed() {
		out.Operation = operationOf(app)
	}
	return out
}
