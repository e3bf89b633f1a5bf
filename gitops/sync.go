package gitops

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// SyncRequest says what to sync. The zero value syncs everything to the revision that the Application follows, with the
// sync options and the retry of its sync policy.
type SyncRequest struct {
	// Revision to sync to. Default: the one that the Application follows.
	Revision string
	// Prune deletes resources that have left the sources. Default: false.
	Prune bool
	// DryRun only reports what would be done. Default: false.
	DryRun bool
	// Resources to sync. Default: all.
	Resources []Resource
	// Options in Argo CD's form "Key=value". Default: those of the Application's sync policy.
	Options []string
	// InitiatedBy is recorded as the one who asked. Default: "backbone".
	InitiatedBy string
}

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
		detail = fmt.Sprintf("%s since %s", e.Operation.Phase, e.Operation.StartedAt.UTC().Format("15:04:05"))
	}
	return fmt.Sprintf("sync Application %s/%s: an operation is in progress (%s)", e.Namespace, e.Name, detail)
}

// Sync asks Argo CD to sync an Application. It returns when the request is recorded; Wait with OperationDone waits for
// the end. While another operation is in progress it fails with an *OperationInProgressError.
func (c *Client) Sync(ctx context.Context, name string, request SyncRequest) error {
	for {
		err := c.trySync(ctx, name, request)
		// The request is bound to the resource version in which no operation was in progress. Argo CD writes the status
		// often, so a conflict mostly means only that.
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (c *Client) trySync(ctx context.Context, name string, request SyncRequest) error {
	obj := c.application(name)
	if err := c.kube.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return fmt.Errorf("sync Application %s/%s: %w", c.namespace, name, err)
	}
	app, err := argoapp.Read(obj)
	if err != nil {
		return err
	}
	if app.Operation != nil {
		inProgress := &OperationInProgressError{Namespace: c.namespace, Name: name}
		if state := app.Status.OperationState; state != nil && !state.Completed() {
			inProgress.Operation = operationOf(app)
		}
		return inProgress
	}
	patch, err := json.Marshal(map[string]any{
		"metadata":  map[string]any{"resourceVersion": obj.GetResourceVersion()},
		"operation": request.operation(obj),
	})
	if err != nil {
		return fmt.Errorf("sync Application %s/%s: %w", c.namespace, name, err)
	}
	if err := c.kube.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("sync Application %s/%s: %w", c.namespace, name, err)
	}
	return nil
}

// operation returns the request in Argo CD's form. argocd-server fills in sync options and retry from the sync policy
// when it makes an operation; the controller does not, so it is done here.
func (r SyncRequest) operation(app *unstructured.Unstructured) map[string]any {
	var options any = r.Options
	if len(r.Options) == 0 {
		options, _, _ = unstructured.NestedFieldNoCopy(app.Object, "spec", "syncPolicy", "syncOptions")
	}
	retry, _, _ := unstructured.NestedFieldNoCopy(app.Object, "spec", "syncPolicy", "retry")
	var resources []map[string]any
	for _, resource := range r.Resources {
		fields := object.Compact(map[string]any{"group": resource.Group, "namespace": resource.Namespace})
		fields["kind"], fields["name"] = resource.Kind, resource.Name
		resources = append(resources, fields)
	}
	operation := object.Compact(map[string]any{"retry": retry})
	operation["initiatedBy"] = map[string]any{"username": orDefault(r.InitiatedBy, "backbone")}
	// An empty sync is a sync of everything, so the key stays.
	operation["sync"] = object.Compact(map[string]any{
		"revision":    r.Revision,
		"prune":       r.Prune,
		"dryRun":      r.DryRun,
		"resources":   resources,
		"syncOptions": options,
	})
	return operation
}
