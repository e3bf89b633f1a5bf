package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NewObject is an object of which only the kind and the name are known; the namespace is empty for a cluster's own.
func NewObject(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// Await watches an object, which need not exist yet, until it satisfies the condition. The error after the limit says
// what its last status was.
func (f *Flow) Await(ctx context.Context, object *unstructured.Unstructured, limit time.Duration, condition func(*unstructured.Unstructured) bool) error {
	name := fmt.Sprintf("%s %s", object.GetKind(), client.ObjectKeyFromObject(object))
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s", limit))
	defer cancel()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(object.GroupVersionKind())
	// Without a resource version a watch begins with what exists.
	watch, err := f.Client.Watch(ctx, list, client.InNamespace(object.GetNamespace()),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", object.GetName())})
	if err != nil {
		return fmt.Errorf("watch %s: %w", name, err)
	}
	defer watch.Stop()
	seen := "it did not exist"
	for {
		select {
		case event, open := <-watch.ResultChan():
			if !open {
				return fmt.Errorf("watch %s: %w", name, context.Cause(ctx))
			}
			current, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				continue
			}
			if condition(current) {
				return nil
			}
			// Only the status: the rest may hold secrets.
			status, _ := json.Marshal(current.Object["status"])
			seen = fmt.Sprintf("its last status was %.3000s", status)
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; %s", name, context.Cause(ctx), seen)
		}
	}
}
