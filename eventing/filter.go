package eventing

import (
	"regexp"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Filters decide whether an event counts for a [Dependency]. The zero value
// lets every event through. They see the event after its transformation.
type Filters struct {
	// Data filters look at single values of the event data. All must match, unless
	// AnyData is set.
	Data    []DataFilter
	AnyData bool
	// Exprs are expressions over several values of the event data. All must hold,
	// unless AnyExpr is set.
	Exprs   []Expr
	AnyExpr bool
	// Context compares the CloudEvents context. Default: not compared.
	Context *EventContext
	// Time is when the event may come. Default: always.
	Time *TimeWindow
	// Script is a Lua script that returns true for an event that counts. The event
	// data is the table event. An event for which it fails does not count.
	// Default: none.
	Script string
	// Any lets an event count when one of the kinds of filters lets it through.
	// Default: all must.
	Any bool
}

// Expr is an expression over values of the event data, in the language of
// github.com/Knetic/govaluate, for example "left < 10 && region == 'eu'".
type Expr struct {
	// Expression over the names in Values. Required.
	Expression string
	// Values maps the names in the expression, of letters, digits and underscores,
	// to paths in the syntax of github.com/tidwall/gjson. At least one is required.
	// An event without one of them does not match.
	Values map[string]string
}

// EventContext is what the CloudEvents context of an event must equal; empty
// fields are not compared. At least one is required.
type EventContext struct {
	// Type of the event: the field of the source in upstream's EventSource, for
	// example "webhook" or "github".
	Type string
	// Source is the name of the event source.
	Source string
	// Subject is the name of the event within the event source.
	Subject string
	// ContentType of the data: "application/json", whatever the source.
	ContentType string
}

// TimeWindow is a part of the day.
type TimeWindow struct {
	// Start and Stop of the window, such as "08:30:00". Required. An event at Start
	// is in the window, one at Stop is not. A Stop before Start is on the next day.
	Start string
	Stop  string
	// Timezone of the window, in the IANA time zone database. Default: UTC.
	Timezone string
}

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
	for i, expr := range f.Exprs {
		faults = append(faults, expr.validate(path.Child("exprs").Index(i))...)
	}
	faults = append(faults, f.Context.validate(path.Child("context"))...)
	faults = append(faults, f.Time.validate(path.Child("time"))...)
	return append(faults, object.Text(path.Child("script"), f.Script)...)
}

// spec returns nil when there is no filter.
func (f Filters) spec() map[string]any {
	data := make([]any, 0, len(f.Data))
	for _, filter := range f.Data {
		data = append(data, filter.dataFilter())
	}
	exprs := make([]any, 0, len(f.Exprs))
	for _, expr := range f.Exprs {
		exprs = append(exprs, expr.spec())
	}
	filters := object.Compact(map[string]any{
		"data": data, "exprs": exprs, "context": f.Context.spec(), "time": f.Time.spec(), "script": f.Script,
	})
	if len(data) > 0 && f.AnyData {
		filters["dataLogicalOperator"] = anyOperator
	}
	if len(exprs) > 0 && f.AnyExpr {
		filters["exprLogicalOperator"] = anyOperator
	}
	return filters
}

// anyOperator makes upstream content with one of several filters.
const anyOperator = "or"

// operator combines the kinds of filters; empty is upstream's default, all.
func (f Filters) operator() string {
	if f.Any && len(f.spec()) > 0 {
		return anyOperator
	}
	return ""
}

// exprName is a variable of govaluate.
var exprName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (e Expr) validate(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("expression"), e.Expression)
	values := path.Child("values")
	if len(e.Values) == 0 {
		faults = append(faults, field.Required(values, "at least one value is required"))
	}
	for _, name := range sortedKeys(e.Values) {
		faults = append(faults, matches(values.Key(name), name, exprName)...)
		faults = append(faults, object.RequiredText(values.Key(name), e.Values[name])...)
	}
	return faults
}

func (e Expr) spec() map[string]any {
	fields := make([]any, 0, len(e.Values))
	for _, name := range sortedKeys(e.Values) {
		fields = append(fields, map[string]any{"name": name, "path": e.Values[name]})
	}
	return map[string]any{"expr": e.Expression, "fields": fields}
}

func (c *EventContext) validate(path *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	if *c == (EventContext{}) {
		return field.ErrorList{field.Required(path, "at least one field is required")}
	}
	faults := object.Text(path.Child("type"), c.Type)
	faults = append(faults, object.Text(path.Child("source"), c.Source)...)
	faults = append(faults, object.Text(path.Child("subject"), c.Subject)...)
	return append(faults, object.Text(path.Child("contentType"), c.ContentType)...)
}

func (c *EventContext) spec() map[string]any {
	if c == nil {
		return nil
	}
	return object.Compact(map[string]any{
		"type": c.Type, "source": c.Source, "subject": c.Subject, "datacontenttype": c.ContentType,
	})
}

func (w *TimeWindow) validate(path *field.Path) field.ErrorList {
	if w == nil {
		return nil
	}
	faults := validateTimeOfDay(path.Child("start"), w.Start)
	faults = append(faults, validateTimeOfDay(path.Child("stop"), w.Stop)...)
	if len(faults) == 0 && w.Start == w.Stop {
		faults = append(faults, field.Invalid(path.Child("stop"), w.Stop, "must not equal start"))
	}
	return append(faults, validateTimezone(path.Child("timezone"), w.Timezone)...)
}

func validateTimeOfDay(path *field.Path, text string) field.ErrorList {
	if len(text) == len(time.TimeOnly) {
		if _, err := time.Parse(time.TimeOnly, text); err == nil {
			return nil
		}
	}
	return field.ErrorList{field.Invalid(path, text, "must be a time such as 08:30:00")}
}

func (w *TimeWindow) spec() map[string]any {
	if w == nil {
		return nil
	}
	return object.Compact(map[string]any{"start": w.Start, "stop": w.Stop, "timezone": w.Timezone})
}
