package eventing_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/eventing"
)

// validator is what every builder of the package is.
type validator interface {
	builder
	Validate() field.ErrorList
}

// check compares the faults of a value with those wanted, and that Build agrees.
func check(t *testing.T, value validator, want []string) {
	t.Helper()
	var got []string
	for _, fault := range value.Validate() {
		got = append(got, fault.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	obj, err := value.Build()
	if len(want) == 0 {
		require.NoError(t, err)
		return
	}
	require.True(t, apierrors.IsInvalid(err), "Build must fail as Invalid, got %v", err)
	require.Nil(t, obj)
}

func TestDependencyFaults(t *testing.T) {
	tests := map[string]struct {
		dependencies []eventing.Dependency
		want         []string
	}{
		"a dependency names an event": {
			dependencies: []eventing.Dependency{{}},
			want: []string{
				`dependencies[0].name: Required value`,
				`dependencies[0].eventSource: Required value`,
				`dependencies[0].event: Required value`,
			},
		},
		"a name must be a variable of a condition": {
			dependencies: []eventing.Dependency{
				{Name: "1st", EventSource: "git", Event: "push"},
				{Name: "in", EventSource: "git", Event: "push"},
			},
			want: []string{
				`dependencies[0].name: Invalid value: "1st": must match ^[A-Za-z_][A-Za-z0-9_-]*$`,
				`dependencies[1].name: Invalid value: "in": is a reserved word of conditions`,
			},
		},
		"names that upstream cannot tell apart are duplicates": {
			dependencies: []eventing.Dependency{
				{Name: "git-push", EventSource: "git", Event: "push"},
				{Name: "git_push", EventSource: "git", Event: "push"},
			},
			want: []string{`dependencies[1].name: Duplicate value: "git_push"`},
		},
		"filters are checked": {
			dependencies: []eventing.Dependency{{
				Name: "push", EventSource: "git", Event: "push",
				Filters: eventing.Filters{Data: []eventing.DataFilter{
					nil,
					eventing.StringIn{},
					eventing.StringNotIn{Path: "a"},
					eventing.StringMatches{Path: "a", Pattern: "("},
					eventing.Number{Path: "a", Is: "~", Value: math.NaN()},
					eventing.Bool{},
					eventing.RawDataFilter{},
					eventing.StringIn{Path: "a", Values: []string{"\xff"}},
				}},
			}},
			want: []string{
				`dependencies[0].filters.data[0]: Required value: a filter must not be nil`,
				`dependencies[0].filters.data[1].path: Required value`,
				`dependencies[0].filters.data[1].values: Required value: at least one value is required`,
				`dependencies[0].filters.data[2].values: Required value: at least one value is required`,
				"dependencies[0].filters.data[3].pattern: Invalid value: \"(\": error parsing regexp: missing closing ): `(`",
				`dependencies[0].filters.data[4].is: Unsupported value: "~": supported values: "=", "!=", "<", "<=", ">", ">="`,
				`dependencies[0].filters.data[4].value: Invalid value: "NaN": must be a finite number`,
				`dependencies[0].filters.data[5].path: Required value`,
				`dependencies[0].filters.data[6].filter: Required value`,
				`dependencies[0].filters.data[7].values[0]: Invalid value: "\xff": must be valid UTF-8`,
			},
		},
		"templates can be read": {
			dependencies: []eventing.Dependency{{
				Name: "push", EventSource: "git", Event: "push",
				Filters: eventing.Filters{Data: []eventing.DataFilter{
					eventing.StringIn{Path: "a", Template: "{{", Values: []string{"a"}},
					eventing.Bool{Template: "\xff"},
					eventing.NumberIn{Path: "a"},
					eventing.NumberIn{Path: "a", Values: []float64{math.Inf(1)}},
				}},
			}},
			want: []string{
				`dependencies[0].filters.data[0].template: Invalid value: "{{": template: template:1: unclosed action`,
				`dependencies[0].filters.data[1].path: Required value`,
				`dependencies[0].filters.data[1].template: Invalid value: "\xff": must be valid UTF-8`,
				`dependencies[0].filters.data[2].values: Required value: at least one value is required`,
				`dependencies[0].filters.data[3].values[0]: Invalid value: "+Inf": must be a finite number`,
			},
		},
		"expressions, contexts, times and scripts are checked": {
			dependencies: []eventing.Dependency{{
				Name: "push", EventSource: "git", Event: "push",
				Filters: eventing.Filters{
					Exprs:   []eventing.Expr{{}, {Expression: "a-b > 1", Values: map[string]string{"a-b": ""}}},
					Context: &eventing.EventContext{},
					Time:    &eventing.TimeWindow{Start: "8:00:00", Stop: "25:00:00", Timezone: "Mars"},
					Script:  "\xff",
				},
			}},
			want: []string{
				`dependencies[0].filters.exprs[0].expression: Required value`,
				`dependencies[0].filters.exprs[0].values: Required value: at least one value is required`,
				`dependencies[0].filters.exprs[1].values[a-b]: Invalid value: "a-b": must match ^[A-Za-z_][A-Za-z0-9_]*$`,
				`dependencies[0].filters.exprs[1].values[a-b]: Required value`,
				`dependencies[0].filters.context: Required value: at least one field is required`,
				`dependencies[0].filters.time.start: Invalid value: "8:00:00": must be a time such as 08:30:00`,
				`dependencies[0].filters.time.stop: Invalid value: "25:00:00": must be a time such as 08:30:00`,
				`dependencies[0].filters.time.timezone: Invalid value: "Mars": must be a name of the IANA time zone database, such as Europe/Berlin`,
				`dependencies[0].filters.script: Invalid value: "\xff": must be valid UTF-8`,
			},
		},
		"a window is not empty": {
			dependencies: []eventing.Dependency{{
				Name: "push", EventSource: "git", Event: "push",
				Filters: eventing.Filters{Time: &eventing.TimeWindow{Start: "08:00:00", Stop: "08:00:00"}},
			}},
			want: []string{`dependencies[0].filters.time.stop: Invalid value: "08:00:00": must not equal start`},
		},
		"a transformation can be read": {
			dependencies: []eventing.Dependency{
				{Name: "a", EventSource: "git", Event: "push", Transform: eventing.JQ{}},
				{Name: "b", EventSource: "git", Event: "push", Transform: eventing.JQ{Program: "{"}},
				{Name: "c", EventSource: "git", Event: "push", Transform: eventing.JQ{Program: "frobnicate"}},
				{Name: "d", EventSource: "git", Event: "push", Transform: eventing.Script{}},
				{Name: "e", EventSource: "git", Event: "push", Transform: (*eventing.JQ)(nil)},
			},
			want: []string{
				`dependencies[0].transform.program: Required value`,
				`dependencies[1].transform.program: Invalid value: "{": unexpected EOF`,
				`dependencies[2].transform.program: Invalid value: "frobnicate": function not defined: frobnicate/0`,
				`dependencies[3].transform.lua: Required value`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, eventing.Sensor{
				Name: "s", Namespace: "events", Dependencies: test.dependencies,
				Triggers: []eventing.SensorTrigger{{Name: "log", Trigger: eventing.LogTrigger{}}},
			}, test.want)
		})
	}
}
