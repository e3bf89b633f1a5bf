package conformance_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/eventsources/sources/awssns"
	"github.com/argoproj/argo-events/pkg/eventsources/sources/awssqs"
	"github.com/argoproj/argo-events/pkg/eventsources/sources/calendar"
	"github.com/argoproj/argo-events/pkg/eventsources/sources/resource"
	"github.com/argoproj/argo-events/pkg/eventsources/sources/webhook"
	"github.com/argoproj/argo-events/pkg/reconciler/eventbus"
	"github.com/argoproj/argo-events/pkg/reconciler/sensor"
	sensordependencies "github.com/argoproj/argo-events/pkg/sensors/dependencies"
	"github.com/argoproj/argo-events/pkg/sensors/triggers"
	sharedutil "github.com/argoproj/argo-events/pkg/shared/util"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/conformance"
)

// Upstream's controllers refuse what these functions refuse.
func TestEventingObjectsPassUpstreamValidation(t *testing.T) {
	bus := &v1alpha1.EventBus{Spec: v1alpha1.EventBusSpec{JetStream: &v1alpha1.JetStreamBus{Version: "latest"}}}
	for name, obj := range built(t, "eventing") {
		t.Run(name, func(t *testing.T) {
			switch obj.GetKind() {
			case "EventBus":
				typed := &v1alpha1.EventBus{}
				conformance.Strict(t, obj, typed)
				require.NoError(t, eventbus.ValidateEventBus(typed))
			case "EventSource":
				typed := &v1alpha1.EventSource{}
				conformance.Strict(t, obj, typed)
				for name, listener := range upstreamListeners(typed.Spec) {
					require.NoError(t, listener.ValidateEventSource(t.Context()), name)
				}
			case "Sensor":
				typed := &v1alpha1.Sensor{}
				conformance.Strict(t, obj, typed)
				require.NoError(t, sensor.ValidateSensor(typed, bus))
			}
		})
	}
}

// upstreamListener is what upstream starts for one source.
type upstreamListener interface {
	ValidateEventSource(ctx context.Context) error
}

// upstreamListeners returns those whose packages need no client that go.mod does
// not have.
func upstreamListeners(spec v1alpha1.EventSourceSpec) map[string]upstreamListener {
	listeners := map[string]upstreamListener{}
	for name, source := range spec.Webhook {
		listeners[name] = &webhook.EventListener{Webhook: source}
	}
	for name, source := range spec.Calendar {
		listeners[name] = &calendar.EventListener{CalendarEventSource: source}
	}
	for name, source := range spec.Resource {
		listeners[name] = &resource.EventListener{ResourceEventSource: source}
	}
	for name, source := range spec.SQS {
		listeners[name] = &awssqs.EventListener{SQSEventSource: source}
	}
	for name, source := range spec.SNS {
		listeners[name] = &awssns.EventListener{SNSEventSource: source}
	}
	return listeners
}

// The labels of a resource mean to upstream what they mean to Kubernetes.
func TestResourceLabelsSelectAsInKubernetes(t *testing.T) {
	for _, selector := range []string{
		"app=shop", "app==shop", "app!=shop", "tier in (web,api)", "tier notin (web)", "app", "!app", "size>3", "size<5", "app=,tier in (web)",
	} {
		t.Run(selector, func(t *testing.T) {
			obj, err := eventing.EventSource{Name: "s", Namespace: "events", Events: map[string]eventing.Source{"e": eventing.Resource{
				Version: "v1", Resource: "pods", Namespace: "shop", Changes: []eventing.Change{eventing.Added}, Labels: selector,
			}}}.Build()
			require.NoError(t, err)
			typed := &v1alpha1.EventSource{}
			conformance.Strict(t, obj, typed)
			got, err := resource.LabelSelector(typed.Spec.Resource["e"].Filter.Labels)
			require.NoError(t, err)
			want, err := labels.Parse(selector)
			require.NoError(t, err)
			for _, set := range []labels.Set{{}, {"app": ""}, {"app": "shop"}, {"app": "bank"}, {"tier": "web", "app": ""}, {"tier": "db"}, {"size": "4"}, {"size": "3"}, {"size": "5"}} {
				require.Equal(t, want.Matches(set), got.Matches(set), "%v", set)
			}
		})
	}
}

// The days without events are those that upstream leaves out.
func TestCalendarDaysAreLeftOut(t *testing.T) {
	obj, err := eventing.EventSource{Name: "s", Namespace: "events", Events: map[string]eventing.Source{"e": eventing.Calendar{
		Schedule: "0 3 * * *", Except: []string{"2026-12-25", "2027-01-01"},
	}}}.Build()
	require.NoError(t, err)
	typed := &v1alpha1.EventSource{}
	conformance.Strict(t, obj, typed)
	got, err := sharedutil.ParseExclusionDates(typed.Spec.Calendar["e"].ExclusionDates)
	require.NoError(t, err)
	want := []time.Time{time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
}

// upstreamSensor builds a sensor and decodes it as the sensor's pod does.
func upstreamSensor(t *testing.T, filters []eventing.DataFilter, trigger eventing.Trigger) *v1alpha1.Sensor {
	t.Helper()
	obj, err := eventing.Sensor{
		Name: "sync", Namespace: "events",
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push", Filters: eventing.Filters{Data: filters}}},
		Triggers:     []eventing.SensorTrigger{{Name: "sync", Trigger: trigger}},
	}.Build()
	require.NoError(t, err)
	typed := &v1alpha1.Sensor{}
	conformance.Strict(t, obj, typed)
	return typed
}

func event(data string) *v1alpha1.Event {
	return &v1alpha1.Event{
		Context: &v1alpha1.EventContext{ID: "1", DataContentType: v1alpha1.MediaTypeJSON},
		Data:    []byte(data),
	}
}

// The filters mean to upstream's engine what their documentation says.
func TestDataFiltersDecideAsTheyAreDocumented(t *testing.T) {
	main := eventing.StringIn{Path: "body.ref", Values: []string{"refs/heads/main", "a.b"}}
	quiet := eventing.StringNotIn{Path: "body.severity", Values: []string{"info", "none"}}
	tests := map[string]struct {
		filters []eventing.DataFilter
		data    string
		want    bool
	}{
		"no filter lets everything through":             {nil, `{}`, true},
		"a string equals one of the values":             {[]eventing.DataFilter{main}, `{"body":{"ref":"refs/heads/main"}}`, true},
		"a longer string does not equal":                {[]eventing.DataFilter{main}, `{"body":{"ref":"refs/heads/main-2"}}`, false},
		"a prefixed string does not equal":              {[]eventing.DataFilter{main}, `{"body":{"ref":"x/refs/heads/main"}}`, false},
		"a second line does not make it equal":          {[]eventing.DataFilter{main}, `{"body":{"ref":"refs/heads/main\nx"}}`, false},
		"a value is no pattern":                         {[]eventing.DataFilter{main}, `{"body":{"ref":"axb"}}`, false},
		"a missing path does not match":                 {[]eventing.DataFilter{main}, `{"body":{}}`, false},
		"an excluded value does not match":              {[]eventing.DataFilter{quiet}, `{"body":{"severity":"none"}}`, false},
		"the first excluded value does not match":       {[]eventing.DataFilter{quiet}, `{"body":{"severity":"info"}}`, false},
		"another value matches":                         {[]eventing.DataFilter{quiet}, `{"body":{"severity":"page"}}`, true},
		"an exclusion does not match a missing path":    {[]eventing.DataFilter{quiet}, `{"body":{}}`, false},
		"an empty value can be asked for":               {[]eventing.DataFilter{eventing.StringIn{Path: "a", Values: []string{""}}}, `{"a":""}`, true},
		"a pattern is found anywhere":                   {[]eventing.DataFilter{eventing.StringMatches{Path: "a", Pattern: "b+"}}, `{"a":"abbc"}`, true},
		"a number is equal by default":                  {[]eventing.DataFilter{eventing.Number{Path: "a", Value: 3}}, `{"a":3.0}`, true},
		"the number of the event is on the left":        {[]eventing.DataFilter{eventing.Number{Path: "a", Is: eventing.Greater, Value: 3}}, `{"a":4}`, true},
		"a boundary is not greater":                     {[]eventing.DataFilter{eventing.Number{Path: "a", Is: eventing.Greater, Value: 3}}, `{"a":3}`, false},
		"a boundary is greater or equal":                {[]eventing.DataFilter{eventing.Number{Path: "a", Is: eventing.GreaterOrEqual, Value: 3}}, `{"a":3}`, true},
		"less":                                          {[]eventing.DataFilter{eventing.Number{Path: "a", Is: eventing.Less, Value: 3}}, `{"a":2}`, true},
		"less or equal":                                 {[]eventing.DataFilter{eventing.Number{Path: "a", Is: eventing.LessOrEqual, Value: 3}}, `{"a":3}`, true},
		"not equal":                                     {[]eventing.DataFilter{eventing.Number{Path: "a", Is: eventing.NotEqual, Value: 3}}, `{"a":3}`, false},
		"a large number keeps its digits":               {[]eventing.DataFilter{eventing.Number{Path: "a", Value: 1234567890123}}, `{"a":1234567890123}`, true},
		"a boolean":                                     {[]eventing.DataFilter{eventing.Bool{Path: "a", Value: true}}, `{"a":true}`, true},
		"a value that is no boolean counts as false":    {[]eventing.DataFilter{eventing.Bool{Path: "a"}}, `{"a":"yes"}`, true},
		"all filters must match":                        {[]eventing.DataFilter{main, quiet}, `{"body":{"ref":"refs/heads/main","severity":"info"}}`, false},
		"an index selects an element, as for a header ": {[]eventing.DataFilter{eventing.StringIn{Path: "header.X-Event.0", Values: []string{"push"}}}, `{"header":{"X-Event":["push"]}}`, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dependency := upstreamSensor(t, test.filters, eventing.LogTrigger{}).Spec.Dependencies[0]
			got := dependency.Filters == nil
			if !got {
				// The error only says why an event does not match.
				got, _ = sensordependencies.Filter(event(test.data), dependency.Filters, dependency.FiltersLogicalOperator)
			}
			require.Equal(t, test.want, got)
		})
	}
}

// What upstream's engine sends for an event is what the trigger means.
func TestArgoCDTriggerPatchesTheOperation(t *testing.T) {
	trigger := eventing.ArgoCDTrigger{
		Application: "shop",
		Parameters: []eventing.Parameter{{
			From:    eventing.DataKey{Dependency: "push", Path: "body.after"},
			To:      "operation.sync.revision",
			Default: new("main"),
		}},
	}
	tests := map[string]struct{ data, want string }{
		"the revision comes from the event":         {`{"body":{"after":"abc"}}`, "abc"},
		"the default stands in for a missing value": {`{"body":{}}`, "main"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k8s := upstreamSensor(t, nil, trigger).Spec.Triggers[0].Template.K8s
			patch, err := triggers.FetchKubernetesResource(k8s.Source)
			require.NoError(t, err)
			events := map[string]*v1alpha1.Event{"push": event(test.data)}
			require.NoError(t, triggers.ApplyResourceParameters(events, k8s.Parameters, patch))
			want := map[string]any{
				"apiVersion": "argoproj.io/v1alpha1",
				"kind":       "Application",
				"metadata":   map[string]any{"name": "shop", "namespace": "argocd"},
				"operation": map[string]any{
					"initiatedBy": map[string]any{"username": "sensor/events/sync"},
					"sync": map[string]any{
						"prune":       true,
						"revision":    test.want,
						"syncOptions": []any{"ServerSideApply=true", "ApplyOutOfSyncOnly=true"},
					},
				},
			}
			if diff := cmp.Diff(want, patch.Object); diff != "" {
				t.Errorf("patch (-want +got):\n%s", diff)
			}
			require.Equal(t, v1alpha1.Patch, k8s.Operation)
		})
	}
}

// Upstream sends the template of these triggers, so their parameters must change
// it rather than a copy.
func TestParametersOfMessagesChangeTheTemplate(t *testing.T) {
	parameters := func(to string) []eventing.Parameter {
		return []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.ref"}, To: to, Operation: eventing.Append}}
	}
	key := eventing.SecretKey{Name: "a", Key: "b"}
	tests := map[string]struct {
		trigger eventing.Trigger
		got     func(template *v1alpha1.TriggerTemplate) string
	}{
		"a message on Slack": {
			eventing.SlackTrigger{Token: key, Channel: "a", Message: "pushed ", Parameters: parameters("message")},
			func(template *v1alpha1.TriggerTemplate) string { return template.Slack.Message },
		},
		"an e-mail": {
			eventing.EmailTrigger{Host: "a", Port: 25, From: "a@b.de", To: []string{"a@b.de"}, Subject: "a", Body: "pushed ", Parameters: parameters("body")},
			func(template *v1alpha1.TriggerTemplate) string { return template.Email.Body },
		},
		"a message on NATS": {
			eventing.NATSTrigger{URL: "nats://nats:4222", Subject: "pushed ", Payload: parameters("a"), Parameters: parameters("subject")},
			func(template *v1alpha1.TriggerTemplate) string { return template.NATS.Subject },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trigger := upstreamSensor(t, nil, test.trigger).Spec.Triggers[0]
			require.NoError(t, triggers.ApplyTemplateParameters(map[string]*v1alpha1.Event{"push": event(`{"body":{"ref":"main"}}`)}, &trigger))
			require.Equal(t, "pushed main", test.got(trigger.Template))
		})
	}
}

// The payload of an HTTP trigger is what upstream's engine puts together.
func TestHTTPTriggerPayload(t *testing.T) {
	tests := map[string]struct {
		payload []eventing.Parameter
		want    string
	}{
		"values become strings": {
			[]eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.count"}, To: "count"}},
			`{"count":"3"}`,
		},
		"raw values keep their type": {
			[]eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.list", Raw: true}, To: "list"}},
			`{"list":[1,2]}`,
		},
		"templates see the data as .Input": {
			[]eventing.Parameter{{From: eventing.DataTemplate{Dependency: "push", Template: "{{ .Input.body.name | upper }}"}, To: "name"}},
			`{"name":"SHOP"}`,
		},
		"the context has the ID": {
			[]eventing.Parameter{
				{From: eventing.ContextKey{Dependency: "push", Path: "id"}, To: "id"},
				{From: eventing.ContextTemplate{Dependency: "push", Template: "event-{{ .Input.id }}"}, To: "text"},
			},
			`{"id":"1","text":"event-1"}`,
		},
		"an empty path makes the value the body": {
			[]eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.name"}}},
			`shop`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			http := upstreamSensor(t, nil, eventing.HTTPTrigger{URL: "https://chat", Payload: test.payload}).Spec.Triggers[0].Template.HTTP
			events := map[string]*v1alpha1.Event{"push": event(`{"body":{"count":3,"list":[1,2],"name":"shop"}}`)}
			got, err := triggers.ConstructPayload(events, http.Payload)
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
		})
	}
}

// The builder asks for a default where upstream would crash.
func TestUpstreamCrashesOnAMissingEvent(t *testing.T) {
	http := upstreamSensor(t, nil, eventing.HTTPTrigger{
		URL: "https://chat", Payload: []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "a"}, To: "a"}},
	}).Spec.Triggers[0].Template.HTTP
	require.Panics(t, func() { _, _ = triggers.ConstructPayload(map[string]*v1alpha1.Event{}, http.Payload) })
	http.Payload[0].Src.Value = new("")
	payload, err := triggers.ConstructPayload(map[string]*v1alpha1.Event{}, http.Payload)
	require.NoError(t, err)
	require.Equal(t, `{"a":""}`, string(payload))
}

func TestWholeEventIsTheEventAsJSON(t *testing.T) {
	http := upstreamSensor(t, nil, eventing.HTTPTrigger{
		URL: "https://chat", Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "push"}}},
	}).Spec.Triggers[0].Template.HTTP
	want := event(`{"body":{}}`)
	got, err := triggers.ConstructPayload(map[string]*v1alpha1.Event{"push": want}, http.Payload)
	require.NoError(t, err)
	var decoded v1alpha1.Event
	require.NoError(t, json.Unmarshal(got, &decoded))
	if diff := cmp.Diff(want.Data, decoded.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

// A right on a resource of another name than the one upstream asks for would be
// no right at all.
func TestObjectTriggerRightsNameTheResourceUpstreamUses(t *testing.T) {
	kinds := []string{
		"Pod", "ConfigMap", "Deployment", "Ingress", "NetworkPolicy", "ClusterPolicy", "Gateway", "EventBus", "Application",
		"StorageClass", "Endpoints", "Switch", "Mesh", "Path", "Box", "Quiz", "Shelf", "Knife", "X", "Proxy", "Key",
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			obj := &unstructured.Unstructured{}
			obj.SetAPIVersion("example.com/v1")
			obj.SetKind(kind)
			obj.SetName("a")
			rights, err := eventing.Sensor{
				Name: "sync", Namespace: "events",
				Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
				Triggers:     []eventing.SensorTrigger{{Name: "sync", Trigger: eventing.ObjectTrigger{Object: obj}}},
			}.RBAC()
			require.NoError(t, err)
			require.Equal(t, "Role", rights[1].GetKind())
			rules, _, err := unstructured.NestedSlice(rights[1].Object, "rules")
			require.NoError(t, err)
			want := []any{triggers.GetGroupVersionResource(obj).Resource}
			if diff := cmp.Diff(want, rules[0].(map[string]any)["resources"]); diff != "" {
				t.Errorf("resource (-want +got):\n%s", diff)
			}
		})
	}
}
