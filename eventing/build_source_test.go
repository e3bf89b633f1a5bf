package eventing_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/controlbackbone/backbone/eventing"
)

// sources set, together, every field of the typed sources.
var sources = map[string]builder{
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
	"eventsource-webhook-every-field": eventing.EventSource{
		Name:        "hooks",
		Namespace:   "argo-events",
		Labels:      map[string]string{"owner": "platform"},
		Annotations: map[string]string{"example.com/purpose": "hooks"},
		Replicas:    2,
		Pod:         workerPod,
		Service: eventing.Service{
			Labels: map[string]string{"owner": "platform"}, Annotations: map[string]string{"example.com/mesh": "off"}, ClusterIP: "None",
		},
		Events: map[string]eventing.Source{
			"push": eventing.Webhook{
				Port: 12000, Endpoint: "/push", Certificate: certificate, Key: privateKey, MaxPayload: 4 << 20, Metadata: metadata,
			},
		},
	},
	"eventsource-alertmanager": eventing.EventSource{
		Name:      "alerts",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"firing": eventing.Alertmanager{
				Listener: eventing.Listener{Port: 12000},
				Auth:     &eventing.SecretKey{Name: "alertmanager", Key: "token"},
				Filter:   `body.status == "firing"`,
			},
			"all": eventing.Alertmanager{Listener: eventing.Listener{Port: 12000, Endpoint: "/all"}, Metadata: metadata},
		},
	},
	"eventsource-github": eventing.EventSource{
		Name:      "github",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"push": eventing.GitHub{
				Listener:     eventing.Listener{Port: 12000, Endpoint: "/push"},
				Repositories: map[string][]string{"shop": {"web", "api"}, "bank": {"ledger"}},
				Secret:       &eventing.SecretKey{Name: "github", Key: "secret"},
				Hook: &eventing.GitHubHook{
					URL: "https://hooks.example.com", Events: []string{"push"},
					Auth: eventing.GitHubToken{Token: eventing.SecretKey{Name: "github", Key: "token"}},
				},
			},
			"release": eventing.GitHub{
				Listener:      eventing.Listener{Port: 12000, Endpoint: "/release"},
				Organizations: []string{"shop"},
				Secret:        &eventing.SecretKey{Name: "github", Key: "secret"},
				Hook: &eventing.GitHubHook{
					URL: "https://hooks.example.com", Events: []string{"release"}, Form: true, Inactive: true, InsecureSkipVerify: true, DeleteOnFinish: true,
					Auth:    eventing.GitHubApp{AppID: 1, InstallationID: 2, PrivateKey: eventing.SecretKey{Name: "github", Key: "app.pem"}},
					BaseURL: "https://github.example.com/api/v3/", UploadURL: "https://github.example.com/api/uploads/",
				},
				Metadata: metadata,
				Filter:   `body.action == "published"`,
			},
			"unsigned": eventing.GitHub{
				Listener:      eventing.Listener{Port: 12001, Endpoint: "/", Certificate: certificate, Key: privateKey, MaxPayload: 1 << 21},
				Organizations: []string{"bank"}, Unsigned: true,
			},
		},
	},
	"eventsource-gitlab": eventing.EventSource{
		Name:      "gitlab",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"push": eventing.GitLab{
				Listener: eventing.Listener{Port: 12000, Endpoint: "/push"}, URL: "https://hooks.example.com",
				Projects: []string{"platform/shop"}, Events: []string{"PushEvents", "TagPushEvents"},
				Token: eventing.SecretKey{Name: "gitlab", Key: "token"}, Secret: &eventing.SecretKey{Name: "gitlab", Key: "secret"},
			},
			"merge": eventing.GitLab{
				Listener: eventing.Listener{Port: 12000, Endpoint: "/merge"}, URL: "https://hooks.example.com",
				Groups: []string{"platform"}, Events: []string{"MergeRequestsEvents"},
				Token: eventing.SecretKey{Name: "gitlab", Key: "token"}, Unsigned: true, BaseURL: "https://gitlab.example.com",
				InsecureSkipVerify: true, DeleteOnFinish: true, Metadata: metadata, Filter: "true",
			},
		},
	},
	"eventsource-resource-every-field": eventing.EventSource{
		Name:      "resources",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"degraded": eventing.Resource{
				Group: "apps", Version: "v1", Resource: "deployments", Namespace: "shop",
				Changes: []eventing.Change{eventing.Added, eventing.Updated, eventing.Deleted},
				Prefix:  "web-",
				Labels:  "app=shop,tier in (web,api),!legacy",
				Fields: []eventing.FieldPattern{
					{Path: "spec.template.spec.schedulerName", Pattern: "^default-"}, {Path: "metadata.name", Pattern: "canary", Not: true},
				},
				CreatedBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
				AfterStart:    true,
				Metadata:      metadata,
			},
			"namespaces": eventing.Resource{Version: "v1", Resource: "namespaces", ClusterWide: true, Changes: []eventing.Change{eventing.Added}},
		},
	},
	"eventsource-calendar": eventing.EventSource{
		Name:      "calendar",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"night": eventing.Calendar{
				Schedule: "0 3 * * 1-5", Timezone: "Europe/Berlin", Except: []string{"2026-12-25", "2026-12-26"},
				CatchUp: &eventing.CatchUp{ConfigMap: "night", Max: 24 * time.Hour}, Metadata: metadata, Filter: "true",
			},
			"often": eventing.Calendar{Interval: 90 * time.Second, CatchUp: &eventing.CatchUp{ConfigMap: "often", Existing: true}},
		},
	},
	"eventsource-streams": eventing.EventSource{
		Name:      "streams",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"orders": eventing.KafkaTopic{
				Brokers: "kafka-0.kafka:9093,kafka-1.kafka:9093", Topic: "orders",
				Group:           &eventing.ConsumerGroup{Name: "events", Oldest: true, Rebalance: eventing.RebalanceRoundRobin},
				EventsPerSecond: 10, Version: "3.6.0", TLS: everyTLS, JSONBody: true,
				SASL:           &eventing.SASL{User: eventing.SecretKey{Name: "kafka", Key: "user"}, Password: eventing.SecretKey{Name: "kafka", Key: "password"}},
				SchemaRegistry: &eventing.SchemaRegistry{URL: "https://schemas.kafka", Auth: basicAuth},
				Config:         map[string]any{"consumer": map[string]any{"fetch": map[string]any{"min": 1}}},
				Metadata:       metadata, Filter: `body.total > 100`,
			},
			"audit": eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "audit", Partition: new(int32(0)), Connect: &eventing.Retry{Attempts: 10}},
			"stock": eventing.NATSSubject{
				URL: "tls://nats.nats:4222", Subject: "stock.>", Queue: "events", Auth: eventing.NATSUser{Auth: *basicAuth}, TLS: everyTLS,
				Connect: &eventing.Retry{Attempts: 3}, JSONBody: true, Metadata: metadata, Filter: `body.left == 0`,
			},
			"stock-token":       eventing.NATSSubject{URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSToken{Token: *certificate}},
			"stock-key":         eventing.NATSSubject{URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSKey{Seed: *certificate}},
			"stock-credentials": eventing.NATSSubject{URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSCredentials{File: *certificate}},
			"pubsub": eventing.PubSub{
				ProjectID: "shop", Subscription: "events", Topic: "orders", TopicProjectID: "orders",
				Credentials: &eventing.SecretKey{Name: "gcp", Key: "key.json"}, DeleteSubscriptionOnFinish: true, JSONBody: true,
				Metadata: metadata, Filter: "true",
			},
		},
	},
	"eventsource-aws": eventing.EventSource{
		Name:      "aws",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"queue": eventing.SQS{
				Region: "eu-central-1", Queue: "orders", AccountID: "123456789012", Endpoint: "https://sqs.example.com",
				Auth: eventing.AWSKeys{AccessKey: *certificate, SecretKey: *privateKey, SessionToken: certificate},
				Wait: 20 * time.Second, JSONBody: true, DeadLetter: true, Metadata: metadata, Filter: "true",
			},
			"queue-role": eventing.SQS{Region: "eu-central-1", Queue: "orders", Auth: eventing.AWSRole{ARN: "arn:aws:iam::123456789012:role/events"}},
			"topic": eventing.SNS{
				Listener: eventing.Listener{Port: 12000, Endpoint: "/topic", Certificate: certificate, Key: privateKey, MaxPayload: 1 << 21},
				URL:      "https://hooks.example.com",
				TopicARN: "arn:aws:sns:eu-central-1:123456789012:orders", Region: "eu-central-1",
				Auth:     eventing.AWSKeys{AccessKey: *certificate, SecretKey: *privateKey},
				Endpoint: "https://sns.example.com", Metadata: metadata, Filter: "true",
			},
			"topic-role": eventing.SNS{
				Listener: eventing.Listener{Port: 12001, Endpoint: "/topic"}, URL: "https://hooks.example.com", SkipSignature: true,
				TopicARN: "arn:aws:sns:eu-central-1:123456789012:orders", Region: "eu-central-1",
				Auth: eventing.AWSRole{ARN: "arn:aws:iam::123456789012:role/events"},
			},
		},
	},
}

var (
	certificate = &eventing.SecretKey{Name: "tls", Key: "tls.crt"}
	privateKey  = &eventing.SecretKey{Name: "tls", Key: "tls.key"}
	everyTLS    = &eventing.TLS{CA: &eventing.SecretKey{Name: "tls", Key: "ca.crt"}, Certificate: certificate, Key: privateKey}
	basicAuth   = &eventing.BasicAuth{
		Username: eventing.SecretKey{Name: "account", Key: "username"}, Password: eventing.SecretKey{Name: "account", Key: "password"},
	}
	metadata = map[string]string{"stage": "production"}
)

// workerPod sets every field that a pod of an event source or a sensor may have.
var workerPod = func() eventing.Pod {
	pod := busPod
	pod.Volumes = []corev1.Volume{{Name: "extra", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	pod.Container.VolumeMounts = []corev1.VolumeMount{{Name: "extra", MountPath: "/extra"}}
	pod.Container.Env = []corev1.EnvVar{{Name: "LOG_LEVEL", Value: "debug"}}
	pod.Container.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "extra"}}}}
	return pod
}()
