// Package apply writes objects by server-side apply.
package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Objects applies the objects in order, as the field manager owner, and stops at the first error, which names the
// object. Ownership of a field that another manager set is taken over: the objects state what the platform means. The
// given objects stay as they are.
func Objects(ctx context.Context, c client.Client, owner string, objects ...*unstructured.Unstructured) error {
	for _, obj := range objects {
		raw, err := obj.MarshalJSON()
		if err != nil {
			return fmt.Errorf("apply %s: %w", name(obj), err)
		}
		// A raw patch, because the typed helpers for it differ between controller-runtime 0.21 and 0.25.
		patch := client.RawPatch(types.ApplyPatchType, raw)
		if err := c.Patch(ctx, obj.DeepCopy(), patch, client.FieldOwner(owner), client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s: %w", name(obj), err)
		}
	}
	return nil
}

func name(obj *unstructured.Unstructured) string {
	return obj.GetKind() + " " + client.ObjectKeyFromObject(obj).String()
}
