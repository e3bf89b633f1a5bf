package eventing

import (
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// DataFilter is a condition on one value of the event data: [StringIn],
// [StringNotIn], [StringMatches], [Number], [NumberIn], [Bool] or
// [RawDataFilter].
//
// Its path is a series of keys separated by dots, with an index for an element
// of an array, in the syntax of github.com/tidwall/gjson. An event without a
// value at the path does not match, whatever the filter.
//
// Its template, if any, makes another text of the value before the comparison: a
// Go template with the sprig functions in which .Input is the value. An event for
// which the text is empty does not match.
type DataFilter interface {
	validateDataFilter(path *field.Path) field.ErrorList
	dataFilter() map[string]any
}

// StringIn matches when the whole value equals one of Values.
type StringIn struct {
	Path     string
	Template string
	Values   []string
}

// StringNotIn matches when the value equals none of Values.
type StringNotIn struct {
	Path     string
	Template string
	Values   []string
}

// StringMatches matches when Pattern, a regular expression of Go's regexp
// package, is found anywhere in the value; anchor it with ^ and $ to match the
// whole value.
type StringMatches struct {
	Path     string
	Template string
	Pattern  string
}

// Number matches when the value stands in relation Is to Value.
type Number struct {
	Path     string
	Template string
	// Is compares the event's value, on the left, with Value. Default: Equal.
	Is    Comparator
	Value float64
}

// NumberIn matches when the value equals one of Values.
type NumberIn struct {
	Path     string
	Template string
	Values   []float64
}

// Bool matches when the value equals Value. Upstream takes a value that is no
// boolean for false.
type Bool struct {
	Path     string
	Template string
	Value    bool
}

// RawDataFilter is a data filter as upstream defines it.
type RawDataFilter struct {
	// Filter is an element of filters.data, with path, type and value.
	Filter map[string]any
}

// Comparator relates two numbers.
type Comparator string

// The comparators of upstream.
const (
	Equal          Comparator = "="
	NotEqual       Comparator = "!="
	Less           Comparator = "<"
	LessOrEqual    Comparator = "<="
	Greater        Comparator = ">"
	GreaterOrEqual Comparator = ">="
)

var comparators = []Comparator{Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual}

func (s StringIn) validateDataFilter(path *field.Path) field.ErrorList {
	return append(validateValue(path, s.Path, s.Template), requireValues(path.Child("values"), s.Values)...)
}

func (s StringIn) dataFilter() map[string]any {
	return comparison(s.Path, s.Template, "string", Equal, exactly(s.Values))
}

func (s StringNotIn) validateDataFilter(path *field.Path) field.ErrorList {
	return append(validateValue(path, s.Path, s.Template), requireValues(path.Child("values"), s.Values)...)
}

func (s StringNotIn) dataFilter() map[string]any {
	return comparison(s.Path, s.Template, "string", NotEqual, exactly(s.Values))
}

func (s StringMatches) validateDataFilter(path *field.Path) field.ErrorList {
	return append(validateValue(path, s.Path, s.Template), validatePattern(path.Child("pattern"), s.Pattern)...)
}

func (s StringMatches) dataFilter() map[string]any {
	return comparison(s.Path, s.Template, "string", Equal, s.Pattern)
}

func (n Number) validateDataFilter(path *field.Path) field.ErrorList {
	faults := validateValue(path, n.Path, n.Template)
	faults = append(faults, oneOf(path.Child("is"), n.Is, comparators)...)
	return append(faults, validateNumber(path.Child("value"), n.Value)...)
}

func (n Number) dataFilter() map[string]any {
	return comparison(n.Path, n.Template, "number", n.Is, formatNumber(n.Value))
}

func (n NumberIn) validateDataFilter(path *field.Path) field.ErrorList {
	faults := validateValue(path, n.Path, n.Template)
	if len(n.Values) == 0 {
		faults = append(faults, field.Required(path.Child("values"), "at least one value is required"))
	}
	for i, value := range n.Values {
		faults = append(faults, validateNumber(path.Child("values").Index(i), value)...)
	}
	return faults
}

func (n NumberIn) dataFilter() map[string]any {
	values := make([]string, 0, len(n.Values))
	for _, value := range n.Values {
		values = append(values, formatNumber(value))
	}
	return comparison(n.Path, n.Template, "number", Equal, values...)
}

func (b Bool) validateDataFilter(path *field.Path) field.ErrorList {
	return validateValue(path, b.Path, b.Template)
}

func (b Bool) dataFilter() map[string]any {
	return comparison(b.Path, b.Template, "bool", Equal, strconv.FormatBool(b.Value))
}

func (r RawDataFilter) validateDataFilter(path *field.Path) field.ErrorList {
	return object.RequiredFragment(path.Child("filter"), r.Filter)
}

func (r RawDataFilter) dataFilter() map[string]any { return r.Filter }

// exactly returns a pattern for the whole of one of the values. One pattern is
// right for both comparators: upstream combines several values of a string
// filter with OR, even those of "!=", which would then always match.
func exactly(values []string) string {
	quoted := make([]string, 0, len(values))
	for _, value := range values {
		quoted = append(quoted, regexp.QuoteMeta(value))
	}
	return "^(?:" + strings.Join(quoted, "|") + ")$"
}

// validateValue checks what selects the value that a filter looks at.
func validateValue(path *field.Path, selector, template string) field.ErrorList {
	return append(object.RequiredText(path.Child("path"), selector), validateTemplate(path.Child("template"), template)...)
}

func validateNumber(path *field.Path, number float64) field.ErrorList {
	if !finite(number) {
		return field.ErrorList{field.Invalid(path, formatNumber(number), "must be a finite number")}
	}
	return nil
}

// comparison leaves out the comparator that upstream takes for the default.
func comparison(path, template, kind string, comparator Comparator, values ...string) map[string]any {
	filter := map[string]any{"path": path, "type": kind, "value": values}
	if template != "" {
		filter["template"] = template
	}
	if comparator != "" && comparator != Equal {
		filter["comparator"] = comparator
	}
	return filter
}

func requireValues(path *field.Path, values []string) field.ErrorList {
	if len(values) == 0 {
		return field.ErrorList{field.Required(path, "at least one value is required")}
	}
	var faults field.ErrorList
	for i, value := range values {
		faults = append(faults, object.Text(path.Index(i), value)...)
	}
	return faults
}

func formatNumber(number float64) string {
	return strconv.FormatFloat(number, 'g', -1, 64)
}
