package object

import "reflect"

// Compact removes the entries that say nothing: nil, false, 0, "" and empty maps and lists. It returns the same map, so
// that a fragment can be written as one literal; an entry whose zero value means something is added afterwards.
func Compact(fields map[string]any) map[string]any {
	for key, value := range fields {
		if isEmpty(value) {
			delete(fields, key)
		}
	}
	return fields
}

// IsNil reports whether the value of an interface is nil or a nil pointer, map, slice or function in disguise, on which
// a method with a value receiver would panic.
func IsNil(value any) bool {
	if value == nil {
		return true
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Interface, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

func isEmpty(value any) bool {
	if value == nil {
		return true
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}
