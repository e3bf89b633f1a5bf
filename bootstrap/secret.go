package bootstrap

import (
	"encoding/base64"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var secretKind = schema.GroupKind{Kind: "Secret"}

// checkSecret refuses values that an API server would quote in its error, such
// as a number where a string belongs, without quoting them.
func checkSecret(at *field.Path, object *unstructured.Unstructured) field.ErrorList {
	if object.GroupVersionKind().GroupKind() != secretKind {
		return nil
	}
	var faults field.ErrorList
	for _, name := range []string{"data", "stringData"} {
		path := at.Child(name)
		values, isMap := object.Object[name].(map[string]any)
		if !isMap && object.Object[name] != nil {
			faults = append(faults, field.Invalid(path, field.OmitValueType{}, "must be an object"))
		}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			text, isText := values[key].(string)
			if !isText {
				faults = append(faults, field.Invalid(path.Key(key), field.OmitValueType{}, "must be a string: quote it"))
				continue
			}
			if _, err := base64.StdEncoding.DecodeString(text); name == "data" && err != nil {
				faults = append(faults, field.Invalid(path.Key(key), field.OmitValueType{}, "must be base64; plain text goes into stringData"))
			}
		}
	}
	return faults
}

// withoutSecretValues blanks the values, not the keys, of a Secret.
func withoutSecretValues(object *unstructured.Unstructured) *unstructured.Unstructured {
	if object.GroupVersionKind().GroupKind() != secretKind {
		return object
	}
	object = object.DeepCopy()
	for _, name := range []string{"data", "stringData"} {
		values, _ := object.Object[name].(map[string]any)
		for key := range values {
			values[key] = ""
		}
	}
	return object
}
