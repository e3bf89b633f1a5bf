package policy

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// buildClassic returns an object of the older generation from its valid spec. Nulls of patterns and patches stay: they
// remove fields, or ask for their absence.
func buildClassic(
	kind schema.GroupVersionKind, meta object.Meta, spec, raw map[string]any,
) (*unstructured.Unstructured, error) {
	merged, err := withRaw(spec, raw)
	if err != nil {
		return nil, fmt.Errorf("build %s %s: %w", kind.Kind, meta.Name, err)
	}
	return object.New(kind, meta, map[string]any{"spec": merged}), nil
}

// withRaw returns the JSON form of fields with a fragment merged over them. Neither is changed.
func withRaw(fields, raw map[string]any) (map[string]any, error) {
	encoded, err := encodeRaw(fields)
	if err != nil {
		return nil, err
	}
	fragment, err := encodeRaw(raw)
	if err != nil {
		return nil, err
	}
	mergeRaw(encoded, fragment)
	return encoded, nil
}

// validateValue reports a value that is missing or that JSON cannot express. It is not repeated: it may hold anything.
func validateValue(path *field.Path, value any) field.ErrorList {
	if object.IsNil(value) {
		return field.ErrorList{field.Required(path, "")}
	}
	if _, err := encodeRaw(map[string]any{"value": value}); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return nil
}

// validateOptional is validateValue for what may be left out.
func validateOptional(path *field.Path, value any) field.ErrorList {
	if object.IsNil(value) {
		return nil
	}
	return validateValue(path, value)
}

// validateTexts reports empty items and those that JSON could not carry unchanged.
func validateTexts(path *field.Path, texts []string) field.ErrorList {
	var faults field.ErrorList
	for i, text := range texts {
		faults = append(faults, object.RequiredText(path.Index(i), text)...)
	}
	return faults
}

// validateTextMap reports empty keys, and keys and values that JSON could not carry unchanged.
func validateTextMap(path *field.Path, texts map[string]string) field.ErrorList {
	var faults field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		faults = append(faults, object.RequiredText(path, key)...)
		faults = append(faults, object.Text(path.Key(key), texts[key])...)
	}
	return faults
}

// setValue sets a value that is there, be it false, 0 or "".
func setValue(fields map[string]any, name string, value any) {
	if !object.IsNil(value) {
		fields[name] = value
	}
}

// setFalse writes a switch that is on by default.
func setFalse(fields map[string]any, name string, off bool) {
	if off {
		fields[name] = false
	}
}
