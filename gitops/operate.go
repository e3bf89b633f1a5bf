package gitops

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// OperationInProgressError says that an Application cannot be synced because an operation is requested or runs already.
type OperationInProgressError struct {
	Namespace string
	Name      string
	// Operation that runs. Nil if Argo CD has not started it yet.
	Operation *OperationStatus
}

func (e *OperationInProgressError) Error() string {
	detail := "requested and not started yet"
	if e.Operation != nil {
		detail = fmt.Sprintf("%s since %s", e.Operation.Phase, e.Operation.StartedAt.UTC().Format(time.TimeOnly))
	}
	return fmt.Sprintf("an operation on Application %s/%s is in progress (%s)", e.Namespace, e.Name, detail)
}

// RefusalReason says why a sync was refused.
type RefusalReason string

const (
	// RefusedDeleting is an Application that is being deleted.
	RefusedDeleting RefusalReason = "Deleting"
	// RefusedAutomated is another revision than the one that Argo CD syncs to on its own: it would undo the sync.
	RefusedAutomated RefusalReason = "Automated"
	// RefusedSyncWindow is a sync window of the project that forbids syncs now.
	RefusedSyncWindow RefusalReason = "SyncWindow"
)

// SyncRefusedError says that an Application must not be synced as asked, or not now. Nothing was changed.
type SyncRefusedError struct {
	Namespace string
	Name      string
	Reason    RefusalReason
	// Detail explains the reason to people.
	Detail string
}

func (e *SyncRefusedError) Error() string {
	return fmt.Sprintf("Application %s/%s must not be synced: %s", e.Namespace, e.Name, e.Detail)
}

// operate requests the operation that make returns, bound to the state of the Application that make has seen. It is the
// one way to an operation: nothing else is in progress, and neither a deletion nor a sync window forbids it.
func (c *Client) operate(
	ctx context.Context, name string, operation func(*unstructured.Unstructured, argoapp.Application) (map[string]any, error),
) error {
	return c.change(ctx, name, func(obj *unstructured.Unstructured, app argoapp.Application) (map[string]any, error) {
		if app.Operation != nil {
			inProgress := &OperationInProgressError{Namespace: c.namespace, Name: name}
			if state := app.Status.OperationState; state != nil && !state.Completed() {
				inProgress.Operation = operationOf(app)
			}
			return nil, inProgress
		}
		if err := c.refuse(ctx, app); err != nil {
			return nil, err
		}
		requested, err := operation(obj, app)
		if err != nil {
			return nil, err
		}
		patch := map[string]any{"operation": requested}
		// What the last operation left must not be mistaken for the state of this one, nor be merged with it when the
		// controller patches its own in (argo-cd: util/argo/argo.go, SetAppOperation).
		if app.Status.OperationState != nil {
			patch["status"] = map[string]any{"operationState": nil}
		}
		return patch, nil
	})
}

// refuse makes argocd-server's checks that protect an Application, whatever the operation.
func (c *Client) refuse(ctx context.Context, app argoapp.Application) error {
	refused := &SyncRefusedError{Namespace: app.Metadata.Namespace, Name: app.Metadata.Name}
	if app.Metadata.DeletionTimestamp != nil {
		refused.Reason, refused.Detail = RefusedDeleting, "it is being deleted"
		return refused
	}
	project := &unstructured.Unstructured{}
	project.SetGroupVersionKind(argoapp.Kind("AppProject"))
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: c.projectNamespace, Name: app.Spec.ProjectName()}, project)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get AppProject %s/%s: %w", c.projectNamespace, app.Spec.ProjectName(), err)
	}
	declared, err := argoapp.ReadProject(project)
	if err != nil {
		return err
	}
	blocking, err := declared.BlockingWindows(app, time.Now())
	switch {
	case err != nil:
		refused.Detail = fmt.Sprintf("project %s has a faulty %v", app.Spec.ProjectName(), err)
	case len(blocking) > 0:
		texts := make([]string, len(blocking))
		for i, window := range blocking {
			texts[i] = window.String()
		}
		refused.Detail = fmt.Sprintf("project %s forbids it now (sync window %s)",
			app.Spec.ProjectName(), strings.Join(texts, ", "))
	default:
		return nil
	}
	refused.Reason = RefusedSyncWindow
	return refused
}

// change makes one merge patch that holds only for the state that decide has seen: when somebody else writes in between,
// decide looks again. A nil patch changes nothing.
func (c *Client) change(
	ctx context.Context, name string, decide func(*unstructured.Unstructured, argoapp.Application) (map[string]any, error),
) error {
	for {
		err := c.tryChange(ctx, name, decide)
		// Argo CD writes the status often, so a conflict mostly means only that.
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (c *Client) tryChange(
	ctx context.Context, name string, decide func(*unstructured.Unstructured, argoapp.Application) (map[string]any, error),
) error {
	obj := c.application(name)
	if err := c.kube.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return err
	}
	app, err := argoapp.Read(obj)
	if err != nil {
		return err
	}
	patch, err := decide(obj, app)
	if err != nil || patch == nil {
		return err
	}
	metadata, _ := patch["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		patch["metadata"] = metadata
	}
	metadata["resourceVersion"] = obj.GetResourceVersion()
	raw, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return c.kube.Patch(ctx, obj, client.RawPatch(types.MergePatchType, raw))
}
