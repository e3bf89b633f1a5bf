package eventing_test

import (
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
}
