package conformance_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/eventing/replay"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// deciding are dependencies on one event, each with a trigger of its own.
var deciding = map[string]string{
	"all":                  ``,
	"text":                 `filters: {data: [{path: body.ref, type: string, value: ["^main$"]}]}`,
	"text-anywhere":        `filters: {data: [{path: body.ref, type: string, value: [ai]}]}`,
	"texts":                `filters: {data: [{path: body.ref, type: string, value: [next, main]}]}`,
	"no-text":              `filters: {data: [{path: body.ref, type: string, comparator: "!=", value: ["^main$"]}]}`,
	"no-texts":             `filters: {data: [{path: body.ref, type: string, comparator: "!=", value: ["^main$", "^next$"]}]}`,
	"text-less":            `filters: {data: [{path: body.ref, type: string, comparator: "<", value: [z]}]}`,
	"number":               `filters: {data: [{path: body.size, type: number, value: ["3"]}]}`,
	"number-greater":       `filters: {data: [{path: body.size, type: number, comparator: ">", value: ["3"]}]}`,
	"number-unlike":        `filters: {data: [{path: body.size, type: number, comparator: "!=", value: ["3", "4"]}]}`,
	"bool":                 `filters: {data: [{path: body.forced, type: bool, value: ["true"]}]}`,
	"bool-no":              `filters: {data: [{path: body.forced, type: bool, value: ["false"]}]}`,
	"no-such-path":         `filters: {data: [{path: body.no.such, type: string, value: [x]}]}`,
	"list":                 `filters: {data: [{path: "body.list.#", type: number, comparator: ">=", value: ["2"]}]}`,
	"template":             `filters: {data: [{path: body.ref, type: string, value: ["^MAIN$"], template: "{{ .Input | upper }}"}]}`,
	"not-compiling":        `filters: {data: [{path: body.ref, type: string, value: ["ma(in"]}]}`,
	"either":               `filters: {dataLogicalOperator: or, data: [{path: body.ref, type: string, value: ["^main$"]}, {path: body.size, type: number, value: ["4"]}]}`,
	"either-or-broken":     `filters: {dataLogicalOperator: or, data: [{path: body.ref, type: string, value: ["ma(in"]}, {path: body.size, type: number, value: ["4"]}]}`,
	"both":                 `filters: {data: [{path: body.ref, type: string, value: ["^main$"]}, {path: body.size, type: number, value: ["4"]}]}`,
	"expression":           `filters: {exprs: [{expr: "size > 3 && ref == 'main'", fields: [{name: size, path: body.size}, {name: ref, path: body.ref}]}]}`,
	"expression-either":    `filters: {exprLogicalOperator: or, exprs: [{expr: "size > 3", fields: [{name: size, path: body.size}]}, {expr: "ref =~ 'ext'", fields: [{name: ref, path: body.ref}]}]}`,
	"expression-broken":    `filters: {exprs: [{expr: "size >", fields: [{name: size, path: body.size}]}]}`,
	"expression-variable":  `filters: {exprs: [{expr: "size > other", fields: [{name: size, path: body.size}]}]}`,
	"context":              `filters: {context: {type: webhook, source: hooks}}`,
	"context-other":        `filters: {context: {type: calendar}}`,
	"time-all-day":         `filters: {time: {start: "00:00:00", stop: "23:59:59"}}`,
	"kinds-either":         "filtersLogicalOperator: or\nfilters: {data: [{path: body.ref, type: string, value: [\"^next$\"]}], exprs: [{expr: \"size == 3\", fields: [{name: size, path: body.size}]}]}",
	"script":               `filters: {script: "if event.body.size then return event.body.size > 3 end return false"}`,
	"script-failing":       `filters: {script: "return event.body.list[1].x.y == 1"}`,
	"jq":                   "transform: {jq: '.body.ref = \"main\"'}\nfilters: {data: [{path: body.ref, type: string, value: [\"^main$\"]}]}",
	"jq-failing":           `transform: {jq: '.body.size + "x"'}`,
	"jq-no-object":         `transform: {jq: '.body.ref'}`,
	"script-transform":     `transform: {script: "event.body.seen = true return event"}`,
	"script-transform-nil": `transform: {script: "return nil"}`,
}

// acting are templates of triggers whose requests are compared.
var acting = map[string]string{
	"keys": `http: {url: URL, payload: [
  {dest: ref, src: {dependencyName: all, dataKey: body.ref, value: none}},
  {dest: size, src: {dependencyName: all, dataKey: body.size, value: "0", useRawData: true}},
  {dest: "list.1", src: {dependencyName: all, dataKey: body.list, value: "[]", useRawData: true}},
  {dest: text, src: {dependencyName: all, dataTemplate: "{{ .Input.body.ref | upper }}-{{ .Input.body.size }}", value: none}},
  {dest: source, src: {dependencyName: all, contextKey: source}},
  {dest: about, src: {dependencyName: all, contextTemplate: "{{ .Input.type }} {{ .Input.subject }}"}},
  {dest: nothing, src: {dependencyName: all, dataKey: body.nothing, value: x, useRawData: true}}]}`,
	"whole":      `http: {url: URL, method: PUT, payload: [{dest: event, src: {dependencyName: all}}]}`,
	"body":       `http: {url: URL, payload: [{dest: "", src: {dependencyName: all, dataKey: body}}]}`,
	"none":       `http: {url: URL, method: DELETE}`,
	"headers":    `http: {url: URL, headers: {X-Static: "1"}, dynamicHeaders: [{dest: X-Ref, src: {dependencyName: all, dataKey: body.ref, value: none}}]}`,
	"parameters": `http: {url: URL, parameters: [{dest: url, operation: append, src: {dependencyName: all, dataTemplate: "?ref={{ .Input.body.ref }}", value: "?none"}}, {dest: method, src: {dependencyName: all, dataKey: body.verb, value: PATCH}}]}`,
	"failing":    `http: {url: URL, payload: [{dest: ref, src: {dependencyName: all, dataKey: body.ref}}]}`,
}

// waiting are conditions over three events.
var waiting = map[string]string{
	"all":           "",
	"either":        "a || b-1",
	"both":          "a && b-1",
	"either-and":    "(a || b-1) && c",
	"both-or":       "a && b-1 || c",
	"one":           "c",
	"not-compiling": "a and b-1",
	"unknown":       "a && d",
}

// bodies are posted one after the other.
var bodies = []string{
	`{"ref": "main", "size": 3, "forced": true, "list": [1, 2], "nothing": null}`,
	`{"ref": "next", "size": 4, "forced": false, "list": []}`,
	`{"ref": "main", "size": 4, "verb": "POST", "list": [{"x": {"y": 1}}]}`,
	`{"ref": "MAIN", "size": "3", "forced": "yes"}`,
	`{"ref": 5, "size": 3.5, "list": "text"}`,
	`{"ref": "a main b", "size": -1, "forced": 1}`,
	`{}`,
	`[1, 2]`,
	`"text"`,
	`{"ref": "ümläut ✓ \" \\ \n", "size": 1e3}`,
}

// letters are posted to the events of the conditions.
const letters = "abcacbbabccaab"

// arrived is a request at the receiver.
type arrived struct{ Method, Target, Header, Body string }

// receiver keeps the requests of triggers.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []arrived
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests = append(r.requests, arrived{request.Method, request.URL.RequestURI(), shownHeader(request.Header), string(body)})
	}))
	t.Cleanup(r.Close)
	return r
}

// taken returns the requests since the last call, sorted.
func (r *receiver) taken() []arrived {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := r.requests
	r.requests = nil
	return sorted(requests)
}

func sorted(requests []arrived) []arrived {
	slices.SortFunc(requests, func(a, b arrived) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return requests
}

// shownHeader is what a trigger sets itself.
func shownHeader(header http.Header) string {
	return fmt.Sprint(header.Get("X-Static"), "|", header.Get("X-Ref"))
}

// sensorObject returns a Sensor with the spec.
func sensorObject(t *testing.T, namespace, name, spec string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	content := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(spec), &content), spec)
	obj.Object["spec"] = content
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Sensor"})
	obj.SetNamespace(namespace)
	obj.SetName(name)
	return obj
}

const delivery = "  atLeastOnce: true\n  retryStrategy: {steps: 1}\n"

// replaySensors are the Sensors whose behaviour is compared.
func replaySensors(t *testing.T, namespace, url string) []*unstructured.Unstructured {
	t.Helper()
	var dependencies, triggers strings.Builder
	for _, name := range slices.Sorted(maps.Keys(deciding)) {
		fmt.Fprintf(&dependencies, "- name: %s\n  eventSourceName: hooks\n  eventName: in\n", name)
		for line := range strings.SplitSeq(deciding[name], "\n") {
			fmt.Fprintf(&dependencies, "  %s\n", line)
		}
		fmt.Fprintf(&triggers, "- template: {name: %s, conditions: %s, http: {url: \"%s/deciding/%s\", payload: [{dest: event, src: {dependencyName: %s}}]}}\n%s",
			name, name, url, name, name, delivery)
	}
	decides := sensorObject(t, namespace, "deciding", "dependencies:\n"+dependencies.String()+"triggers:\n"+triggers.String())

	triggers.Reset()
	for _, name := range slices.Sorted(maps.Keys(acting)) {
		fmt.Fprintf(&triggers, "- template:\n    name: %s\n    %s\n%s", name, strings.ReplaceAll(acting[name], "URL", `"`+url+"/acting/"+name+`"`), delivery)
	}
	fmt.Fprintf(&triggers, `- template:
    name: record
    k8s:
      source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: record-}, data: {ref: "", id: ""}}}
      parameters:
      - {dest: data.ref, src: {dependencyName: all, dataKey: body.ref, value: none}}
      - {dest: data.id, src: {dependencyName: all, contextKey: id}}
%s- template:
    name: state
    k8s:
      operation: patch
      source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: state}, data: {last: ""}}}
      parameters: [{dest: data.last, src: {dependencyName: all, contextKey: id}}]
%s`, delivery, delivery)
	acts := sensorObject(t, namespace, "acting", "template: {serviceAccountName: acting}\ndependencies: [{name: all, eventSourceName: hooks, eventName: in}]\ntriggers:\n"+triggers.String())

	triggers.Reset()
	for _, name := range slices.Sorted(maps.Keys(waiting)) {
		fmt.Fprintf(&triggers, "- template: {name: %s, conditions: %q, http: {url: \"%s/waiting/%s\", payload: ["+
			"{dest: a, src: {dependencyName: a, contextKey: id, value: none}}, {dest: b, src: {dependencyName: b-1, contextKey: id, value: none}}, {dest: c, src: {dependencyName: c, contextKey: id, value: none}}]}}\n%s",
			name, waiting[name], url, name, delivery)
	}
	waits := sensorObject(t, namespace, "waiting", `dependencies:
- {name: a, eventSourceName: hooks, eventName: a}
- {name: b-1, eventSourceName: hooks, eventName: b}
- {name: c, eventSourceName: hooks, eventName: c}
triggers:
`+triggers.String())
	return []*unstructured.Unstructured{decides, acts, waits}
}

// What the live sensors send for an event, replay says, for every event and trigger; and it says nothing else.
func TestReplayDecidesAsTheLiveSensorsDo(t *testing.T) {
	cluster, c := running(t, embedded.NATS, embedded.ArgoEvents)
	events := eventing.NewClient(c, eventing.ClientOptions{})
	home := namespace(t, c)
	natsPort, err := cluster.Port("nats")
	require.NoError(t, err)
	listen, err := cluster.Port("webhook")
	require.NoError(t, err)
	target := newReceiver(t)

	sources := map[string]eventing.Source{}
	for _, name := range []string{"in", "a", "b", "c"} {
		sources[name] = eventing.Webhook{Port: int32(listen), Endpoint: "/" + name}
	}
	sources["filtered"] = eventing.Webhook{Port: int32(listen), Endpoint: "/filtered", Filter: "body.size > 3"}
	bus, err := eventing.EventBus{Namespace: home, Bus: eventing.JetStreamExotic{URL: fmt.Sprintf("nats://127.0.0.1:%d", natsPort)}}.Build()
	require.NoError(t, err)
	source, err := eventing.EventSource{Name: "hooks", Namespace: home, Events: sources}.Build()
	require.NoError(t, err)
	sensors := replaySensors(t, home, target.URL)
	require.NoError(t, events.Apply(t.Context(), append([]*unstructured.Unstructured{bus, source}, append(actingAccount(home), sensors...)...)...))
	state := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"kept": "yes"}}}
	state.SetNamespace(home)
	state.SetName("state")
	require.NoError(t, c.Create(t.Context(), state))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for kind, names := range map[eventing.Kind][]string{
		eventing.EventBusKind: {"default"}, eventing.EventSourceKind: {"hooks"}, eventing.SensorKind: {"deciding", "acting", "waiting"},
	} {
		for _, name := range names {
			require.NoError(t, events.WaitReady(ctx, kind, client.ObjectKey{Namespace: home, Name: name}))
		}
	}
	connection, err := replay.ConnectionOf(t.Context(), c, replay.Bus{Namespace: home, Name: "default"})
	require.NoError(t, err)

	engine, err := replay.New(sensors, replay.Options{})
	require.NoError(t, err)
	silent := len(engine.Faults())
	require.Equal(t, 2, silent)
	consumers := len(deciding) + len(acting) + 2 + 14 // one for each name in a condition that compiles
	server := watchConsumers(t, connection.URL, consumers)

	alongside := recordAlongside(t, connection)

	endpoint := fmt.Sprintf("http://127.0.0.1:%d/", listen)
	var live [][]arrived
	for _, body := range bodies {
		live = append(live, postAndWait(t, server, target, endpoint, "in", body))
	}
	for _, letter := range letters {
		live = append(live, postAndWait(t, server, target, endpoint, string(letter), `{}`))
	}
	for _, body := range bodies {
		require.Empty(t, postAndWait(t, server, target, endpoint, "filtered", body))
	}

	var recorded []cloudevents.Event
	require.NoError(t, replay.Record(t.Context(), connection, replay.RecordOptions{Stored: true}, func(event cloudevents.Event) error {
		recorded = append(recorded, event)
		return nil
	}))
	require.Greater(t, len(recorded), len(bodies)+len(letters))

	require.Equal(t, recorded, alongside(len(recorded)))
	requireSameEvents(t, source, recorded)

	session := engine.NewSession(replay.Bus{Namespace: home, Name: "default"})
	var created []string
	compared, matched, last := 0, 0, ""
	for i, event := range recorded[:len(live)] {
		outcome, err := session.Send(t.Context(), event)
		require.NoError(t, err)
		require.False(t, outcome.Duplicate)
		compared += len(outcome.Decisions) + len(outcome.Firings)
		var replayed []arrived
		for _, firing := range outcome.Firings {
			matched++
			action, err := firing.Action(t.Context())
			switch {
			case err != nil: // The live trigger fails as well, and sends nothing.
			case action.Kind == "http":
				replayed = append(replayed, arrived{
					action.Operation, strings.TrimPrefix(action.Target, target.URL), shownHeader(action.Header), string(action.Payload),
				})
			case action.Operation == "create":
				created = append(created, shownData(action.Object))
			default:
				last, _, _ = unstructured.NestedString(action.Object.Object, "data", "last")
			}
		}
		if diff := cmp.Diff(live[i], sorted(replayed)); diff != "" {
			t.Errorf("event %d: %s\nlive (-) and replayed (+):\n%s", i, event.Data(), diff)
		}
	}
	t.Logf("%d decisions and firings compared for %d events; %d triggers fired", compared, len(recorded), matched)
	require.Greater(t, matched, 200)

	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMapList"})
	require.NoError(t, c.List(t.Context(), list, client.InNamespace(home), client.MatchingLabels{"events.argoproj.io/trigger": "record"}))
	var stored []string
	for i := range list.Items {
		stored = append(stored, shownData(&list.Items[i]))
	}
	slices.Sort(stored)
	slices.Sort(created)
	require.Equal(t, created, stored)
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(state), state))
	require.Equal(t, map[string]any{"kept": "yes", "last": last}, state.Object["data"])
}

// recordAlongside records from now on. The function that it returns waits for a number of events, and ends the recording.
func recordAlongside(t *testing.T, connection replay.Connection) func(number int) []cloudevents.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	started, arrivals, ended := make(chan struct{}), make(chan cloudevents.Event, 1000), make(chan error, 1)
	go func() {
		ended <- replay.Record(ctx, connection, replay.RecordOptions{Source: "hooks", Started: func() { close(started) }}, func(event cloudevents.Event) error {
			arrivals <- event
			return nil
		})
	}()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal(err)
	}
	return func(number int) []cloudevents.Event {
		defer cancel()
		var events []cloudevents.Event
		for len(events) < number {
			select {
			case event := <-arrivals:
				events = append(events, event)
			case <-time.After(10 * time.Second):
				t.Fatalf("only %d of %d events", len(events), number)
			}
		}
		cancel()
		require.NoError(t, <-ended)
		return events
	}
}

// requireSameEvents makes events of the requests, and requires those that the live event source made of them.
func requireSameEvents(t *testing.T, source *unstructured.Unstructured, recorded []cloudevents.Event) {
	t.Helper()
	sources, err := replay.NewSources([]*unstructured.Unstructured{source})
	require.NoError(t, err)
	var want, got []string
	for _, event := range recorded {
		if event.Subject() == "in" || event.Subject() == "filtered" {
			want = append(want, event.Type()+" "+event.Source()+"/"+event.Subject()+" "+string(event.Data()))
		}
	}
	for _, endpoint := range []string{"in", "filtered"} {
		for _, body := range bodies {
			request, err := replay.ReadRequest([]byte("POST /" + endpoint + " HTTP/1.1\nHost: there\nUser-Agent: Go-http-client/1.1\n" +
				"Content-Type: application/json\nAccept-Encoding: gzip\n\n" + body))
			require.NoError(t, err)
			// A filter that fails lets nothing through, as live: the event source logs why.
			received, err := sources.Receive(request, "1", time.Now())
			if err == nil && received.Event != nil {
				got = append(got, received.Event.Type()+" "+received.Event.Source()+"/"+received.Event.Subject()+" "+string(received.Event.Data()))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events of the live source (-) and of Receive (+):\n%s", diff)
	}
}

func shownData(obj *unstructured.Unstructured) string { return fmt.Sprint(obj.Object["data"]) }

// actingAccount lets the sensor write ConfigMaps.
func actingAccount(namespace string) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, text := range []string{
		`{apiVersion: v1, kind: ServiceAccount, metadata: {name: acting}}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: acting}, rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, create, patch]}]}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: acting}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: acting}, subjects: [{kind: ServiceAccount, name: acting}]}`,
	} {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
			panic(err)
		}
		obj.SetNamespace(namespace)
		if obj.GetKind() == "RoleBinding" {
			subjects, _, _ := unstructured.NestedSlice(obj.Object, "subjects")
			subjects[0].(map[string]any)["namespace"] = namespace
			obj.Object["subjects"] = subjects
		}
		objects = append(objects, obj)
	}
	return objects
}

// streamWatch looks at the consumers of the bus.
type streamWatch struct {
	stream nats.JetStreamContext
}

// watchConsumers waits until the sensors have subscribed.
func watchConsumers(t *testing.T, url string, number int) *streamWatch {
	t.Helper()
	conn, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	stream, err := conn.JetStream()
	require.NoError(t, err)
	w := &streamWatch{stream}
	require.Eventually(t, func() bool { return len(w.consumers()) == number }, time.Minute, 200*time.Millisecond,
		"want %d consumers, have %d", number, len(w.consumers()))
	return w
}

func (w *streamWatch) consumers() []*nats.ConsumerInfo {
	var all []*nats.ConsumerInfo
	for info := range w.stream.Consumers("default") {
		all = append(all, info)
	}
	return all
}

// handled tells whether every consumer of an event has acknowledged the last one.
func (w *streamWatch) handled(event string) bool {
	info, err := w.stream.StreamInfo("default")
	return err == nil && !slices.ContainsFunc(w.consumers(), func(consumer *nats.ConsumerInfo) bool {
		return consumer.Config.Durable != "" && consumer.Config.FilterSubject == "default.hooks."+event &&
			consumer.AckFloor.Stream < info.State.LastSeq
	})
}

// postAndWait sends an event and returns what the triggers sent for it.
func postAndWait(t *testing.T, server *streamWatch, target *receiver, url, event, body string) []arrived {
	t.Helper()
	postUntilTaken(t, url+event, body)
	require.Eventually(t, func() bool { return server.handled(event) }, time.Minute, 20*time.Millisecond)
	return target.taken()
}

// postUntilTaken sends an event, again while the event source does not take it, and returns how often again. A pod that is
// ready may still be about to listen.
func postUntilTaken(t *testing.T, url, body string) int {
	t.Helper()
	for again := range 600 {
		response, err := http.Post(url, "application/json", strings.NewReader(body)) //nolint:noctx // it is the test's own server
		if err == nil {
			require.NoError(t, response.Body.Close())
			if response.StatusCode == http.StatusOK {
				return again
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("%s does not take %s", url, body)
	return 0
}
