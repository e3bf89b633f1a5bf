package gitops

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// guard guards one owner. A sync of the owner that began before does not know the option; it is waited for, because its
// retries could still undo the rollback.
func (r *rollbackRun) guard(ctx context.Context, o ownership) error {
	owner, err := r.client.get(ctx, o.owner)
	if err != nil {
		return err
	}
	patch, err := r.guardPatch(ctx, o, owner)
	if err != nil {
		return err
	}
	if patch != nil {
		r.request.report(RollbackGuard, o.owner, false)
		owner, err = r.client.patch(ctx, o.owner, func(obj *unstructured.Unstructured) (map[string]any, error) {
			return r.guardPatch(ctx, o, obj)
		})
		if err != nil {
			return err
		}
		r.request.report(RollbackGuard, o.owner, true)
	}
	if syncsRegardless(owner) {
		const wanted = "done with the sync that began before the guard"
		err = r.client.awaitObject(ctx, o.owner, wanted, func(obj *unstructured.Unstructured) (bool, error) {
			return !syncsRegardless(obj), nil
		})
	}
	return err
}

// guardPatch returns nil when the owner is guarded. A direct owner remembers automated sync too.
func (r *rollbackRun) guardPatch(ctx context.Context, o ownership, owner *unstructured.Unstructured) (map[string]any, error) {
	records, err := guardRecordsOf(owner)
	if err != nil {
		return nil, err
	}
	var noted json.RawMessage
	if _, known := records[r.holder()]; !known && slices.Contains(o.objects, r.application) {
		obj, err := r.client.get(ctx, r.application)
		if err != nil {
			return nil, err
		}
		view, err := viewOf(obj)
		if err != nil {
			return nil, err
		}
		noted = view.automated
	}
	return guardPatch(owner, r.holder(), r.chain.guardOf(o, r.application), noted)
}

// tryGuard reports whether the owner is guarded already. If not, it lets the API server say whether it could be.
func (r *rollbackRun) tryGuard(ctx context.Context, o ownership) (bool, error) {
	changes := false
	owner, err := r.client.patch(ctx, o.owner, func(obj *unstructured.Unstructured) (map[string]any, error) {
		patch, err := r.guardPatch(ctx, o, obj)
		changes = patch != nil
		return patch, err
	}, client.DryRunAll)
	fault := &UnguardableOwnerError{Owner: o.owner, Object: o.objects[0]}
	switch {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsNotFound(err):
		fault.Reason, fault.Cause = "the API server refuses the guard", err
		return false, fault
	case err != nil:
		return false, err
	case !r.chain.guardOf(o, r.application).isIn(owner):
		list := keys(r.chain.guardOf(o, r.application))[0]
		fault.Reason = fmt.Sprintf("the API server drops spec.%s; update Argo CD's CRDs", list)
		return false, fault
	}
	return !changes, nil
}

// syncsRegardless reports whether an Application is being synced without respect for ignored differences.
func syncsRegardless(owner *unstructured.Unstructured) bool {
	if _, found := owner.Object["operation"]; !found || owner.GetKind() != kindApplication {
		return false
	}
	options, _, _ := unstructured.NestedStringSlice(owner.Object, "operation", "sync", "syncOptions")
	return !slices.Contains(options, respectIgnored)
}
