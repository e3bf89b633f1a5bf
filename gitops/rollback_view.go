package gitops

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// applicationView is one state of the rolled back Application.
type applicationView struct {
	obj *unstructured.Unstructured
	app argoapp.Application
	// record is nil if there is none.
	record *rollbackRecord
	// automated is spec.syncPolicy.automated, nil if there is none.
	automated json.RawMessage
}

func viewOf(obj *unstructured.Unstructured) (applicationView, error) {
	view := applicationView{obj: obj}
	var err error
	if view.app, err = argoapp.Read(obj); err != nil {
		return view, err
	}
	if view.record, err = rollbackRecordOf(obj); err != nil {
		return view, err
	}
	if automated, found, _ := unstructured.NestedFieldNoCopy(obj.Object, "spec", "syncPolicy", "automated"); found {
		view.automated, err = json.Marshal(automated)
	}
	return view, err
}

// isSuspendedFor reports whether automated sync is off for the sake of this deployment.
func (v applicationView) isSuspendedFor(deployment argoapp.Deployment) bool {
	return v.record != nil && v.record.Phase != RollbackRestoring && v.record.targets(deployment) && v.automated == nil
}

// needsSync reports whether the operation of the rollback is neither requested nor the last one.
func (v applicationView) needsSync() bool {
	if v.record.Phase == RollbackSuspended || v.record.Phase == RollbackFailed {
		return true
	}
	return !v.isRequested() && !isMarked(v.obj, v.record.Operation, "status", "operationState", "operation")
}

func (v applicationView) isRequested() bool {
	return v.record != nil && isMarked(v.obj, v.record.Operation, "operation")
}

// hasEnded reports whether the operation of the rollback was the last one and has ended.
func (v applicationView) hasEnded() bool {
	state := v.app.Status.OperationState
	return v.app.Operation == nil && state != nil && state.Completed() &&
		isMarked(v.obj, v.record.Operation, "status", "operationState", "operation")
}

// isSettled reports whether Argo CD has compared after the rollback and found its resources healthy. A resource of the
// newer revision that is missing now does not count, and Argo CD calls an Application with one Missing. Since 3.0 it may
// assess the Application alone.
func (v applicationView) isSettled() bool {
	status := statusOf(v.app)
	if !v.hasEnded() || status.Operation.Phase != PhaseSucceeded || status.pending() ||
		status.ReconciledAt.Before(status.Operation.FinishedAt) {
		return false
	}
	if isFine(status.Health) {
		return true
	}
	assessed := false
	for _, resource := range status.Resources {
		assessed = assessed || resource.Health != ""
		if resource.Health != "" && resource.Health != HealthStatusMissing && !isFine(resource.Health) {
			return false
		}
	}
	return assessed || status.Health == HealthStatusMissing
}

func isFine(health HealthStatus) bool {
	return health == HealthStatusHealthy || health == HealthStatusSuspended
}

func (c *Client) get(ctx context.Context, ref Resource) (*unstructured.Unstructured, error) {
	obj, err := c.find(ctx, ref)
	if err == nil && obj == nil {
		err = notFound(ref)
	}
	return obj, err
}

func notFound(ref Resource) error {
	resource := map[string]string{kindApplication: "applications", kindApplicationSet: "applicationsets"}[ref.Kind]
	return apierrors.NewNotFound(schema.GroupResource{Group: ref.Group, Resource: resource}, ref.Name)
}

// patch makes the merge patch that decide returns, bound to the state that decide has seen, and returns the object
// afterwards. A nil patch changes nothing.
func (c *Client) patch(
	ctx context.Context, ref Resource,
	decide func(*unstructured.Unstructured) (map[string]any, error), options ...client.PatchOption,
) (*unstructured.Unstructured, error) {
	options = append(options, client.FieldOwner(c.fieldManager))
	for {
		obj, err := c.get(ctx, ref)
		if err != nil {
			return nil, err
		}
		patch, err := decide(obj)
		if patch == nil || err != nil {
			return obj, err
		}
		metadata, _ := patch["metadata"].(map[string]any)
		metadata["resourceVersion"] = obj.GetResourceVersion()
		data, err := json.Marshal(patch)
		if err != nil {
			return nil, err
		}
		err = c.kube.Patch(ctx, obj, client.RawPatch(types.MergePatchType, data), options...)
		if err == nil {
			return obj, nil
		}
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			return nil, fmt.Errorf("patch %s: %w", ref, err)
		}
	}
}

// await watches an Application until it is as wanted. When the context ends first, the error is a *WaitError.
func (c *Client) await(ctx context.Context, ref Resource, wanted string, met func(applicationView) bool) error {
	return c.awaitObject(ctx, ref, wanted, func(obj *unstructured.Unstructured) (bool, error) {
		view, err := viewOf(obj)
		return err == nil && met(view), err
	})
}

func (c *Client) awaitObject(
	ctx context.Context, ref Resource, wanted string, met func(*unstructured.Unstructured) (bool, error),
) error {
	last := &unstructured.Unstructured{}
	err := listwatch.Follow(ctx, c.kube, listwatch.Selection{
		Kind: argoapp.Kind(ref.Kind), Namespace: ref.Namespace,
		Options: []client.ListOption{client.MatchingFields{"metadata.name": ref.Name}},
	}, listwatch.Follower{
		Listed: func(items []unstructured.Unstructured) (bool, error) {
			if len(items) == 0 {
				return false, notFound(ref)
			}
			last = &items[0]
			return met(last)
		},
		Changed: func(kind watch.EventType, obj *unstructured.Unstructured) (bool, error) {
			if kind == watch.Deleted {
				return false, notFound(ref)
			}
			last = obj
			return met(last)
		},
	})
	if err == nil || ctx.Err() == nil {
		return err
	}
	unmet := Unmet{Namespace: ref.Namespace, Name: ref.Name, Conditions: []string{wanted}}
	if app, readErr := argoapp.Read(last); readErr == nil && last.Object != nil {
		status := statusOf(app)
		unmet.Status = &status
	}
	return &WaitError{Unmet: []Unmet{unmet}, cause: err}
}
