package eventing_test

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
)

// sensors set, together, every field of a Sensor.
var sensors = map[string]builder{
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
	"sensor-filters-every-field": eventing.Sensor{
		Name:                 "every-filter",
		Namespace:            "argo-events",
		Labels:               map[string]string{"owner": "platform"},
		Annotations:          map[string]string{"example.com/purpose": "audit"},
		Replicas:             2,
		RevisionHistoryLimit: new(int32(0)),
		LoggingFields:        map[string]string{"team": "platform"},
		Pod:                  workerPod,
		Dependencies: []eventing.Dependency{
			{
				Name: "alert", EventSource: "alerts", Event: "firing",
				Transform: eventing.JQ{Program: "{alerts: [.body.alerts[] | .labels]}"},
				Filters: eventing.Filters{
					Data: []eventing.DataFilter{
						eventing.StringIn{Path: "a", Template: "{{ upper .Input }}", Values: []string{"A"}},
						eventing.StringNotIn{Path: "b", Template: "{{ lower .Input }}", Values: []string{"b"}},
						eventing.StringMatches{Path: "c", Template: "{{ trim .Input }}", Pattern: "^c"},
						eventing.Number{Path: "d", Template: "{{ trimSuffix \"%\" .Input }}", Is: eventing.Less, Value: 5},
						eventing.NumberIn{Path: "e", Values: []float64{1, 2.5}},
						eventing.Bool{Path: "f", Template: "{{ eq .Input \"yes\" }}", Value: true},
					},
					AnyData: true,
					Exprs: []eventing.Expr{
						{Expression: "left < 10 && region == 'eu'", Values: map[string]string{"left": "stock.left", "region": "stock.region"}},
						{Expression: "left == 0", Values: map[string]string{"left": "stock.left"}},
					},
					AnyExpr: true,
					Context: &eventing.EventContext{Type: "webhook", Source: "alerts", Subject: "firing", ContentType: "application/json"},
					Time:    &eventing.TimeWindow{Start: "22:00:00", Stop: "06:00:00", Timezone: "Europe/Berlin"},
					Script:  "return event.severity == 'page'",
					Any:     true,
				},
			},
			{
				Name: "push", EventSource: "git", Event: "push",
				Transform: eventing.Script{Lua: "event.seen = true\nreturn event"},
			},
		},
		Triggers: []eventing.SensorTrigger{{Name: "log", Trigger: eventing.LogTrigger{}}},
	},
}
