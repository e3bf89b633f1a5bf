package bootstrap

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keptKinds are never pruned: with them would go what others keep in them.
var keptKinds = []schema.GroupKind{definitionKind, namespaceKind, volumeClaimKind}

// prune deletes orphans and returns those it deleted and those it left.
func (s *session) prune(ctx context.Context, orphans []ObjectRef) (deleted, left []ObjectRef, err error) {
	for i, ref := range orphans {
		gone := false
		err := retry(ctx, func(ctx context.Context) (err error) {
			gone, err = s.pruneObject(ctx, ref)
			return err
		})
		switch {
		case err != nil:
			return deleted, append(left, orphans[i:]...), fmt.Errorf("prune %s: %w", ref, err)
		case gone:
			deleted = append(deleted, ref)
		default:
			left = append(left, ref)
		}
	}
	return deleted, left, nil
}

// pruneObject reports whether the object is gone. One that no longer carries
// our field manager belongs to somebody else now. The deletion holds for the
// very object that was looked at.
func (s *session) pruneObject(ctx context.Context, ref ObjectRef) (bool, error) {
	if slices.Contains(keptKinds, ref.GroupKind()) {
		return false, nil
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(ref.GroupVersionKind())
	err := s.api.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	ours := slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Operation == metav1.ManagedFieldsOperationApply && entry.Manager == s.options.FieldManager
	})
	if !ours {
		return false, nil
	}
	uid, version := object.GetUID(), object.GetResourceVersion()
	err = s.api.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: &uid, ResourceVersion: &version})
	return err == nil || apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}
