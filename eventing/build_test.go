package eventing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/golden"
)

// builder is what every type of the package with a Build method is.
type builder interface {
	Build() (*unstructured.Unstructured, error)
}

// builders are named after the file under testdata that holds the object.
var builders = map[string]builder{
	"eventbus-jetstream": eventing.EventBus{
		Namespace: "argo-events",
		Labels:    map[string]string{"owner": "platform"},
		Bus:       eventing.JetStream{},
	},
	"eventbus-jetstream-tuned": eventing.EventBus{
		Name:        "tuned",
		Namespace:   "argo-events",
		Annotations: map[string]string{"example.com/purpose": "audit"},
		Bus: eventing.JetStream{
			Version:  "2.10.10",
			Replicas: 5,
			Stream:   eventing.Stream{MaxAge: 24 * time.Hour, Replicas: 3},
		},
	},
	"eventbus-exotic": eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.JetStreamExotic{URL: "nats://127.0.0.1:4222"},
	},
	"eventbus-exotic-tuned": eventing.EventBus{
		Namespace: "argo-events",
		Bus: eventing.JetStreamExotic{
			URL:  "tls://nats-0.nats:4222,tls://nats-1.nats:4222",
			Auth: &eventing.SecretKey{Name: "nats", Key: "auth.yaml"},
			Stream: eventing.Stream{
				MaxMessages: -1, MaxBytes: 1 << 30, MaxAge: time.Hour, Replicas: 3, Duplicates: time.Minute,
			},
		},
	},
	"eventbus-raw": eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.RawBus{Spec: map[string]any{"kafka": map[string]any{"url": "kafka:9092"}}},
	},
	"eventsource-webhooks": eventing.EventSource{
		Name:      "git",
		Namespace: "argo-events",
		EventBus:  "tuned",
		Events: map[string]eventing.Source{
			"push": eventing.Webhook{Port: 12000, Endpoint: "/push", Auth: &eventing.SecretKey{Name: "git", Key: "token"}},
			"pull": eventing.Webhook{Port: 12000, Endpoint: "/pull", Filter: `body.action == "opened"`},
			"ping": eventing.Webhook{Port: 12001, Endpoint: "/ping", Method: "GET"},
		},
	},
	"eventsource-raw": eventing.EventSource{
		Name:      "nightly",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"night": eventing.RawSource{Kind: "calendar", Spec: map[string]any{"schedule": "0 3 * * *"}},
		},
	},
	"eventsource-resource": eventing.EventSource{
		Name:      "applications",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"changed": eventing.RawSource{
				Kind: "resource",
				Spec: map[string]any{
					"group": "argoproj.io", "version": "v1alpha1", "resource": "applications",
					"namespace": "argocd", "eventTypes": []string{"UPDATE"},
				},
				Permissions: []eventing.Permission{{
					Namespace: "argocd", Group: "argoproj.io", Resource: "applications", Verbs: []string{"list", "watch"},
				}},
			},
		},
	},
	"sensor-argocd": eventing.Sensor{
		Name:      "sync-shop",
		Namespace: "argo-events",
		Dependencies: []eventing.Dependency{{
			Name: "push", EventSource: "git", Event: "push",
			Filters: eventing.Filters{Data: []eventing.DataFilter{
				eventing.StringIn{Path: "body.ref", Values: []string{"refs/heads/main", "refs/heads/release-1.0"}},
			}},
		}},
		Triggers: []eventing.SensorTrigger{{
			Name:    "sync",
			Trigger: eventing.ArgoCDTrigger{Application: "shop"},
		}},
	},
	"sensor-argocd-tuned": eventing.Sensor{
		Name:         "sync-shop",
		Namespace:    "argo-events",
		EventBus:     "tuned",
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
		Triggers: []eventing.SensorTrigger{{
			Name: "sync",
			Trigger: eventing.ArgoCDTrigger{
				Application: "shop",
				Namespace:   "team-a",
				Revision:    "main",
				Prune:       new(false),
				SyncOptions: []string{"CreateNamespace=true"},
				Parameters: []eventing.Parameter{{
					From:    eventing.DataKey{Dependency: "push", Path: "body.after"},
					To:      "operation.sync.revision",
					Default: new("main"),
				}},
			},
			Delivery: eventing.AtMostOnce,
		}},
	},
	"sensor-filters": eventing.Sensor{
		Name:      "filters",
		Namespace: "argo-events",
		Dependencies: []eventing.Dependency{{
			Name: "alert", EventSource: "alerts", Event: "firing",
			Filters: eventing.Filters{Data: []eventing.DataFilter{
				eventing.StringNotIn{Path: "body.severity", Values: []string{"info", "none"}},
				eventing.StringMatches{Path: "body.service", Pattern: "^shop-"},
				eventing.Number{Path: "body.burnRate", Is: eventing.GreaterOrEqual, Value: 14.4},
				eventing.Number{Path: "body.count", Value: 3},
				eventing.Bool{Path: "body.page", Value: true},
				eventing.RawDataFilter{Filter: map[string]any{
					"path": "body.name", "type": "string", "value": []string{"x"}, "template": "{{ upper .Input }}",
				}},
			}},
		}},
		Triggers: []eventing.SensorTrigger{{Name: "log", Trigger: eventing.LogTrigger{Interval: 10 * time.Second}}},
	},
	"sensor-triggers": eventing.Sensor{
		Name:      "triggers",
		Namespace: "argo-events",
		Dependencies: []eventing.Dependency{
			{Name: "push", EventSource: "git", Event: "push"},
			{Name: "nightly", EventSource: "nightly", Event: "night"},
		},
		Triggers: []eventing.SensorTrigger{
			{
				Name:  "notify",
				When:  "push || nightly",
				Retry: &eventing.Retry{Attempts: 10, Pause: 500 * time.Millisecond, Factor: 1.5, Jitter: 1},
				Trigger: eventing.HTTPTrigger{
					URL:           "https://chat.example.com/hook",
					Method:        "PUT",
					Headers:       map[string]string{"Content-Type": "application/json"},
					SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: "chat", Key: "token"}},
					Payload: []eventing.Parameter{
						{From: eventing.DataKey{Dependency: "push", Path: "body.commits", Raw: true}, To: "commits", Default: new("")},
						{From: eventing.DataTemplate{Dependency: "push", Template: "{{ .Input.body.ref }}"}, To: "ref", Default: new("")},
						{From: eventing.ContextKey{Dependency: "push", Path: "id"}, To: "id", Default: new("")},
						{From: eventing.ContextTemplate{Dependency: "push", Template: "{{ .Input.time }}"}, To: "at", Operation: eventing.Append, Default: new("")},
						{From: eventing.RawParameterSource{Source: map[string]any{"dependencyName": "nightly", "dataKey": "eventTime"}}, To: "night", Default: new("")},
					},
					Timeout:  5 * time.Second,
					Statuses: []int32{200, 202},
				},
			},
			{
				Name: "forward",
				Trigger: eventing.HTTPTrigger{
					URL:     "http://responder.shop:8080/events",
					Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "push"}}},
				},
			},
			{
				Name: "record",
				Trigger: eventing.ObjectTrigger{
					Object: &unstructured.Unstructured{Object: map[string]any{
						"apiVersion": "v1", "kind": "ConfigMap",
						"metadata": map[string]any{"generateName": "push-"},
						"data":     map[string]any{"ref": ""},
					}},
					Parameters: []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.ref"}, To: "data.ref"}},
				},
			},
			{
				Name: "restart",
				Trigger: eventing.ObjectTrigger{
					Operation: eventing.Patch,
					Object: &unstructured.Unstructured{Object: map[string]any{
						"apiVersion": "apps/v1", "kind": "Deployment",
						"metadata": map[string]any{"name": "shop", "namespace": "shop"},
						"spec":     map[string]any{"paused": false},
					}},
				},
			},
			{
				Name: "say",
				Trigger: eventing.RawTrigger{
					Kind: "slack",
					Spec: map[string]any{"channel": "deployments", "slackToken": map[string]any{"name": "slack", "key": "token"}},
				},
			},
		},
	},
}

func TestBuildMakesTheObjectsUnderTestdata(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			obj, err := value.Build()
			require.NoError(t, err)
			golden.Equal(t, name, obj)
		})
	}
}

func TestBuildSharesNothingWithItsInput(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			first, err := value.Build()
			require.NoError(t, err)
			untouched := first.DeepCopy()
			overwrite(first.Object)
			second, err := value.Build()
			require.NoError(t, err)
			if diff := cmp.Diff(untouched.Object, second.Object); diff != "" {
				t.Errorf("a change of the first object shows in the second (-want +got):\n%s", diff)
			}
		})
	}
}

// overwrite changes every map and list below a value.
func overwrite(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			overwrite(item)
			value[key] = "overwritten"
		}
	case []any:
		for i, item := range value {
			overwrite(item)
			value[i] = "overwritten"
		}
	}
}

func TestBuildMakesNoFieldThatWasNotMeant(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			obj, err := value.Build()
			require.NoError(t, err)
			require.NotContains(t, obj.Object, "status")
			require.NotContains(t, obj.Object["metadata"], "creationTimestamp")
		})
	}
}
