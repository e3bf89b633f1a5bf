package main

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/apply"
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
	return apply.Objects(ctx, f.client, fieldManager, objects...)
}
