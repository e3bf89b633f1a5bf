package eventing

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// NATSTrigger publishes a message on a NATS subject. Upstream does not wait until
// the server has it.
type NATSTrigger struct {
	// URL of the server, with the scheme nats, tls, ws or wss; several servers of
	// one cluster are separated by commas. Required. It must not carry
	// credentials: use Auth.
	URL string
	// Subject of the message. Required, unless a parameter sets "subject".
	Subject string
	// Auth is what the client presents. Default: nothing.
	Auth NATSAuth
	// TLS says how the connection is encrypted. Default: as the server asks.
	TLS *TLS
	// Payload builds the JSON message from the event. At least one is required.
	Payload []Parameter
	// Parameters copy values of the event into the trigger, for example to
	// "subject". Build makes them parameters of the template: upstream ignores the
	// subject that those of the trigger itself set. Upstream keeps its connection,
	// so a parameter to "url" counts for the first event only.
	// argo-events: Execute in pkg/sensors/triggers/nats/nats.go
	Parameters []Parameter
}

func (n NATSTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validateServers(path.Child("url"), n.URL, natsSchemes...)
	faults = append(faults, textOrParameter(path, "subject", n.Subject, n.Parameters)...)
	faults = append(faults, validateNATSAuth(path.Child("auth"), n.Auth)...)
	faults = append(faults, n.TLS.validate(path.Child("tls"))...)
	faults = append(faults, validatePayload(path.Child("payload"), n.Payload, dependencies)...)
	return append(faults, validateParameters(path.Child("parameters"), n.Parameters, dependencies, false)...)
}

// validatePayload checks a message that must not be empty.
func validatePayload(path *field.Path, payload []Parameter, dependencies map[string]bool) field.ErrorList {
	if len(payload) == 0 {
		return field.ErrorList{field.Required(path, "at least one parameter is required")}
	}
	return validateMessage(path, payload, dependencies, false)
}

func (n NATSTrigger) template(Sensor) (string, map[string]any) {
	return "nats", object.Compact(map[string]any{
		"url":     n.URL,
		"subject": n.Subject,
		"auth":    natsAuthSpec(n.Auth),
		"tls":     n.TLS.spec(),
		"payload": parametersSpec(n.Payload),
	})
}

func (n NATSTrigger) traits() traits {
	return traits{templateParameters: under("nats", n.Parameters)}
}
