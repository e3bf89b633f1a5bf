package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ForEachCheck asks for what has to hold of each element of lists.
type ForEachCheck struct {
	// Each is a list and what its elements have to hold to. At least one.
	Each []ForEachValidation
}

// ForEachValidation is a list and what its elements have to hold to. They are in the variable element, which is counted
// in elementIndex; in nested lists element0 is that of the outermost.
type ForEachValidation struct {
	// List is a JMESPath expression that yields the list: "request.object.spec.containers". Required.
	List string
	// Context are variables of each element.
	Context []ContextEntry
	// Preconditions select elements. Default: all.
	Preconditions Conditions
	// Check of each element: PatternCheck, AnyPatternCheck, DenyCheck or ForEachCheck. Required.
	Check ElementCheck
	// WholeObject holds the whole object, not the element, to a pattern (elementScope: false). Default: false.
	WholeObject bool
}

// deepestNesting of lists and attestors, beyond which a value is taken for one that holds itself.
const deepestNesting = 16

func validateNesting(path *field.Path, depth int) field.ErrorList {
	if depth < deepestNesting {
		return nil
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf("it is nested more than %d levels deep", deepestNesting))}
}

func (c ForEachCheck) validateCheck(path *field.Path, depth int) field.ErrorList {
	each := path.Child("each")
	if faults := validateNesting(each, depth); len(faults) > 0 {
		return faults
	}
	var faults field.ErrorList
	if len(c.Each) == 0 {
		faults = append(faults, field.Required(each, ""))
	}
	for i, item := range c.Each {
		faults = append(faults, item.validate(each.Index(i), depth)...)
	}
	return faults
}

func (v ForEachValidation) validate(path *field.Path, depth int) field.ErrorList {
	faults := object.RequiredText(path.Child("list"), v.List)
	faults = append(faults, validateContext(path.Child("context"), v.Context)...)
	faults = append(faults, v.Preconditions.validate(path.Child("preconditions"))...)
	if object.IsNil(v.Check) {
		return append(faults, field.Required(path.Child("check"), "it says what has to hold of each element"))
	}
	return append(faults, v.Check.validateCheck(path.Child("check"), depth+1)...)
}

func (c ForEachCheck) buildCheck() (string, any) {
	out := make([]any, len(c.Each))
	for i, item := range c.Each {
		fields := object.Compact(map[string]any{
			"list": item.List, "context": buildContext(item.Context), "preconditions": item.Preconditions.build(),
		})
		setFalse(fields, "elementScope", item.WholeObject)
		name, check := item.Check.buildCheck()
		fields[name] = check
		out[i] = fields
	}
	return "foreach", out
}

func (ForEachCheck) ofElement() {}
