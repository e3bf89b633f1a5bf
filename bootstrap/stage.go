package bootstrap

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// split gives the objects that others of the component may need in order to be
// accepted, and those others.
func split(objects []*unstructured.Unstructured) (first, rest []*unstructured.Unstructured) {
	for _, object := range objects {
		switch object.GroupVersionKind().GroupKind() {
		case definitionKind, namespaceKind:
			first = append(first, object)
		default:
			rest = append(rest, object)
		}
	}
	return first, rest
}

// place gives an object its namespace: the component's, when its kind is
// namespaced and it names none. The error is a meta.NoKindMatchError while the
// kind is not served.
func (s *session) place(component Component, object *unstructured.Unstructured) error {
	namespaced, err := s.scopes.namespaced(object.GroupVersionKind())
	switch {
	case err != nil:
		return err
	case !namespaced:
		// Manifests that were rendered for a namespace may name it everywhere.
		object.SetNamespace("")
	case object.GetNamespace() != "":
	case component.Namespace == "":
		return fmt.Errorf("%s is namespaced, but neither it nor its component names a namespace", refOf(object))
	default:
		object.SetNamespace(component.Namespace)
	}
	return nil
}

// placeAll places the objects of the whole plan, but for kinds that are not
// served yet: those are placed when they are applied.
func (s *session) placeAll(ctx context.Context, plan Plan, rendered []Rendered) error {
	index := plan.index()
	var faults []error
	for _, each := range rendered {
		component := plan.Components[index[each.Component]]
		for _, object := range each.Objects {
			err := retry(ctx, func(context.Context) error { return s.place(component, object) })
			if err != nil && !meta.IsNoMatchError(err) {
				faults = append(faults, fmt.Errorf("component %s: %w", component.Name, err))
			}
			if ctx.Err() != nil {
				return errors.Join(faults...)
			}
		}
	}
	return errors.Join(faults...)
}

// unplaced lists the objects without a namespace as if they were in the given
// one, where they will be if their kind turns out to be namespaced.
func unplaced(objects []*unstructured.Unstructured, namespace string) []ObjectRef {
	var refs []ObjectRef
	for _, object := range objects {
		if ref := refOf(object); ref.Namespace == "" {
			ref.Namespace = namespace
			refs = append(refs, ref)
		}
	}
	return refs
}
