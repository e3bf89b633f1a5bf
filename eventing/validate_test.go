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

func TestEventBusFaults(t *testing.T) {
	exotic := func(url string) eventing.EventBus {
		return eventing.EventBus{Namespace: "events", Bus: eventing.JetStreamExotic{URL: url}}
	}
	tests := map[string]struct {
		bus  eventing.EventBus
		want []string
	}{
		"a bus needs a namespace and a transport": {
			bus: eventing.EventBus{},
			want: []string{
				`namespace: Required value`,
				`bus: Required value: JetStream, JetStreamExotic or RawBus`,
			},
		},
		"a nil pointer is no transport": {
			bus:  eventing.EventBus{Namespace: "events", Bus: (*eventing.JetStream)(nil)},
			want: []string{`bus: Required value: JetStream, JetStreamExotic or RawBus`},
		},
		"a pointer to a transport is one": {
			bus: eventing.EventBus{Namespace: "events", Bus: &eventing.JetStream{}},
		},
		"the name is a label, not a subdomain": {
			bus:  eventing.EventBus{Name: "a.b", Namespace: "events", Bus: eventing.JetStream{}},
			want: []string{`name: Invalid value: "a.b": must not contain dots`},
		},
		"two servers form no quorum": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.JetStream{Replicas: 2}},
			want: []string{`bus.replicas: Invalid value: 2: must be 1, or 3 and more, to form a quorum`},
		},
		"limits of the stream are checked": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStream{Stream: eventing.Stream{
				MaxMessages: -2, MaxBytes: -2, MaxAge: -1, Duplicates: -1, Replicas: 2,
			}}},
			want: []string{
				`bus.stream.maxMessages: Invalid value: -2: must be -1 or more`,
				`bus.stream.maxBytes: Invalid value: -2: must be -1 or more`,
				`bus.stream.maxAge: Invalid value: "-1ns": must not be negative`,
				`bus.stream.duplicates: Invalid value: "-1ns": must not be negative`,
				`bus.stream.replicas: Invalid value: 2: must be 1, 3 or 5`,
			},
		},
		"a foreign server needs a URL":        {bus: exotic(""), want: []string{`bus.url: Required value`}},
		"a URL needs a host":                  {bus: exotic("nats://"), want: []string{`bus.url: Invalid value: "nats://": must name a host`}},
		"a URL needs a scheme of NATS":        {bus: exotic("http://nats:4222"), want: []string{`bus.url: Invalid value: "http://nats:4222": must have one of the schemes nats, tls, ws, wss`}},
		"credentials in a URL are not echoed": {bus: exotic("nats://me:hunter2@nats:4222"), want: []string{`bus.url: Invalid value: must not carry credentials: reference a Secret instead`}},
		"an unreadable URL is not echoed":     {bus: exotic("nats://me:hunter2@nats:port"), want: []string{`bus.url: Invalid value: must be a URL`}},
		"every server of a list is checked":   {bus: exotic("nats://a:4222,b"), want: []string{`bus.url: Invalid value: "b": must have one of the schemes nats, tls, ws, wss`}},
		"a secret key needs a name and a key": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStreamExotic{URL: "nats://nats:4222", Auth: &eventing.SecretKey{Key: "a/b"}}},
			want: []string{
				`bus.auth.name: Required value: the object needs a name`,
				`bus.auth.key: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
			},
		},
		"a raw bus is one transport": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.RawBus{Spec: map[string]any{"kafka": 1, "nats": 2}}},
			want: []string{`bus.spec: Too many: 2: must have at most 1 items`},
		},
		"a raw bus is not empty": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.RawBus{}},
			want: []string{`bus.spec: Required value`},
		},
		"a raw bus is JSON": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.RawBus{Spec: map[string]any{"kafka": make(chan int)}}},
			want: []string{`bus.spec: Invalid value: encode map[string]interface {}: json: unsupported type: chan int`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { check(t, test.bus, test.want) })
	}
}

func TestEventSourceFaults(t *testing.T) {
	source := func(events map[string]eventing.Source) eventing.EventSource {
		return eventing.EventSource{Name: "git", Namespace: "events", Events: events}
	}
	webhook := eventing.Webhook{Port: 12000, Endpoint: "/push"}
	tests := map[string]struct {
		source eventing.EventSource
		want   []string
	}{
		"an event source needs a name, a namespace and an event": {
			source: eventing.EventSource{},
			want: []string{
				`name: Required value: the object needs a name`,
				`namespace: Required value`,
				`events: Required value: at least one event is required`,
			},
		},
		"references are names": {
			source: eventing.EventSource{
				Name: "git", Namespace: "events", EventBus: "a.b", ServiceAccountName: "A",
				Events: map[string]eventing.Source{"push": webhook},
			},
			want: []string{
				`eventBus: Invalid value: "a.b": must not contain dots`,
				`serviceAccountName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			},
		},
		"an event needs a source": {
			source: source(map[string]eventing.Source{"push": nil, "pull": (*eventing.Webhook)(nil)}),
			want: []string{
				`events[pull]: Required value: Webhook or RawSource`,
				`events[push]: Required value: Webhook or RawSource`,
			},
		},
		"the name of an event is one token of a subject": {
			source: source(map[string]eventing.Source{"push.main": webhook}),
			want:   []string{`events[push.main]: Invalid value: "push.main": must match ^[A-Za-z0-9_-]+$`},
		},
		"a webhook needs a port and an endpoint": {
			source: source(map[string]eventing.Source{"push": eventing.Webhook{}}),
			want: []string{
				`events[push].port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`events[push].endpoint: Required value`,
			},
		},
		"an endpoint is a plain path": {
			source: source(map[string]eventing.Source{
				"a": eventing.Webhook{Port: 1, Endpoint: "push"},
				"b": eventing.Webhook{Port: 1, Endpoint: "/{name}"},
			}),
			want: []string{
				`events[a].endpoint: Invalid value: "push": must start with a slash`,
				`events[b].endpoint: Invalid value: "/{name}": must be a plain path without braces, query, fragment or space`,
			},
		},
		"a webhook reads GET and POST only": {
			source: source(map[string]eventing.Source{"push": eventing.Webhook{Port: 1, Endpoint: "/", Method: "PUT"}}),
			want:   []string{`events[push].method: Unsupported value: "PUT": supported values: "GET", "POST"`},
		},
		"two webhooks cannot share a route, be it through a pointer": {
			source: source(map[string]eventing.Source{"a": webhook, "b": &webhook}),
			want:   []string{`events[b].endpoint: Duplicate value: "/push"`},
		},
		"the name of a source with webhooks must fit a Service": {
			source: eventing.EventSource{Name: "1git", Namespace: "events", Events: map[string]eventing.Source{"push": webhook}},
			want:   []string{`name: Invalid value: "1git": followed by -eventsource-svc it names a Service: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`},
		},
		"a raw source is a source": {
			source: source(map[string]eventing.Source{
				"a": eventing.RawSource{Kind: "template", Spec: map[string]any{"a": 1}},
				"b": eventing.RawSource{},
			}),
			want: []string{
				`events[a].kind: Invalid value: "template": is no source`,
				`events[b].kind: Required value`,
				`events[b].spec: Required value`,
			},
		},
		"permissions name a resource and verbs": {
			source: source(map[string]eventing.Source{"a": eventing.RawSource{
				Kind: "resource", Spec: map[string]any{"resource": "pods"},
				Permissions: []eventing.Permission{{Namespace: "A B", ClusterWide: true, Names: []string{""}}},
			}}),
			want: []string{
				`events[a].permissions[0].namespace: Invalid value: "A B": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`events[a].permissions[0].namespace: Forbidden: clusterWide is set`,
				`events[a].permissions[0].resource: Required value`,
				`events[a].permissions[0].names[0]: Required value`,
				`events[a].permissions[0].verbs: Required value`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { check(t, test.source, test.want) })
	}
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
