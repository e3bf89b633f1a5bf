package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Conditions compare values. One of Any has to be true, if there are any, and all of All.
type Conditions struct {
	Any []Condition
	All []Condition
}

// Condition compares a key with a value.
type Condition struct {
	// Key is what is compared, mostly a variable: "{{ request.object.spec.replicas }}". Required.
	Key any
	// Operator that compares. Required.
	Operator Operator
	// Value to compare with, or a list of them. Required; it can be false, 0 or "".
	Value any
	// Message where the condition denies. Default: none.
	Message string
}

// Operator compares a key with a value.
type Operator string

// The operators of conditions. Those on lists hold for a text in place of a list as well, in which "*" and "?" are
// wildcards; those on durations take texts such as "5m" and numbers of seconds.
const (
	Equals                      Operator = "Equals"
	NotEquals                   Operator = "NotEquals"
	AnyIn                       Operator = "AnyIn"
	AllIn                       Operator = "AllIn"
	AnyNotIn                    Operator = "AnyNotIn"
	AllNotIn                    Operator = "AllNotIn"
	GreaterThanOrEquals         Operator = "GreaterThanOrEquals"
	GreaterThan                 Operator = "GreaterThan"
	LessThanOrEquals            Operator = "LessThanOrEquals"
	LessThan                    Operator = "LessThan"
	DurationGreaterThanOrEquals Operator = "DurationGreaterThanOrEquals"
	DurationGreaterThan         Operator = "DurationGreaterThan"
	DurationLessThanOrEquals    Operator = "DurationLessThanOrEquals"
	DurationLessThan            Operator = "DurationLessThan"
)

// operators are those of every API version of the group; In and NotIn are deprecated.
var operators = []Operator{
	Equals, NotEquals, AnyIn, AllIn, AnyNotIn, AllNotIn, GreaterThanOrEquals, GreaterThan, LessThanOrEquals, LessThan,
	DurationGreaterThanOrEquals, DurationGreaterThan, DurationLessThanOrEquals, DurationLessThan,
}

func (c Conditions) isEmpty() bool { return len(c.Any)+len(c.All) == 0 }

func (c Conditions) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, condition := range c.Any {
		faults = append(faults, condition.validate(path.Child("any").Index(i))...)
	}
	for i, condition := range c.All {
		faults = append(faults, condition.validate(path.Child("all").Index(i))...)
	}
	return faults
}

// kyverno: pkg/validation/policy/validate.go, validateConditionValues
func (c Condition) validate(path *field.Path) field.ErrorList {
	faults := validateValue(path.Child("key"), c.Key)
	if c.Operator == "" {
		faults = append(faults, field.Required(path.Child("operator"), ""))
	}
	faults = append(faults, validateChoice(path.Child("operator"), c.Operator, operators...)...)
	faults = append(faults, validateValue(path.Child("value"), c.Value)...)
	if key, isText := c.Key.(string); isText && strings.ReplaceAll(key, " ", "") == "{{request.operation}}" {
		faults = append(faults, validateOperationValue(path.Child("value"), c.Value)...)
	}
	return append(faults, object.Text(path.Child("message"), c.Message)...)
}

// validateOperationValue checks what the operation of a request is compared with: an operation, a list of them, or a
// variable.
// kyverno: pkg/validation/policy/validate.go, validateConditionValuesKeyRequestOperation
func validateOperationValue(path *field.Path, value any) field.ErrorList {
	if object.IsNil(value) {
		return nil
	}
	known := func(at *field.Path, item any) field.ErrorList {
		if text, isText := item.(string); isText && slices.Contains(operations, text) {
			return nil
		}
		return field.ErrorList{field.NotSupported(at, fmt.Sprint(item), operations)}
	}
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice {
		if text, isText := value.(string); isText && len(text) > 3 && strings.HasPrefix(text, "{{") && strings.HasSuffix(text, "}}") {
			return nil
		}
		return known(path, value)
	}
	var faults field.ErrorList
	for i := range list.Len() {
		faults = append(faults, known(path.Index(i), list.Index(i).Interface())...)
	}
	return faults
}

func (c Conditions) build() map[string]any {
	return object.Compact(map[string]any{"any": buildConditions(c.Any), "all": buildConditions(c.All)})
}

func buildConditions(conditions []Condition) []any {
	out := make([]any, len(conditions))
	for i, condition := range conditions {
		fields := map[string]any{"key": condition.Key, "operator": condition.Operator, "value": condition.Value}
		if condition.Message != "" {
			fields["message"] = condition.Message
		}
		out[i] = fields
	}
	return out
}
