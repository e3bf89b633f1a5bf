package gitops

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// validateRaw checks what can be checked of a fragment in upstream form: that it is JSON, and the syntax of the
// templates in it.
func validateRaw(path *field.Path, raw map[string]any, texts texts) field.ErrorList {
	encoded, err := object.Encode(raw)
	if err != nil {
		return field.ErrorList{field.Invalid(path, keys(raw), err.Error())}
	}
	return validateStrings(path, encoded, texts)
}

func validateStrings(path *field.Path, value any, texts texts) field.ErrorList {
	var faults field.ErrorList
	switch typed := value.(type) {
	case map[string]any:
		for _, key := range keys(typed) {
			faults = append(faults, validateStrings(path.Key(key), typed[key], texts)...)
		}
	case []any:
		for i, item := range typed {
			faults = append(faults, validateStrings(path.Index(i), item, texts)...)
		}
	case string:
		faults = texts.text(path, typed)
	}
	return faults
}

func keys[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }
