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
	"sensor-every-trigger": eventing.Sensor{
		Name:         "every-trigger",
		Namespace:    "argo-events",
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
		Triggers: []eventing.SensorTrigger{
			{
				Name:   "http",
				When:   "push",
				Resets: []eventing.Reset{{Schedule: "0 0 * * *", Timezone: "Europe/Berlin"}},
				Trigger: eventing.HTTPTrigger{
					URL: "https://chat.example.com", Host: "chat.internal",
					ConfigMapHeaders: map[string]eventing.ConfigMapKey{"X-Stage": {Name: "stage", Key: "name"}},
					EventHeaders:     []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.id"}, To: "X-Request-Id", Default: new("")}},
					BasicAuth:        basicAuth,
					TLS:              everyTLS,
					Parameters:       []eventing.Parameter{{From: ref, To: "url"}},
				},
				Parameters: []eventing.Parameter{{From: ref, To: "http.method", Operation: eventing.Prepend}},
				RateLimit:  &eventing.RateLimit{Requests: 10, Per: time.Minute},
				DeadLetter: &eventing.DeadLetterTrigger{
					Name:       "http-failed",
					Trigger:    eventing.HTTPTrigger{URL: "https://dead.example.com", TLS: &eventing.TLS{}},
					Parameters: []eventing.Parameter{{From: ref, To: "http.url", Operation: eventing.Append}},
					Retry:      &eventing.Retry{Attempts: 2},
				},
			},
			{
				Name: "slack",
				Trigger: eventing.SlackTrigger{
					Token: eventing.SecretKey{Name: "slack", Key: "token"}, Channel: "deployments", Message: "pushed",
					Attachments: `[{"text": "a"}]`, Blocks: `[{"type": "divider"}]`,
					Thread:     eventing.SlackThread{Key: "push", Broadcast: true},
					Sender:     eventing.SlackSender{Username: "backbone", Icon: ":robot_face:"},
					Parameters: []eventing.Parameter{{From: ref, To: "message", Operation: eventing.Append}},
				},
				RateLimit: &eventing.RateLimit{Requests: 1},
			},
			{
				Name: "email",
				Trigger: eventing.EmailTrigger{
					Host: "smtp.example.com", Port: 587, Username: "events", Password: &eventing.SecretKey{Name: "smtp", Key: "password"},
					From: "events@example.com", To: []string{"platform@example.com"}, Subject: "push", Body: "pushed",
					Parameters: []eventing.Parameter{{From: ref, To: "body"}},
				},
			},
			{
				Name: "nats",
				Trigger: eventing.NATSTrigger{
					URL: "tls://nats.nats:4222", Subject: "pushes", Auth: eventing.NATSUser{Auth: *basicAuth}, TLS: everyTLS,
					Payload:    []eventing.Parameter{{From: ref, To: "ref"}},
					Parameters: []eventing.Parameter{{From: ref, To: "subject"}},
				},
			},
			{Name: "nats-token", Trigger: eventing.NATSTrigger{
				URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSToken{Token: *certificate}, Payload: []eventing.Parameter{{From: ref, To: "ref"}},
			}},
			{Name: "nats-key", Trigger: eventing.NATSTrigger{
				URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSKey{Seed: *certificate}, Payload: []eventing.Parameter{{From: ref, To: "ref"}},
			}},
			{Name: "nats-credentials", Trigger: eventing.NATSTrigger{
				URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSCredentials{File: *certificate}, Payload: []eventing.Parameter{{From: ref, To: "ref"}},
			}},
			{
				Name: "kafka",
				Trigger: eventing.KafkaTrigger{
					Brokers: "kafka.kafka:9093", Topic: "pushes", Payload: []eventing.Parameter{{From: ref, To: "ref"}}, Key: "push",
					Headers:          map[string]string{"source": "git"},
					SecretHeaders:    map[string]eventing.SecretKey{"token": {Name: "kafka", Key: "token"}},
					ConfigMapHeaders: map[string]eventing.ConfigMapKey{"stage": {Name: "stage", Key: "name"}},
					LeaderOnly:       true, Compress: true, Version: "3.6.0", TLS: everyTLS,
					SASL:           &eventing.SASL{User: eventing.SecretKey{Name: "kafka", Key: "user"}, Password: eventing.SecretKey{Name: "kafka", Key: "password"}},
					SchemaRegistry: &eventing.SchemaRegistry{URL: "https://schemas.kafka", SchemaID: 7, Auth: basicAuth},
					Parameters:     []eventing.Parameter{{From: ref, To: "partitioningKey"}},
				},
			},
			{
				Name: "custom",
				Trigger: eventing.CustomTrigger{
					Server: "trigger.shop:9000", CA: certificate, ServerName: "trigger", Spec: map[string]string{"url": "https://example.com"},
					Payload: []eventing.Parameter{{From: ref, To: "ref"}}, Parameters: []eventing.Parameter{{From: ref, To: "ref"}},
				},
			},
			{
				Name: "workflow",
				Trigger: eventing.WorkflowTrigger{
					Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "ci", "build"), Arguments: []string{"--parameter", "size=large"},
					Parameters: []eventing.Parameter{{From: ref, To: "spec.arguments.parameters.0.value"}},
				},
			},
			{
				Name: "resume",
				Trigger: eventing.WorkflowTrigger{
					Operation: eventing.Resume, Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "", "build"),
					Until: &eventing.Until{Labels: map[string]string{"workflows.argoproj.io/completed": "true"}, IgnoreTimeout: true},
				},
			},
		},
	},
	"sensor-objects": eventing.Sensor{
		Name:         "objects",
		Namespace:    "argo-events",
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
		Triggers: []eventing.SensorTrigger{
			{Name: "update", Trigger: eventing.ObjectTrigger{
				Operation: eventing.Update, Live: true, Object: objectOf("v1", "ConfigMap", "shop", "push"),
				Parameters: []eventing.Parameter{{From: ref, To: "data.ref"}},
				Until:      &eventing.Until{Labels: map[string]string{"seen": "true"}, Retry: &eventing.Retry{Attempts: 3}},
			}},
			{Name: "patch", Trigger: eventing.ObjectTrigger{
				Operation: eventing.Patch, PatchStrategy: eventing.StrategicMergePatch, Object: objectOf("apps/v1", "Deployment", "shop", "web"),
			}},
			{Name: "s3", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.S3Object{
				Endpoint: "s3.example.com:9000", Bucket: "objects", Key: "a.yaml", Region: "eu-central-1", Insecure: true,
				AccessKey: *certificate, SecretKey: *privateKey,
			}}},
			{Name: "git", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.GitFile{
				URL: "https://git.example.com/shop.git", File: "a.yaml", Branch: "main", Auth: basicAuth, Directory: "/clones/shop",
				Remote: &eventing.GitRemote{Name: "mirror", URLs: []string{"https://mirror.example.com/shop.git"}},
			}}},
			{Name: "git-tag", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.GitFile{
				URL: "git@git.example.com:shop.git", File: "a.yaml", Tag: "v1", SSHKey: privateKey, InsecureIgnoreHostKey: true,
			}}},
			{Name: "git-ref", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.GitFile{
				URL: "ssh://git@git.example.com/shop.git", File: "a.yaml", Ref: "refs/pull/1/head", SSHKey: privateKey,
			}}},
			{Name: "url", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.URLFile{URL: "https://example.com/a.yaml"}}},
			{Name: "url-unchecked", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.URLFile{URL: "https://example.com/a.yaml", InsecureSkipVerify: true}}},
			{Name: "configmap", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.ConfigMapKey{Name: "objects", Key: "a.yaml"}}},
			{Name: "file", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.LocalFile{Path: "/extra/a.yaml"}}},
			{Name: "inline", Trigger: eventing.ObjectTrigger{Permissions: creating, Source: eventing.RawObjectSource{Source: map[string]any{"inline": "{}"}}}},
			{Name: "workflow", Trigger: eventing.WorkflowTrigger{Permissions: creating, Source: eventing.ConfigMapKey{Name: "objects", Key: "workflow.yaml"}}},
		},
	},
}

var (
	ref      = eventing.DataKey{Dependency: "push", Path: "body.ref"}
	creating = []eventing.Permission{{Resource: "configmaps", Verbs: []string{"create"}}}
)
