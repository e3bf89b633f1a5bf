package eventing

import (
	"maps"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SQS makes an event of every message of an Amazon SQS queue. The event data is
// an object with "messageId", "messageAttributes" and "body".
type SQS struct {
	// Region of the queue. Required.
	Region string
	// Queue is the name of the queue. Required.
	Queue string
	// AccountID of the owner of the queue. Default: that of the identity.
	AccountID string
	// Auth is the identity of the client. Default: what the surroundings of the pod
	// give it, for example the IAM role of its ServiceAccount.
	Auth AWSAuth
	// Endpoint replaces Amazon's, http or https. Default: Amazon's.
	Endpoint string
	// Wait is how long one call waits for a message: whole seconds, at most 20.
	// Default: 3s.
	Wait time.Duration
	// JSONBody says that the messages are JSON, so that filters can look into
	// "body". Default: "body" is the message in base64.
	JSONBody bool
	// DeadLetter leaves a message that cannot be read in the queue, for its own
	// dead-letter queue. Default: it is deleted.
	DeadLetter bool
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

// SNS makes an event of every notification of an Amazon SNS topic, to which it
// subscribes. The event data is an object with "header" and "body".
type SNS struct {
	// Listener receives the notifications.
	Listener Listener
	// URL under which SNS reaches the listener, without the endpoint, http or
	// https. Required. It must not carry credentials.
	URL string
	// TopicARN is the ARN of the topic. Required.
	TopicARN string
	// Region of the topic. Required.
	Region string
	// Auth is the identity of the client. Default: what the surroundings of the pod
	// give it, for example the IAM role of its ServiceAccount.
	Auth AWSAuth
	// Endpoint replaces Amazon's, http or https. Default: Amazon's.
	Endpoint string
	// SkipSignature takes notifications without checking that SNS signed them.
	// Upstream's default is not to check.
	SkipSignature bool
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

func (s SQS) validateSource(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("region"), s.Region)
	faults = append(faults, object.RequiredText(path.Child("queue"), s.Queue)...)
	faults = append(faults, object.Text(path.Child("accountID"), s.AccountID)...)
	faults = append(faults, validateAWSAuth(path.Child("auth"), s.Auth)...)
	if s.Endpoint != "" {
		faults = append(faults, validateURL(path.Child("endpoint"), s.Endpoint, "http", "https")...)
	}
	faults = append(faults, seconds(path.Child("wait"), s.Wait)...)
	if s.Wait > 20*time.Second {
		faults = append(faults, field.Invalid(path.Child("wait"), s.Wait.String(), "must be at most 20s"))
	}
	return append(faults, validateExtras(path, s.Metadata, s.Filter)...)
}

func (s SQS) sourceKind() string              { return "sqs" }
func (s SQS) sourceRoute() (route, bool)      { return route{}, false }
func (s SQS) sourcePermissions() []Permission { return nil }

func (s SQS) sourceSpec() map[string]any {
	spec := map[string]any{}
	maps.Copy(spec, awsAuthSpec(s.Auth))
	return withExtras(spec, s.Metadata, s.Filter, map[string]any{
		"region":          s.Region,
		"queue":           s.Queue,
		"queueAccountId":  s.AccountID,
		"endpoint":        s.Endpoint,
		"waitTimeSeconds": int64(s.Wait / time.Second),
		"jsonBody":        s.JSONBody,
		"dlq":             s.DeadLetter,
	})
}

func (s SNS) validateSource(path *field.Path) field.ErrorList {
	faults := s.Listener.validate(path.Child("listener"))
	faults = append(faults, validateURL(path.Child("url"), s.URL, "http", "https")...)
	faults = append(faults, object.RequiredText(path.Child("topicARN"), s.TopicARN)...)
	faults = append(faults, object.RequiredText(path.Child("region"), s.Region)...)
	faults = append(faults, validateAWSAuth(path.Child("auth"), s.Auth)...)
	if awsAuthSpec(s.Auth)["sessionToken"] != nil {
		faults = append(faults, field.Forbidden(path.Child("auth", "sessionToken"), "upstream has no such field for SNS"))
	}
	if s.Endpoint != "" {
		faults = append(faults, validateURL(path.Child("endpoint"), s.Endpoint, "http", "https")...)
	}
	return append(faults, validateExtras(path, s.Metadata, s.Filter)...)
}

func (s SNS) sourceKind() string              { return "sns" }
func (s SNS) sourcePermissions() []Permission { return nil }

func (s SNS) sourceRoute() (route, bool) {
	return route{kind: s.sourceKind(), Listener: s.Listener}, true
}

func (s SNS) sourceSpec() map[string]any {
	spec := map[string]any{}
	maps.Copy(spec, awsAuthSpec(s.Auth))
	return withExtras(spec, s.Metadata, s.Filter, map[string]any{
		"webhook":           s.Listener.context(http.MethodPost, s.URL),
		"topicArn":          s.TopicARN,
		"region":            s.Region,
		"endpoint":          s.Endpoint,
		"validateSignature": !s.SkipSignature,
	})
}
