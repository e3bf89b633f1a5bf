package replay_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing/replay"
)

func TestDependenciesMatchAsTheirFiltersSay(t *testing.T) {
	tests := map[string]struct {
		fields, data string
		want         bool
		// why has parts of the reasons that say no, by their path.
		why map[string]string
	}{
		"without filters every event counts": {fields: "filtersLogicalOperator: and", data: `{}`, want: true},
		"a value that a data filter asks for": {
			fields: `filters: {data: [{path: body.ref, type: string, value: [main]}]}`, data: `{"body":{"ref":"main"}}`, want: true,
		},
		"another value": {
			fields: `filters: {data: [{path: body.ref, type: string, value: [main]}]}`, data: `{"body":{"ref":"feature"}}`,
			why: map[string]string{"filters.data[0]": `wants the string body.ref = "main", which is "feature"`},
		},
		"no value": {
			fields: `filters: {data: [{path: body.ref, type: string, value: [main]}]}`, data: `{"body":{}}`,
			why: map[string]string{"filters.data[0]": "which is nothing"},
		},
		"one of two filters": {
			fields: `filters: {data: [{path: a, type: number, value: ["3"], comparator: ">"}, {path: b, type: bool, value: ["true"]}]}`,
			data:   `{"a": 4, "b": false}`,
			why:    map[string]string{"filters.data[1]": `wants the bool b = "true", which is false`},
		},
		"either of two filters": {
			fields: `filters: {dataLogicalOperator: or, data: [{path: a, type: number, value: ["3"]}, {path: b, type: bool, value: ["true"]}]}`,
			data:   `{"a": 3, "b": false}`, want: true, why: map[string]string{"filters.data[1]": "which is false"},
		},
		"an expression": {
			fields: `filters: {exprs: [{expr: "num > 2 && s =~ 'x'", fields: [{name: num, path: a}, {name: s, path: b}]}]}`,
			data:   `{"a": 3, "b": "x"}`, want: true,
		},
		"an expression that is false": {
			fields: `filters: {exprs: [{expr: "num > 2", fields: [{name: num, path: a}]}]}`, data: `{"a": 1}`,
			why: map[string]string{"filters.exprs[0]": "wants num > 2, with num = 1"},
		},
		"an expression that does not compile": {
			fields: `filters: {exprs: [{expr: "num >", fields: [{name: num, path: a}]}]}`, data: `{"a": 1}`,
			why: map[string]string{"filters.exprs[0]": "expr filter error"},
		},
		"the context": {fields: `filters: {context: {type: webhook, source: source}}`, data: `{}`, want: true},
		"another context": {
			fields: `filters: {context: {type: calendar}}`, data: `{}`,
			why: map[string]string{"filters.context": `wants type "calendar", which is "webhook"`},
		},
		"a time": {fields: `filters: {time: {start: "11:00:00", stop: "13:00:00"}}`, data: `{}`, want: true},
		"a time in a zone": {
			fields: `filters: {time: {start: "11:00:00", stop: "13:00:00", timezone: Asia/Tokyo}}`, data: `{}`,
			why: map[string]string{"filters.time": "wants a time from 11:00:00 to 13:00:00 in Asia/Tokyo, which is 2026-03-02T12:00:00Z"},
		},
		"a script": {fields: `filters: {script: "if event.n > 2 then return true end return false"}`, data: `{"n": 3}`, want: true},
		"a script that says no": {
			fields: `filters: {script: "return event.n > 2"}`, data: `{"n": 1}`,
			why: map[string]string{"filters.script": "wants the script to return true"},
		},
		"a script that fails": {
			fields: `filters: {script: "return event.a.b.c"}`, data: `{"n": 1}`,
			why: map[string]string{"filters.script": "attempt to index"},
		},
		"what jq makes of the data": {
			fields: "transform: {jq: '.a = .b'}\nfilters: {data: [{path: a, type: number, value: ['7']}]}", data: `{"b": 7}`, want: true,
		},
		"what a script makes of the data": {
			fields: "transform: {script: 'event.a = event.b return event'}\nfilters: {data: [{path: a, type: number, value: ['7']}]}", data: `{"b": 7}`, want: true,
		},
		"a transform that fails": {fields: "transform: {jq: '.a | .b'}", data: `{"a": "text"}`},
		"data that is no object, for a script": {
			fields: `filters: {script: "return true"}`, data: `[1]`, why: map[string]string{"filters.script": "cannot unmarshal"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			outcome := send(t, session(t, replay.Options{}, filtered(t, test.fields)), event(t, "a", test.data))
			require.Len(t, outcome.Decisions, 1)
			decision := outcome.Decisions[0]
			require.Equal(t, test.want, decision.Matched, "%v", decision.Err)
			require.Len(t, outcome.Firings, map[bool]int{true: 1}[test.want])
			no := map[string]string{}
			for _, reason := range decision.Why() {
				if !reason.Matched {
					no[reason.Path] = reason.Text
				}
			}
			require.Equal(t, slices.Sorted(maps.Keys(test.why)), slices.Sorted(maps.Keys(no)))
			for path, part := range test.why {
				require.Contains(t, no[path], part)
			}
		})
	}
}

func TestConditionsHoldOnceTheirDependenciesAreThere(t *testing.T) {
	tests := map[string]struct {
		condition, events string
		// fires has, for each event that fires the trigger, its number and the events that it fires with.
		fires []string
	}{
		"all dependencies by default":               {"", "abc", []string{"2 abc"}},
		"in any order":                              {"", "cab", []string{"2 abc"}},
		"an or needs one":                           {"a || b-1", "ab", []string{"0 a", "1 b"}},
		"an event that the condition does not name": {"a", "cba", []string{"2 a"}},
		"and":                             {"a && b-1", "ab", []string{"1 ab"}},
		"it starts anew":                  {"a && b-1", "abba", []string{"1 ab", "3 ab"}},
		"the latest counts":               {"a && b-1", "aab", []string{"2 ab"}},
		"parentheses":                     {"(a || b-1) && c", "bc", []string{"1 bc"}},
		"what came before is handed over": {"(a || b-1) && c", "abc", []string{"2 abc"}},
		"or and and":                      {"a && b-1 || c", "ac", []string{"1 ac"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := session(t, replay.Options{}, listening(t, test.condition))
			var fires []string
			for i, letter := range test.events {
				outcome := send(t, s, event(t, string(letter), `{}`))
				for _, firing := range outcome.Firings {
					var with []string
					for _, e := range firing.Events() {
						with = append(with, e.Subject())
					}
					slices.Sort(with)
					fires = append(fires, string(rune('0'+i))+" "+strings.Join(with, ""))
				}
			}
			require.Equal(t, test.fires, fires)
		})
	}
}

func TestATriggerSaysWhatItWaitsFor(t *testing.T) {
	s := session(t, replay.Options{}, listening(t, "(a || b-1) && c"))
	outcome := send(t, s, event(t, "b", `{}`))
	require.Len(t, outcome.Waiting, 1)
	waiting := outcome.Waiting[0]
	require.Equal(t, "fire", waiting.Trigger())
	require.Equal(t, "(a||b-1)&&c", strings.ReplaceAll(waiting.Condition(), " ", ""))
	require.Equal(t, []string{"b-1"}, waiting.Have)
	require.Equal(t, []string{"a", "c"}, waiting.Lack)
}

func TestATriggerWithoutAWorkingConditionStaysSilent(t *testing.T) {
	for name, condition := range map[string]string{
		"a name that is no dependency": "a && d",
		"no expression":                "a &&",
		"another operator":             "a and b-1",
		"a negation":                   "!a",
	} {
		t.Run(name, func(t *testing.T) {
			engine, err := replay.New(objects(listening(t, condition)), replay.Options{})
			require.NoError(t, err)
			faults := engine.Faults()
			require.Len(t, faults, 1)
			require.Equal(t, "fire", faults[0].Trigger)
			require.ErrorAs(t, faults[0], new(*replay.ConditionError))
			outcome := send(t, engine.NewSession(bus), event(t, "a", `{}`))
			require.Empty(t, outcome.Firings)
			require.Empty(t, outcome.Decisions)
		})
	}
}

func TestASensorThatTheControllerRefusesStaysSilent(t *testing.T) {
	refused := sensor(t, `
dependencies: [{name: a, eventSourceName: source, eventName: a}]
triggers: [{template: {name: fire, http: {url: "http://there"}}, dlqTrigger: {template: {name: dead, log: {}}}}]
`)
	engine, err := replay.New(objects(refused), replay.Options{})
	require.NoError(t, err)
	faults := engine.Faults()
	require.Len(t, faults, 1)
	require.ErrorAs(t, faults[0], new(*replay.RefusedError))
	require.Empty(t, send(t, engine.NewSession(bus), event(t, "a", `{}`)).Firings)
}

func TestTheBusDropsDuplicatesForAWhile(t *testing.T) {
	s := session(t, replay.Options{DuplicateWindow: time.Minute}, listening(t, "a"))
	first := event(t, "a", `{}`)
	require.Len(t, send(t, s, first).Firings, 1)
	again := first.Clone()
	again.SetTime(noon.Add(59 * time.Second))
	outcome := send(t, s, again)
	require.True(t, outcome.Duplicate)
	require.Empty(t, outcome.Firings)
	again.SetTime(noon.Add(time.Minute))
	require.Len(t, send(t, s, again).Firings, 1)
}

func TestConditionsAreResetByTime(t *testing.T) {
	obj := sensor(t, `
dependencies: [{name: a, eventSourceName: source, eventName: a}, {name: b, eventSourceName: source, eventName: b}]
triggers:
- template: {name: fire, conditions: a && b, log: {}, conditionsReset: [{byTime: {cron: "0 13 * * *", timezone: Europe/Paris}}]}
`)
	for name, test := range map[string]struct {
		after time.Duration
		fires int
	}{
		"before the time": {after: -time.Second, fires: 1},
		"at the time":     {after: 0, fires: 0},
		"after the time":  {after: time.Hour, fires: 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := session(t, replay.Options{}, obj)
			reset := noon // is 13:00 in Paris, in winter
			first := event(t, "a", `{}`)
			first.SetTime(reset.Add(-time.Hour))
			send(t, s, first)
			second := event(t, "b", `{}`)
			second.SetTime(reset.Add(test.after))
			require.Len(t, send(t, s, second).Firings, test.fires)
		})
	}
}

func TestAClockReplacesTheTimeOfEvents(t *testing.T) {
	obj := filtered(t, `filters: {time: {start: "22:00:00", stop: "06:00:00"}}`)
	require.Empty(t, send(t, session(t, replay.Options{}, obj), event(t, "a", `{}`)).Firings)
	night := replay.Options{Clock: func() time.Time { return noon.Add(11 * time.Hour) }}
	require.Len(t, send(t, session(t, night, obj), event(t, "a", `{}`)).Firings, 1)
}

func TestSensorsHearOnlyTheirOwnBus(t *testing.T) {
	other := listening(t, "a")
	other.SetNamespace("bank")
	audit := listening(t, "a")
	audit.SetName("audit")
	audit.Object["spec"].(map[string]any)["eventBusName"] = "audit"
	engine, err := replay.New(objects(listening(t, "a"), other, audit), replay.Options{})
	require.NoError(t, err)
	require.Equal(t, []replay.Bus{{"shop", "default"}, {"bank", "default"}, {"shop", "audit"}}, engine.Buses())
	for _, bus := range engine.Buses() {
		outcome := send(t, engine.NewSession(bus), event(t, "a", `{}`))
		require.Len(t, outcome.Firings, 1)
		namespace, _ := outcome.Firings[0].Sensor()
		require.Equal(t, bus.Namespace, namespace)
	}
}

func TestScriptsThatTakeTooLongAreLeft(t *testing.T) {
	for name, fields := range map[string]string{
		"a filter":    `filters: {script: "for i = 1, 5e7 do end"}`,
		"a transform": `transform: {jq: '{a: ([range(3000000)] | length)}'}`,
	} {
		t.Run(name, func(t *testing.T) {
			limit := replay.Options{ScriptTimeout: 20 * time.Millisecond}
			outcome := send(t, session(t, limit, filtered(t, fields)), event(t, "a", `{}`))
			require.False(t, outcome.Decisions[0].Matched)
			require.ErrorAs(t, outcome.Decisions[0].Err, new(*replay.TimeoutError))

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := session(t, replay.Options{}, filtered(t, fields)).Send(ctx, event(t, "a", `{}`))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestProgramsThatReachOutsideTheEventAreRefused(t *testing.T) {
	for name, test := range map[string]struct{ fields, path string }{
		"a file":                    {`filters: {script: "return io.open('/etc/hostname') ~= nil"}`, "filters.script"},
		"a process":                 {`transform: {script: "os.execute('true') return event"}`, "transform.script"},
		"by another name":           {`filters: {script: "local x = _G return x['os'] ~= nil"}`, "filters.script"},
		"behind a name of its own":  {`filters: {script: "do local os end return os ~= nil"}`, "filters.script"},
		"by loading a text":         {`filters: {script: "return loadstring('return os')() ~= nil"}`, "filters.script"},
		"inside a function":         {`filters: {script: "local f = function() return {x = {os.time()}} end return true"}`, "filters.script"},
		"the environment":           {`filters: {data: [{path: a, type: string, value: [x], template: '{{ env "HOME" }}'}]}`, "filters.data[0].template"},
		"a name server, in a block": {`filters: {data: [{path: a, type: string, value: [x], template: '{{ if true }}{{ "x" | getHostByName }}{{ end }}'}]}`, "filters.data[0].template"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := session(t, replay.Options{}, filtered(t, test.fields)).Send(t.Context(), event(t, "a", `{"a": "x"}`))
			var unsafe *replay.UnsafeError
			require.ErrorAs(t, err, &unsafe)
			require.Equal(t, test.path, unsafe.Path)
			_, err = session(t, replay.Options{AllowUnsafe: true}, filtered(t, test.fields)).Send(t.Context(), event(t, "a", `{"a": "x"}`))
			require.NoError(t, err)
		})
	}
}

func TestEventsThatAreNoneAreRefused(t *testing.T) {
	s := session(t, replay.Options{}, listening(t, "a"))
	nameless := event(t, "a", `{}`)
	nameless.SetID("")
	_, err := s.Send(t.Context(), nameless)
	require.Error(t, err)
	_, err = replay.NewEvent("webhook", "source", "a", "1", noon, []byte(`{`))
	require.Error(t, err)
	_, err = replay.NewEvent("webhook", "", "a", "1", noon, []byte(`{}`))
	require.Error(t, err)
}

func TestSensorsThatCannotBeReadAreNamed(t *testing.T) {
	broken := listening(t, "a")
	broken.Object["spec"] = map[string]any{"triggers": "none"}
	_, err := replay.New(objects(broken), replay.Options{})
	require.ErrorContains(t, err, "Sensor shop/orders")

	// Its parser would end the process.
	deep := listening(t, "a")
	require.NoError(t, unstructured.SetNestedSlice(deep.Object, []any{map[string]any{"template": map[string]any{
		"name": "deep", "conditions": strings.Repeat("(", 1<<20),
	}}}, "spec", "triggers"))
	_, err = replay.New(objects(deep), replay.Options{})
	require.ErrorContains(t, err, "spec.triggers[0].template.conditions")
}
