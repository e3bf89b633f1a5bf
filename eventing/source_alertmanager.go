package eventing

import (
	"cmp"
	"net/http"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Alertmanager receives the notifications of Prometheus Alertmanager: it is a
// [Webhook] for a webhook_config of its configuration, whose url is
// http://<event source>-eventsource-svc.<namespace>:<port><endpoint>.
//
// One event is one notification of a group of alerts. Its data is
//
//	{
//	  "header": {"Content-Type": ["application/json"], ...},
//	  "body": {
//	    "version": "4", "receiver": "backbone", "externalURL": "https://...",
//	    "groupKey": "...", "truncatedAlerts": 0,
//	    "status": "firing",                      // resolved once all alerts are
//	    "groupLabels": {"alertname": "..."},
//	    "commonLabels": {"alertname": "...", "severity": "..."},
//	    "commonAnnotations": {"summary": "..."},
//	    "alerts": [{
//	      "status": "firing", "fingerprint": "...", "generatorURL": "https://...",
//	      "labels": {...}, "annotations": {...},
//	      "startsAt": "2026-01-02T03:04:05Z", "endsAt": "0001-01-01T00:00:00Z"
//	    }]
//	  }
//	}
//
// so a filter reads "body.status" or "body.alerts.0.labels.namespace"
// (prometheus/alertmanager: notify/webhook/webhook.go).
type Alertmanager struct {
	// Listener receives the notifications. Its Endpoint has the default
	// "/alertmanager".
	Listener Listener
	// Auth selects the bearer token that Alertmanager must present, which its
	// http_config.authorization holds. Default: anybody who reaches the port may
	// send events.
	Auth *SecretKey
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook], for example
	// `body.status == "firing"`. Default: every event reaches the bus.
	Filter string
}

func (a Alertmanager) webhook() Webhook {
	return Webhook{
		Port:        a.Listener.Port,
		Endpoint:    cmp.Or(a.Listener.Endpoint, "/alertmanager"),
		Method:      http.MethodPost,
		Auth:        a.Auth,
		Certificate: a.Listener.Certificate,
		Key:         a.Listener.Key,
		MaxPayload:  a.Listener.MaxPayload,
		Metadata:    a.Metadata,
		Filter:      a.Filter,
	}
}

func (a Alertmanager) validateSource(path *field.Path) field.ErrorList {
	faults := a.webhook().listener().validate(path.Child("listener"))
	faults = append(faults, a.Auth.validateOptional(path.Child("auth"))...)
	return append(faults, validateExtras(path, a.Metadata, a.Filter)...)
}

func (a Alertmanager) sourceKind() string              { return a.webhook().sourceKind() }
func (a Alertmanager) sourceSpec() map[string]any      { return a.webhook().sourceSpec() }
func (a Alertmanager) sourceRoute() (route, bool)      { return a.webhook().sourceRoute() }
func (a Alertmanager) sourcePermissions() []Permission { return nil }
