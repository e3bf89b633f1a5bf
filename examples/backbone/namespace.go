package main

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ownership are the labels that the platform asks of every namespace.
var ownership = map[string]string{"owner": "platform-team"}

func namespace(name string, labels map[string]string) *unstructured.Unstructured {
	object := newObject("v1", "Namespace", "", name)
	object.SetLabels(labels)
	return object
}

// applyNamespace makes a namespace that the platform's policies admit.
func (f *flow) applyNamespace(ctx context.Context, name string) error {
	return f.applyObjects(ctx, namespace(name, ownership))
}
