package flow

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/apply"
)

// FieldManager owns what the stages apply.
const FieldManager = "backbone-example"

// Builder is what every declarative value of the SDK has in common.
type Builder interface {
	Build() (*unstructured.Unstructured, error)
}

// Apply builds the values and applies them in their order.
func (f *Flow) Apply(ctx context.Context, values ...Builder) error {
	for _, value := range values {
		object, err := value.Build()
		if err != nil {
			return err
		}
		if err := f.ApplyObjects(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// ApplyObjects applies the objects in their order, up to the first that fails, which the error names.
func (f *Flow) ApplyObjects(ctx context.Context, objects ...*unstructured.Unstructured) error {
	return apply.Objects(ctx, f.Client, FieldManager, objects...)
}
