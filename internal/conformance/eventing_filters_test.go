package conformance_test

import (
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	sensordependencies "github.com/argoproj/argo-events/pkg/sensors/dependencies"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/conformance"
)

// upstreamDependency builds a sensor with the dependency and decodes it as the
// sensor's pod does.
func upstreamDependency(t *testing.T, transform eventing.Transform, filters eventing.Filters) v1alpha1.EventDependency {
	t.Helper()
	obj, err := eventing.Sensor{
		Name: "s", Namespace: "events",
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push", Transform: transform, Filters: filters}},
		Triggers:     []eventing.SensorTrigger{{Name: "log", Trigger: eventing.LogTrigger{}}},
	}.Build()
	require.NoError(t, err)
	typed := &v1alpha1.Sensor{}
	conformance.Strict(t, obj, typed)
	return typed.Spec.Dependencies[0]
}

// The kinds of filters, alone and together, mean to upstream's engine what their
// documentation says.
func TestFiltersDecideAsTheyAreDocumented(t *testing.T) {
	const data = `{"ref":"main","left":3,"share":"80%","region":"eu","page":"yes"}`
	yes := eventing.StringIn{Path: "ref", Values: []string{"main"}}
	no := eventing.StringIn{Path: "ref", Values: []string{"next"}}
	holds := eventing.Expr{Expression: "left < 10 && region == 'eu'", Values: map[string]string{"left": "left", "region": "region"}}
	fails := eventing.Expr{Expression: "left > 10", Values: map[string]string{"left": "left"}}
	tests := map[string]struct {
		filters eventing.Filters
		want    bool
	}{
		"all data filters must match":             {eventing.Filters{Data: []eventing.DataFilter{yes, no}}, false},
		"any data filter may match":               {eventing.Filters{Data: []eventing.DataFilter{no, yes}, AnyData: true}, true},
		"none of any matches":                     {eventing.Filters{Data: []eventing.DataFilter{no, no}, AnyData: true}, false},
		"an expression holds":                     {eventing.Filters{Exprs: []eventing.Expr{holds}}, true},
		"all expressions must hold":               {eventing.Filters{Exprs: []eventing.Expr{holds, fails}}, false},
		"any expression may hold":                 {eventing.Filters{Exprs: []eventing.Expr{fails, holds}, AnyExpr: true}, true},
		"an expression without a value fails":     {eventing.Filters{Exprs: []eventing.Expr{{Expression: "a == 1", Values: map[string]string{"a": "a"}}}}, false},
		"the context is equal":                    {eventing.Filters{Context: &eventing.EventContext{Type: "webhook", Source: "git", Subject: "push", ContentType: "application/json"}}, true},
		"the context is of another type":          {eventing.Filters{Context: &eventing.EventContext{Type: "github"}}, false},
		"the time is in the window":               {eventing.Filters{Time: &eventing.TimeWindow{Start: "03:00:00", Stop: "04:00:00"}}, true},
		"the window is in another timezone":       {eventing.Filters{Time: &eventing.TimeWindow{Start: "03:00:00", Stop: "04:00:00", Timezone: "Asia/Tokyo"}}, false},
		"the start is in the window":              {eventing.Filters{Time: &eventing.TimeWindow{Start: "03:04:05", Stop: "04:00:00"}}, true},
		"the stop is not in the window":           {eventing.Filters{Time: &eventing.TimeWindow{Start: "03:00:00", Stop: "03:04:05"}}, false},
		"a window over midnight":                  {eventing.Filters{Time: &eventing.TimeWindow{Start: "22:00:00", Stop: "06:00:00"}}, true},
		"a script returns true":                   {eventing.Filters{Script: "return event.left == 3"}, true},
		"a script returns something else":         {eventing.Filters{Script: "return 'true'"}, false},
		"a script that fails":                     {eventing.Filters{Script: "return event.a.b"}, false},
		"all kinds must match":                    {eventing.Filters{Data: []eventing.DataFilter{yes}, Exprs: []eventing.Expr{fails}}, false},
		"any kind may match":                      {eventing.Filters{Data: []eventing.DataFilter{no}, Exprs: []eventing.Expr{holds}, Any: true}, true},
		"no kind matches":                         {eventing.Filters{Data: []eventing.DataFilter{no}, Exprs: []eventing.Expr{fails}, Any: true}, false},
		"a kind without filters is no match":      {eventing.Filters{Data: []eventing.DataFilter{no}, Any: true}, false},
		"a number is one of several":              {eventing.Filters{Data: []eventing.DataFilter{eventing.NumberIn{Path: "left", Values: []float64{1, 3}}}}, true},
		"a number is none of several":             {eventing.Filters{Data: []eventing.DataFilter{eventing.NumberIn{Path: "left", Values: []float64{1, 2}}}}, false},
		"a template makes another text":           {eventing.Filters{Data: []eventing.DataFilter{eventing.StringIn{Path: "ref", Template: "{{ upper .Input }}", Values: []string{"MAIN"}}}}, true},
		"a template makes a number":               {eventing.Filters{Data: []eventing.DataFilter{eventing.Number{Path: "share", Template: `{{ trimSuffix "%" .Input }}`, Is: eventing.Less, Value: 90}}}, true},
		"a template makes a boolean":              {eventing.Filters{Data: []eventing.DataFilter{eventing.Bool{Path: "page", Template: `{{ eq .Input "yes" }}`, Value: true}}}, true},
		"a template that makes nothing: no match": {eventing.Filters{Data: []eventing.DataFilter{eventing.StringNotIn{Path: "ref", Template: `{{ "" }}`, Values: []string{"a"}}}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dependency := upstreamDependency(t, nil, test.filters)
			event := &v1alpha1.Event{
				Context: &v1alpha1.EventContext{
					ID: "1", Type: "webhook", Source: "git", Subject: "push", DataContentType: v1alpha1.MediaTypeJSON,
					Time: metav1.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
				},
				Data: []byte(data),
			}
			// The error only says why an event does not match.
			got, _ := sensordependencies.Filter(event, dependency.Filters, dependency.FiltersLogicalOperator)
			require.Equal(t, test.want, got)
		})
	}
}

func TestTransformationsReplaceTheData(t *testing.T) {
	tests := map[string]struct {
		transform eventing.Transform
		want      string
	}{
		"jq":                         {eventing.JQ{Program: "{ref: .body.ref, count: (.body.commits | length)}"}, `{"count":2,"ref":"main"}`},
		"Lua":                        {eventing.Script{Lua: "event.body.commits = nil\nreturn event"}, `{"body":{"ref":"main"}}`},
		"jq that returns no object":  {eventing.JQ{Program: ".body.ref"}, ""},
		"Lua that returns no table":  {eventing.Script{Lua: "return 1"}, ""},
		"no transformation, no text": {nil, `{"body":{"ref":"main","commits":[1,2]}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			event := cloudevents.NewEvent()
			require.NoError(t, event.SetData(cloudevents.ApplicationJSON, []byte(`{"body":{"ref":"main","commits":[1,2]}}`)))
			got, err := sensordependencies.ApplyTransform(&event, upstreamDependency(t, test.transform, eventing.Filters{}).Transform)
			if test.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			if diff := cmp.Diff(test.want, string(got.Data())); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	}
}
