package eventing

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
)

// AlertGroup is one notification of Alertmanager: the alerts of a group that fire, and those that were resolved since the
// last one (prometheus/alertmanager: notify/webhook/webhook.go).
type AlertGroup struct {
	// Key identifies the group, the same in every notification about it.
	Key      string  `json:"groupKey"`
	Receiver string  `json:"receiver"`
	Alerts   []Alert `json:"alerts"`
	// Truncated is how many alerts of the group Alertmanager left out, by its max_alerts.
	Truncated int `json:"truncatedAlerts"`
}

// Alert is one of a group.
type Alert struct {
	// Status is "firing" or "resolved".
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	// Fingerprint is a hash of the labels: it is the same whenever the alert fires.
	Fingerprint string `json:"fingerprint"`
}

// The statuses of an alert.
const (
	AlertFiring   = "firing"
	AlertResolved = "resolved"
)

// AlertGroupOf reads the notification in an event of an [Alertmanager] source, which a sensor has sent as a [WholeEvent],
// or which Alertmanager itself has sent to a [Responder].
func AlertGroupOf(event Event) (AlertGroup, error) {
	body := event.Body
	var whole v1alpha1.Event
	if err := json.Unmarshal(body, &whole); err == nil && whole.Context != nil {
		var data struct {
			Body json.RawMessage `json:"body"`
		}
		if err := json.Unmarshal(whole.Data, &data); err != nil {
			return AlertGroup{}, fmt.Errorf("data of the event: %w", err)
		}
		body = data.Body
	}
	var group AlertGroup
	if err := json.Unmarshal(body, &group); err != nil {
		return AlertGroup{}, fmt.Errorf("alerts: %w", err)
	}
	if group.Alerts == nil {
		return AlertGroup{}, errors.New("alerts: the body is no notification of Alertmanager")
	}
	for i, alert := range group.Alerts {
		switch {
		case alert.Status != AlertFiring && alert.Status != AlertResolved:
			return AlertGroup{}, fmt.Errorf("alerts[%d].status: %q is neither firing nor resolved", i, alert.Status)
		case alert.Fingerprint == "":
			return AlertGroup{}, fmt.Errorf("alerts[%d].fingerprint is missing", i)
		}
	}
	return group, nil
}
