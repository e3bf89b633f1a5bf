package bootstrap

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Source gives the objects of a component.
//
// Objects is called once per Run or Diff, before anything is written, so it
// cannot depend on what the plan installs. The same input should give the same
// objects: a difference in anything but a Secret's values counts as a wish to
// upgrade. The caller does not change the objects it gets.
type Source interface {
	Objects(ctx context.Context) ([]*unstructured.Unstructured, error)
}

// Objects is a Source of objects made in Go, for example by the builders of
// this module.
func Objects(objects ...*unstructured.Unstructured) Source {
	return objectSource(objects)
}

type objectSource []*unstructured.Unstructured

func (s objectSource) Objects(context.Context) ([]*unstructured.Unstructured, error) {
	return s, nil
}

// Sources is the Source that gives the objects of several others, in order.
// Nothing may be in two of them.
type Sources []Source

// Objects implements Source.
func (s Sources) Objects(ctx context.Context) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for i, source := range s {
		if source == nil {
			return nil, fmt.Errorf("source %d of %d is nil", i+1, len(s))
		}
		objects, err := source.Objects(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}
