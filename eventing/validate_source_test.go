package eventing_test

import (
	"testing"

	"github.com/controlbackbone/backbone/eventing"
)

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
				`events[pull]: Required value: Webhook, GitHub, Resource or another source`,
				`events[push]: Required value: Webhook, GitHub, Resource or another source`,
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
		"webhooks on one port show one certificate": {
			source: source(map[string]eventing.Source{
				"a": eventing.Webhook{Port: 1, Endpoint: "/a", Certificate: certificate, Key: privateKey},
				"b": eventing.Webhook{Port: 1, Endpoint: "/b", Certificate: &eventing.SecretKey{Name: "tls", Key: "tls.crt"}, Key: privateKey},
				"c": eventing.Webhook{Port: 1, Endpoint: "/c"},
			}),
			want: []string{
				`events[c]: Forbidden: another source on the port has another certificate`,
				`events[c]: Forbidden: another source on the port has another certificate`,
			},
		},
		"sources of two kinds cannot share a port": {
			source: source(map[string]eventing.Source{
				"a": webhook,
				"b": eventing.GitHub{Listener: eventing.Listener{Port: 12000, Endpoint: "/github"}, Organizations: []string{"shop"}, Unsigned: true},
				"c": eventing.Alertmanager{Listener: eventing.Listener{Port: 12000}},
			}),
			want: []string{
				`events[b]: Forbidden: a source of the kind webhook has the port`,
				`events[c]: Forbidden: a source of the kind github has the port`,
			},
		},
		"sources that are called and sources that fetch need an object each": {
			source: source(map[string]eventing.Source{
				"a": webhook,
				"b": eventing.Calendar{Schedule: "0 3 * * *"},
				"c": eventing.RawSource{Kind: "amqp", Spec: map[string]any{"url": "amqp://a"}},
				"d": eventing.SQS{Region: "a", Queue: "b"},
			}),
			want: []string{
				`events[b]: Forbidden: upstream refuses sources that others call beside those that fetch events: use another event source`,
				`events[c]: Forbidden: upstream refuses sources that others call beside those that fetch events: use another event source`,
			},
		},
		"the Service has an address": {
			source: eventing.EventSource{
				Name: "git", Namespace: "events", Replicas: -1, Events: map[string]eventing.Source{"push": webhook},
				Pod:     eventing.Pod{ImagePullSecrets: []string{""}, Container: eventing.Container{ImagePullPolicy: "Sometimes"}},
				Service: eventing.Service{ClusterIP: "localhost"},
			},
			want: []string{
				`replicas: Invalid value: -1: must not be negative`,
				`pod.imagePullSecrets[0]: Required value: the object needs a name`,
				`pod.container.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
				`service.clusterIP: Invalid value: "localhost": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
			},
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
