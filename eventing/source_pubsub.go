package eventing

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// PubSub makes an event of every message of a Google Cloud Pub/Sub subscription.
// The event data is an object with "id", "attributes", "publishTime" and "body".
type PubSub struct {
	// ProjectID of the subscription. Default: that of the cluster, on Google Cloud.
	ProjectID string
	// Subscription is the ID of the subscription. Required: upstream would make one
	// up from the other fields, and a change of any would lose events.
	Subscription string
	// Topic of the subscription. With it, upstream creates what is missing of the
	// two, and fails if the subscription is of another topic. Default: not checked.
	Topic string
	// TopicProjectID is the project of the topic. Forbidden without Topic.
	// Default: ProjectID.
	TopicProjectID string
	// Credentials selects a JSON key of a service account. Default: Workload
	// Identity.
	Credentials *SecretKey
	// DeleteSubscriptionOnFinish deletes the subscription when the pod stops, and
	// with it the messages that arrive until the next one runs.
	DeleteSubscriptionOnFinish bool
	// JSONBody says that the messages are JSON, so that filters can look into
	// "body". Default: "body" is the message in base64.
	JSONBody bool
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

func (p PubSub) validateSource(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("projectID"), p.ProjectID)
	faults = append(faults, object.RequiredText(path.Child("subscription"), p.Subscription)...)
	faults = append(faults, object.Text(path.Child("topic"), p.Topic)...)
	faults = append(faults, object.Text(path.Child("topicProjectID"), p.TopicProjectID)...)
	// argo-events: pkg/eventsources/sources/gcppubsub/validate.go
	if p.TopicProjectID != "" && p.Topic == "" {
		faults = append(faults, field.Forbidden(path.Child("topicProjectID"), "there is no topic"))
	}
	faults = append(faults, p.Credentials.validateOptional(path.Child("credentials"))...)
	return append(faults, validateExtras(path, p.Metadata, p.Filter)...)
}

func (p PubSub) sourceKind() string              { return "pubSub" }
func (p PubSub) sourceRoute() (route, bool)      { return route{}, false }
func (p PubSub) sourcePermissions() []Permission { return nil }

func (p PubSub) sourceSpec() map[string]any {
	return withExtras(map[string]any{}, p.Metadata, p.Filter, map[string]any{
		"projectID":                  p.ProjectID,
		"subscriptionID":             p.Subscription,
		"topic":                      p.Topic,
		"topicProjectID":             p.TopicProjectID,
		"credentialSecret":           p.Credentials.selector(),
		"deleteSubscriptionOnFinish": p.DeleteSubscriptionOnFinish,
		"jsonBody":                   p.JSONBody,
	})
}
