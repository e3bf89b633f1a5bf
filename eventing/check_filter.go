package eventing

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/Knetic/govaluate"
	"github.com/Masterminds/sprig/v3"
	"github.com/itchyny/gojq"
	"github.com/yuin/gopher-lua/parse"
)

// checkFilters finds filters that the controller refuses, that fail on every event, and that do not say what they seem to.
// argo-events: pkg/sensors/dependencies/filter.go, pkg/reconciler/sensor/validate.go
func checkFilters(dependency place) {
	filters := dependency.Child("filters")
	checkOperator(dependency.Child("filtersLogicalOperator"))
	checkOperator(filters.Child("dataLogicalOperator"))
	checkOperator(filters.Child("exprLogicalOperator"))
	for _, filter := range filters.Child("data").Items() {
		checkDataFilter(filter)
	}
	for _, filter := range filters.Child("exprs").Items() {
		checkExprFilter(filter)
	}
	checkContextFilter(filters.Child("context"))
	checkTimeFilter(filters.Child("time"))
	checkScript(filters.Child("script"))
}

func checkOperator(operator place) {
	if !slices.Contains([]string{"", "and", "or"}, operator.Text()) {
		operator.Report(checkLogicalOperator, "%q is neither and nor or", operator.Text())
	}
}

func checkDataFilter(filter place) {
	for _, field := range []string{"path", "type"} {
		if filter.Child(field).Text() == "" {
			filter.Child(field).Report(checkMissingField, "a data filter needs it")
		}
	}
	values := filter.Child("value").Items()
	if len(values) == 0 {
		filter.Child("value").Report(checkMissingField, "a data filter needs a value")
	}
	comparator := filter.Child("comparator")
	if comparator.Text() != "" && !slices.Contains(comparators, Comparator(comparator.Text())) {
		comparator.Report(checkComparator, "%q is no comparator", comparator.Text())
	}
	checkTemplate(filter.Child("template"))
	kind := filter.Child("type")
	for _, value := range values {
		if value.Text() == "" {
			value.Report(checkMissingField, "the controller refuses an empty value: write ^$ for an empty text")
			continue
		}
		switch kind.Text() {
		case "bool":
			if _, err := strconv.ParseBool(value.Text()); err != nil {
				value.Report(checkFilterValue, "%q is no boolean", value.Text())
			}
		case "number":
			if _, err := strconv.ParseFloat(value.Text(), 64); err != nil {
				value.Report(checkFilterValue, "%q is no number", value.Text())
			}
		case "string":
			checkPattern(value)
		}
	}
	switch is := Comparator(comparator.Text()); {
	case kind.Text() != "" && !slices.Contains([]string{"bool", "number", "string"}, kind.Text()):
		kind.Report(checkFilterType, "%q is none of bool, number and string", kind.Text())
	case is == "" || is == Equal:
	case kind.Text() == "bool":
		comparator.Report(checkIgnoredComparator, "a boolean is compared for equality whatever the comparator is")
	case kind.Text() == "string" && is != NotEqual:
		comparator.Report(checkIgnoredComparator, "no string is %s another for Argo Events, so the filter never matches", is)
	case is == NotEqual && len(values) > 1:
		comparator.Report(checkNotEqualAny, "it matches what differs from any of the %d values, which everything does", len(values))
	}
}

// checkPattern looks at the value of a string filter, which is a regular expression that is searched for.
func checkPattern(value place) {
	if _, err := regexp.Compile(value.Text()); err != nil {
		value.Report(checkExpression, "%v", err)
		return
	}
	if !strings.HasPrefix(value.Text(), "^") || !strings.HasSuffix(value.Text(), "$") {
		value.Report(checkUnanchored, "%q is found anywhere in the value, as in %q", value.Text(), "x"+value.Text()+"x")
	}
}

func checkTemplate(text place) {
	if _, err := template.New("").Funcs(sprig.FuncMap()).Parse(text.Text()); err != nil {
		text.Report(checkExpression, "%v", err)
	}
}

// checkExprFilter compiles an expression in the language of govaluate.
func checkExprFilter(filter place) {
	text := filter.Child("expr")
	fields := filter.Child("fields").Items()
	switch {
	case text.Text() == "":
		text.Report(checkMissingField, "an expression filter needs it")
		return
	case len(fields) == 0:
		filter.Child("fields").Report(checkMissingField, "an expression without fields is not looked at")
		return
	}
	known := map[string]bool{}
	for _, field := range fields {
		known[field.Child("name").Text()] = true
		for _, name := range []string{"name", "path"} {
			if field.Child(name).Text() == "" {
				field.Child(name).Report(checkMissingField, "a field needs it")
			}
		}
	}
	expression, err := compileGovaluate(text.Text())
	if err != nil {
		text.Report(checkExpression, "%v", err)
		return
	}
	for _, variable := range expression.Vars() {
		if !known[variable] {
			text.Report(checkExprVariable, "no field is named %q", variable)
		}
	}
}

// compileGovaluate turns a panic of the parser into an error.
func compileGovaluate(text string) (expression *govaluate.EvaluableExpression, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("the parser crashes: %v", value)
		}
	}()
	return govaluate.NewEvaluableExpression(text)
}

// checkContextFilter finds fields that are never compared.
func checkContextFilter(context place) {
	if !context.Present() {
		return
	}
	compared := []string{"type", "subject", "source", "datacontenttype"}
	compares := false
	for _, name := range context.Keys() {
		switch {
		case slices.Contains(compared, name):
			compares = compares || !context.Child(name).Empty()
		case !context.Child(name).Empty():
			context.Child(name).Report(checkIgnoredField, "a context filter compares only %s", strings.Join(compared, ", "))
		}
	}
	if !compares {
		context.Report(checkMissingField, "a context filter needs one of %s", strings.Join(compared, ", "))
	}
}

// checkTimeFilter reads the times as upstream does.
// argo-events: ParseTime in pkg/shared/util/time.go
func checkTimeFilter(filter place) {
	if !filter.Present() {
		return
	}
	if zone := filter.Child("timezone"); zone.Text() != "" {
		if _, err := time.LoadLocation(zone.Text()); err != nil {
			zone.Report(checkTime, "%v", err)
		}
	}
	var times [2]time.Time
	var errs [2]error
	for i, name := range []string{"start", "stop"} {
		times[i], errs[i] = time.Parse("15:04:05", filter.Child(name).Text())
		if errs[i] != nil {
			filter.Child(name).Report(checkTime, "%q is no time like 15:04:05", filter.Child(name).Text())
		}
	}
	if errs[0] == nil && errs[1] == nil && times[0].Equal(times[1]) {
		filter.Child("stop").Report(checkTime, "it is the same as start")
	}
}

// checkScript parses a program in Lua.
func checkScript(script place) {
	if script.Text() == "" {
		return
	}
	if err := parseLua(script.Text()); err != nil {
		script.Report(checkExpression, "%s", strings.Join(strings.Fields(err.Error()), " "))
	}
}

func parseLua(text string) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("the parser crashes: %v", value)
		}
	}()
	_, err = parse.Parse(strings.NewReader(text), "script")
	return err
}

// checkTransform finds programs that do not parse, and one that is not run.
// argo-events: ApplyTransform in pkg/sensors/dependencies/transform.go
func checkTransform(transform place) {
	jq, script := transform.Child("jq"), transform.Child("script")
	if jq.Text() != "" {
		if _, err := gojq.Parse(jq.Text()); err != nil {
			jq.Report(checkExpression, "%v", err)
		}
		if script.Text() != "" {
			script.Report(checkIgnoredField, "a transform with jq runs no script")
		}
	}
	checkScript(script)
}
