package eventing

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Filters decide whether an event counts for a [Dependency]. The zero value
// lets every event through.
type Filters struct {
	// Data filters look at the data of the event. All must match.
	Data []DataFilter
}

// DataFilter is a condition on one value of the event data: [StringIn],
// [StringNotIn], [StringMatches], [Number], [Bool] or [RawDataFilter].
//
// Its path is a series of keys separated by dots, with an index for an element
// of an array, in the syntax of github.com/tidwall/gjson. An event without a
// value at the path does not match, whatever the filter.
type DataFilter interface {
	validateDataFilter(path *field.Path) field.ErrorList
	dataFilter() map[string]any
}

// StringIn matches when the whole value equals one of Values.
type StringIn struct {
	Path   string
	Values []string
}

// StringNotIn matches when the value equals none of Values.
type StringNotIn struct {
	Path   string
	Values []string
}

// StringMatches matches when Pattern, a regular expression of Go's regexp
// package, is found anywhere in the value; anchor it with ^ and $ to match the
// whole value.
type StringMatches struct {
	Path    string
	Pattern string
}

// Number matches when the value stands in relation Is to Value.
type Number struct {
	Path string
	// Is compares the event's value, on the left, with Value. Default: Equal.
	Is    Comparator
	Value float64
}

// Bool matches when the value equals Value. Upstream takes a value that is no
// boolean for false.
type Bool struct {
	Path  string
	Value bool
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

func (f Filters) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, filter := range f.Data {
		at := path.Child("data").Index(i)
		if object.IsNil(filter) {
			faults = append(faults, field.Required(at, "a filter must not be nil"))
			continue
		}
		faults = append(faults, filter.validateDataFilter(at)...)
	}
	return faults
}

// spec returns nil when there is no filter.
func (f Filters) spec() map[string]any {
	if len(f.Data) == 0 {
		return nil
	}
	data := make([]any, 0, len(f.Data))
	for _, filter := range f.Data {
		data = append(data, filter.dataFilter())
	}
	return map[string]any{"data": data}
}

func (s StringIn) validateDataFilter(path *field.Path) field.ErrorList {
	return append(object.RequiredText(path.Child("path"), s.Path), requireValues(path.Child("values"), s.Values)...)
}

func (s StringIn) dataFilter() map[string]any {
	return comparison(s.Path, "string", Equal, exactly(s.Values))
}

func (s StringNotIn) validateDataFilter(path *field.Path) field.ErrorList {
	return append(object.RequiredText(path.Child("path"), s.Path), requireValues(path.Child("values"), s.Values)...)
}

func (s StringNotIn) dataFilter() map[string]any {
	return comparison(s.Path, "string", NotEqual, exactly(s.Values))
}

func (s StringMatches) validateDataFilter(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("path"), s.Path)
	if s.Pattern == "" {
		return append(faults, field.Required(path.Child("pattern"), ""))
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		faults = append(faults, field.Invalid(path.Child("pattern"), s.Pattern, err.Error()))
	}
	return faults
}

func (s StringMatches) dataFilter() map[string]any {
	return comparison(s.Path, "string", Equal, s.Pattern)
}

func (n Number) validateDataFilter(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("path"), n.Path)
	if n.Is != "" && !slices.Contains(comparators, n.Is) {
		faults = append(faults, field.NotSupported(path.Child("is"), n.Is, comparators))
	}
	if !finite(n.Value) {
		faults = append(faults, field.Invalid(path.Child("value"), formatNumber(n.Value), "must be a finite number"))
	}
	return faults
}

func (n Number) dataFilter() map[string]any {
	return comparison(n.Path, "number", n.Is, formatNumber(n.Value))
}

func (b Bool) validateDataFilter(path *field.Path) field.ErrorList {
	return object.RequiredText(path.Child("path"), b.Path)
}

func (b Bool) dataFilter() map[string]any {
	return comparison(b.Path, "bool", Equal, strconv.FormatBool(b.Value))
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

// comparison leaves out the comparator that upstream takes for the default.
func comparison(path, kind string, comparator Comparator, value string) map[string]any {
	filter := map[string]any{"path": path, "type": kind, "value": []string{value}}
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
