package eventing

import (
	"github.com/itchyny/gojq"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Transform replaces the data of an event before filters and triggers see it:
// [JQ] or [Script]. Both start from an object and must end with one; an event for
// which they do not is dropped.
type Transform interface {
	validateTransform(path *field.Path) field.ErrorList
	transform() map[string]any
}

// JQ transforms with a program of jq, in the dialect of
// github.com/itchyny/gojq. The first value it returns counts.
type JQ struct {
	// Program is required, for example "{ref: .body.ref}".
	Program string
}

// Script transforms with a Lua script, which returns a table. The event data is
// the table event.
type Script struct {
	// Lua is the text of the script. Required.
	Lua string
}

func (j JQ) validateTransform(path *field.Path) field.ErrorList {
	path = path.Child("program")
	if faults := object.RequiredText(path, j.Program); len(faults) > 0 {
		return faults
	}
	program, err := gojq.Parse(j.Program)
	if err == nil {
		_, err = gojq.Compile(program)
	}
	if err != nil {
		return field.ErrorList{field.Invalid(path, j.Program, err.Error())}
	}
	return nil
}

func (j JQ) transform() map[string]any { return map[string]any{"jq": j.Program} }

func (s Script) validateTransform(path *field.Path) field.ErrorList {
	return object.RequiredText(path.Child("lua"), s.Lua)
}

func (s Script) transform() map[string]any { return map[string]any{"script": s.Lua} }

func validateTransform(path *field.Path, transform Transform) field.ErrorList {
	if object.IsNil(transform) {
		return nil
	}
	return transform.validateTransform(path)
}

func transformSpec(transform Transform) map[string]any {
	if object.IsNil(transform) {
		return nil
	}
	return transform.transform()
}
