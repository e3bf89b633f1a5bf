package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldManager owns what the stages apply.
const fieldManager = "backbone-example"

// builder is what every declarative value of the SDK has in common.
type builder interface {
	Build() (*unstructured.Unstructured, error)
}

// apply builds the values and applies them in their order.
func (f *flow) apply(ctx context.Context, values ...builder) error {
	for _, value := range values {
		object, err := value.Build()
		if err != nil {
			return err
		}
		if err := f.applyObjects(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func (f *flow) applyObjects(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := f.client.Patch(ctx, object, client.Apply, client.FieldOwner(fieldManager), client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), client.ObjectKeyFromObject(object), err)
		}
	}
	return nil
}
