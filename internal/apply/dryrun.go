package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// DryRun returns what Objects would make of the object, as the API server and its admission see it, and writes nothing.
func DryRun(ctx context.Context, c client.Client, owner string, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	raw, err := obj.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("try to apply %s: %w", name(obj), err)
	}
	result := obj.DeepCopy()
	patch := client.RawPatch(types.ApplyPatchType, raw)
	if err := c.Patch(ctx, result, patch, client.FieldOwner(owner), client.ForceOwnership, client.DryRunAll); err != nil {
		return nil, fmt.Errorf("try to apply %s: %w", name(obj), err)
	}
	return result, nil
}
