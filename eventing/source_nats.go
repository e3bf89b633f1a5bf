package eventing

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// NATSSubject makes an event of every message on a NATS subject. The event data
// is an object with "subject", "header" and "body". Messages sent while the pod
// does not run are lost: NATS itself keeps none.
type NATSSubject struct {
	// URL of the server, with the scheme nats, tls, ws or wss; several servers of
	// one cluster are separated by commas. Required. It must not carry
	// credentials: use Auth.
	URL string
	// Subject that is listened to; it may have wildcards. Required.
	Subject string
	// Queue is a queue group, of which one member gets each message.
	// Default: none.
	Queue string
	// Auth is what the client presents. Default: nothing.
	Auth NATSAuth
	// TLS says how the connection is encrypted. Default: as the server asks.
	TLS *TLS
	// Connect says how often connecting is tried again. Default: upstream's.
	Connect *Retry
	// JSONBody says that the messages are JSON, so that filters can look into
	// "body". Default: "body" is the message in base64. Upstream drops a message
	// that is no JSON then.
	JSONBody bool
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

func (n NATSSubject) validateSource(path *field.Path) field.ErrorList {
	faults := validateServers(path.Child("url"), n.URL, natsSchemes...)
	faults = append(faults, object.RequiredText(path.Child("subject"), n.Subject)...)
	faults = append(faults, object.Text(path.Child("queue"), n.Queue)...)
	faults = append(faults, validateNATSAuth(path.Child("auth"), n.Auth)...)
	faults = append(faults, n.TLS.validate(path.Child("tls"))...)
	faults = append(faults, n.Connect.validateOptional(path.Child("connect"))...)
	return append(faults, validateExtras(path, n.Metadata, n.Filter)...)
}

func (n NATSSubject) sourceKind() string              { return "nats" }
func (n NATSSubject) sourceRoute() (route, bool)      { return route{}, false }
func (n NATSSubject) sourcePermissions() []Permission { return nil }

func (n NATSSubject) sourceSpec() map[string]any {
	return withExtras(map[string]any{}, n.Metadata, n.Filter, map[string]any{
		"url":               n.URL,
		"subject":           n.Subject,
		"queue":             n.Queue,
		"auth":              natsAuthSpec(n.Auth),
		"tls":               n.TLS.spec(),
		"connectionBackoff": n.Connect.optionalSpec(),
		"jsonBody":          n.JSONBody,
	})
}
