package eventing

import (
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SecretKey selects one key of a Secret in the namespace of the object that
// refers to it. Objects carry only the reference, never the value.
type SecretKey struct {
	// Name of the Secret. Required.
	Name string
	// Key within the Secret. Required.
	Key string
}

func (s SecretKey) validate(path *field.Path) field.ErrorList {
	faults := object.Name(path.Child("name"), s.Name)
	if s.Key == "" {
		return append(faults, field.Required(path.Child("key"), ""))
	}
	return append(faults, invalidValue(path.Child("key"), s.Key, validation.IsConfigMapKey(s.Key))...)
}

// validateOptional checks a reference that may be missing.
func (s *SecretKey) validateOptional(path *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	return s.validate(path)
}

// selector is upstream's form, or nothing for no key.
func (s *SecretKey) selector() map[string]any {
	if s == nil {
		return nil
	}
	return map[string]any{"name": s.Name, "key": s.Key}
}
