package object

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// New returns an object of the kind with the metadata and the content (its other top-level fields, such as "spec").
// Everything is copied; empty metadata fields are left out. The content must come from Encode.
func New(gvk schema.GroupVersionKind, meta Meta, content map[string]any) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	for key, value := range content {
		obj.Object[key] = cloneValue(value)
	}
	obj.SetGroupVersionKind(gvk)
	meta.applyTo(obj)
	return obj
}

// Encode returns the JSON form of a value (a struct with JSON tags, or a map a user wrote) as a fresh map without
// nulls. Empty objects and lists stay, because `podSelector: {}` has a meaning: leave a field out with omitempty or a
// nil. It fails on what JSON cannot express, such as a channel or a cyclic value.
func Encode(value any) (map[string]any, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", value, err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("encode %T: %w", value, err)
	}
	dropNulls(out)
	return out, nil
}

// FromTyped turns a typed upstream object (with its TypeMeta set) into an unstructured one without its status and
// without nulls such as creationTimestamp.
func FromTyped(typed any) (*unstructured.Unstructured, error) {
	content, err := Encode(typed)
	if err != nil {
		return nil, err
	}
	delete(content, "status")
	return &unstructured.Unstructured{Object: content}, nil
}

// Invalid returns nil when there is no fault, otherwise an error for which apierrors.IsInvalid holds, the same kind a
// server's rejection has.
func Invalid(kind schema.GroupKind, name string, faults field.ErrorList) error {
	if len(faults) == 0 {
		return nil
	}
	return apierrors.NewInvalid(kind, name, faults)
}

func dropNulls(value any) {
	switch typed := value.(type) {
	case map[string]any:
		for key, item := range typed {
			if item == nil {
				delete(typed, key)
				continue
			}
			dropNulls(item)
		}
	case []any:
		for _, item := range typed {
			dropNulls(item)
		}
	}
}

func cloneValue(value any) any {
	switch typed := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(typed))
		for key, item := range typed {
			out[key] = cloneValue(item)
		}
		return out
	case []any:
		out := make([]any, len(typed))
		for i, item := range typed {
			out[i] = cloneValue(item)
		}
		return out
	default:
		return value
	}
}
