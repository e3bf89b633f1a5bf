package eventing_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/eventing"
)

func TestAMessageNeedsItsEvents(t *testing.T) {
	fault := func(at string) string {
		return "triggers[0].trigger." + at + ".default: Required value: the condition of the trigger holds without an event of the dependency, and upstream crashes without a default then"
	}
	tests := map[string]struct {
		when   string
		change func(*eventing.Parameter)
		fails  bool
	}{
		"every event is there by default":            {when: ""},
		"every event is there":                       {when: "push && tag"},
		"the event is there whatever else is":        {when: "push && (tag || night)"},
		"the event is there in every case":           {when: "(push && tag) || (night && push)"},
		"the event may be missing":                   {when: "push || tag", fails: true},
		"the event may be missing in a case":         {when: "(push && tag) || night", fails: true},
		"the event is never there":                   {when: "tag", fails: true},
		"a default stands in":                        {when: "push || tag", change: func(p *eventing.Parameter) { p.Default = new("") }},
		"a default stands in, as upstream writes it": {when: "push || tag", change: func(p *eventing.Parameter) { p.From = rawRef(map[string]any{"value": ""}) }},
		"a raw source needs one too":                 {when: "push || tag", change: func(p *eventing.Parameter) { p.From = rawRef(nil) }, fails: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			parameter := eventing.Parameter{From: ref, To: "a"}
			if test.change != nil {
				test.change(&parameter)
			}
			message := []eventing.Parameter{parameter}
			for at, trigger := range map[string]eventing.Trigger{
				"payload[0]":      eventing.HTTPTrigger{URL: "https://chat", Payload: message},
				"eventHeaders[0]": eventing.HTTPTrigger{URL: "https://chat", EventHeaders: message},
			} {
				sensor := sensorOf()
				sensor.Dependencies = append(sensor.Dependencies,
					eventing.Dependency{Name: "tag", EventSource: "git", Event: "tag"}, eventing.Dependency{Name: "night", EventSource: "calendar", Event: "night"})
				sensor.Triggers = []eventing.SensorTrigger{{Name: "t", When: test.when, Trigger: trigger}}
				var want []string
				if test.fails {
					want = []string{fault(at)}
				}
				check(t, sensor, want)
			}
		})
	}
}

func rawRef(more map[string]any) eventing.RawParameterSource {
	source := map[string]any{"dependencyName": "push", "dataKey": "body.ref"}
	maps.Copy(source, more)
	return eventing.RawParameterSource{Source: source}
}

func TestTriggerFaults(t *testing.T) {
	configMap := func(fields map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: fields}
	}
	log := eventing.LogTrigger{}
	tests := map[string]struct {
		trigger eventing.SensorTrigger
		want    []string
	}{
		"a trigger needs a name and an action": {
			trigger: eventing.SensorTrigger{},
			want: []string{
				`triggers[0].name: Required value`,
				`triggers[0].trigger: Required value: HTTPTrigger, ObjectTrigger, ArgoCDTrigger or another trigger`,
			},
		},
		"retries without at least once would be ignored": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: log, Delivery: eventing.AtMostOnce, Retry: &eventing.Retry{Attempts: 2}},
			want:    []string{`triggers[0].retry: Forbidden: upstream ignores retries unless delivery is AtLeastOnce`},
		},
		"a delivery is one of two": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: log, Delivery: "ExactlyOnce"},
			want:    []string{`triggers[0].delivery: Unsupported value: "ExactlyOnce": supported values: "AtLeastOnce", "AtMostOnce"`},
		},
		"a back-off grows": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: log, Retry: &eventing.Retry{Pause: -1, Factor: 0.5, Jitter: -1}},
			want: []string{
				`triggers[0].retry.attempts: Invalid value: 0: must be at least 1`,
				`triggers[0].retry.pause: Invalid value: "-1ns": must not be negative`,
				`triggers[0].retry.factor: Invalid value: "0.5": must be at least 1`,
				`triggers[0].retry.jitter: Invalid value: "-1": must not be negative`,
			},
		},
		"a log interval is whole seconds": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.LogTrigger{Interval: 1500 * time.Millisecond}},
			want:    []string{`triggers[0].trigger.interval: Invalid value: "1.5s": must be whole seconds and not negative`},
		},
		"an Argo CD trigger needs an Application": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ArgoCDTrigger{Namespace: "A", SyncOptions: []string{""}}},
			want: []string{
				`triggers[0].trigger.application: Required value: the object needs a name`,
				`triggers[0].trigger.namespace: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`triggers[0].trigger.syncOptions[0]: Required value`,
			},
		},
		"the event may name the Application": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ArgoCDTrigger{Parameters: []eventing.Parameter{
				{From: eventing.DataKey{Dependency: "push", Path: "body.app"}, To: "metadata.name"},
			}}},
		},
		"parameters are checked": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ArgoCDTrigger{Application: "shop", Parameters: []eventing.Parameter{
				{},
				{From: eventing.DataKey{}, To: "a"},
				{From: eventing.DataTemplate{Dependency: "pull"}, To: "a", Operation: "add"},
				{From: eventing.WholeEvent{Dependency: "push"}, To: "a", Default: new("b")},
				{From: eventing.RawParameterSource{}, To: "a"},
			}}},
			want: []string{
				`triggers[0].trigger.parameters[0].from: Required value`,
				`triggers[0].trigger.parameters[0].to: Required value`,
				`triggers[0].trigger.parameters[1].from.dependency: Required value`,
				`triggers[0].trigger.parameters[1].from.path: Required value`,
				`triggers[0].trigger.parameters[2].from.dependency: Not found: "pull"`,
				`triggers[0].trigger.parameters[2].from.template: Required value`,
				`triggers[0].trigger.parameters[2].operation: Unsupported value: "add": supported values: "overwrite", "append", "prepend"`,
				`triggers[0].trigger.parameters[3].default: Forbidden: upstream sends the default instead of the whole event`,
				`triggers[0].trigger.parameters[4].from.source.dependency: Required value`,
				`triggers[0].trigger.parameters[4].from.source: Required value`,
			},
		},
		"an object trigger needs an object": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Operation: "apply"}},
			want: []string{
				`triggers[0].trigger.operation: Unsupported value: "apply": supported values: "create", "update", "patch", "delete"`,
				`triggers[0].trigger.object: Required value`,
			},
		},
		"an object has a kind and a name": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Object: configMap(map[string]any{"data": 1})}},
			want: []string{
				`triggers[0].trigger.object.apiVersion: Required value`,
				`triggers[0].trigger.object.kind: Required value`,
				`triggers[0].trigger.object.metadata.name: Required value`,
			},
		},
		"only a created object may have a generated name": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{
				Operation: eventing.Delete,
				Object:    configMap(map[string]any{"apiVersion": "a/b/c", "kind": "X", "metadata": map[string]any{"generateName": "x-"}}),
			}},
			want: []string{
				`triggers[0].trigger.object.apiVersion: Invalid value: "a/b/c": must be group/version`,
				`triggers[0].trigger.object.metadata.name: Required value`,
			},
		},
		"a request has a URL and a method": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.HTTPTrigger{
				URL: "https://me:hunter2@chat", Method: "TRACE", Timeout: -time.Second, Statuses: []int32{42},
			}},
			want: []string{
				`triggers[0].trigger.url: Invalid value: must not carry credentials: reference a Secret instead`,
				`triggers[0].trigger.method: Unsupported value: "TRACE": supported values: "GET", "POST", "PUT", "PATCH", "DELETE"`,
				`triggers[0].trigger.timeout: Invalid value: "-1s": must be whole seconds and not negative`,
				`triggers[0].trigger.statuses[0]: Invalid value: 42: must be between 100 and 599`,
			},
		},
		"credentials in a header are refused and not echoed": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.HTTPTrigger{
				URL:           "https://chat",
				Headers:       map[string]string{"authorization": "Bearer hunter2", "a b": "c", "": "d"},
				SecretHeaders: map[string]eventing.SecretKey{"X-Token": {Name: "chat"}},
			}},
			want: []string{
				`triggers[0].trigger.headers[]: Required value: a header needs a name`,
				`triggers[0].trigger.headers[a b]: Invalid value: "a b": is no HTTP header name`,
				`triggers[0].trigger.headers[authorization]: Forbidden: carries credentials: use secretHeaders`,
				`triggers[0].trigger.secretHeaders[X-Token].key: Required value`,
			},
		},
		"a raw trigger is a trigger": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.RawTrigger{Kind: "conditions", Policy: map[string]any{}}},
			want: []string{
				`triggers[0].trigger.kind: Invalid value: "conditions": is no trigger`,
				`triggers[0].trigger.spec: Required value`,
				`triggers[0].trigger.policy: Required value`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, eventing.Sensor{
				Name: "s", Namespace: "events",
				Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
				Triggers:     []eventing.SensorTrigger{test.trigger},
			}, test.want)
		})
	}
}

func TestSensorFaults(t *testing.T) {
	log := eventing.LogTrigger{}
	tests := map[string]struct {
		sensor eventing.Sensor
		want   []string
	}{
		"a sensor needs everything": {
			sensor: eventing.Sensor{},
			want: []string{
				`name: Required value: the object needs a name`,
				`namespace: Required value`,
				`dependencies: Required value: at least one dependency is required`,
				`triggers: Required value: at least one trigger is required`,
			},
		},
		"triggers have different names": {
			sensor: eventing.Sensor{
				Name: "s", Namespace: "events",
				Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
				Triggers:     []eventing.SensorTrigger{{Name: "t", Trigger: log}, {Name: "t", Trigger: log}},
			},
			want: []string{`triggers[1].name: Duplicate value: "t"`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { check(t, test.sensor, test.want) })
	}
}

func TestConditions(t *testing.T) {
	tests := map[string]struct {
		when  string
		fault string
	}{
		"nothing means all dependencies":    {when: ""},
		"a name":                            {when: "a"},
		"operators and parentheses":         {when: "(a || b-c) && (a&&b-c)"},
		"an unknown name":                   {when: "a && d", fault: `no dependency is named "d"`},
		"a missing operand":                 {when: "a &&", fault: "ends where a dependency is expected"},
		"a missing operator":                {when: "a b-c", fault: `unexpected "b-c"`},
		"a single ampersand":                {when: "a & b-c", fault: `unexpected "&"`},
		"a negation":                        {when: "!a", fault: `unexpected "!a" where a dependency is expected`},
		"an open parenthesis":               {when: "(a", fault: "a parenthesis is not closed"},
		"a stray parenthesis":               {when: "a)", fault: `unexpected ")"`},
		"empty parentheses":                 {when: "()", fault: `unexpected ")" where a dependency is expected`},
		"an operator where a name belongs":  {when: "|| a", fault: `unexpected "||" where a dependency is expected`},
		"nesting beyond what anybody means": {when: strings.Repeat("(", 101) + "a", fault: "nests deeper than 100 parentheses"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sensor := eventing.Sensor{
				Name: "s", Namespace: "events",
				Dependencies: []eventing.Dependency{
					{Name: "a", EventSource: "git", Event: "a"},
					{Name: "b-c", EventSource: "git", Event: "b"},
				},
				Triggers: []eventing.SensorTrigger{{Name: "t", When: test.when, Trigger: eventing.LogTrigger{}}},
			}
			var want field.ErrorList
			if test.fault != "" {
				want = field.ErrorList{field.Invalid(field.NewPath("triggers").Index(0).Child("when"), test.when, test.fault)}
			}
			if diff := cmp.Diff(want, sensor.Validate()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
