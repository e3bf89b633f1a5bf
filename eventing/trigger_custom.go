package eventing

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// CustomTrigger calls a gRPC server that implements upstream's trigger service.
// argo-events: pkg/sensors/triggers/trigger.proto
type CustomTrigger struct {
	// Server is the address of the server, host:port. Required.
	Server string
	// CA selects a PEM bundle of the authorities that may have issued the certificate
	// of the server. Default: the connection is not encrypted.
	CA *SecretKey
	// ServerName that the certificate is checked for. Forbidden without CA.
	// Default: the host of Server.
	ServerName string
	// Spec is what the server makes the resource of the trigger from. At least one
	// entry is required. Everybody who may read the sensor can read it.
	Spec map[string]string
	// Payload builds the JSON message that goes with the resource. Default: none.
	Payload []Parameter
	// Parameters copy values of the event into the resource, which must be JSON then.
	Parameters []Parameter
}

func (c CustomTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	var faults field.ErrorList
	if c.Server == "" {
		faults = append(faults, field.Required(path.Child("server"), ""))
	} else {
		faults = append(faults, validateAddress(path.Child("server"), c.Server)...)
	}
	faults = append(faults, c.CA.validateOptional(path.Child("ca"))...)
	faults = append(faults, object.Text(path.Child("serverName"), c.ServerName)...)
	if c.ServerName != "" && c.CA == nil {
		faults = append(faults, field.Forbidden(path.Child("serverName"), "the connection is not encrypted"))
	}
	if len(c.Spec) == 0 {
		faults = append(faults, field.Required(path.Child("spec"), "at least one entry is required"))
	}
	for _, key := range sortedKeys(c.Spec) {
		faults = append(faults, object.Text(path.Child("spec").Key(key), c.Spec[key])...)
	}
	faults = append(faults, validateMessage(path.Child("payload"), c.Payload, dependencies, false)...)
	return append(faults, validateParameters(path.Child("parameters"), c.Parameters, dependencies, false)...)
}

func (c CustomTrigger) template(Sensor) (string, map[string]any) {
	return "custom", object.Compact(map[string]any{
		"serverURL":          c.Server,
		"secure":             c.CA != nil,
		"certSecret":         c.CA.selector(),
		"serverNameOverride": c.ServerName,
		"spec":               c.Spec,
		"payload":            parametersSpec(c.Payload),
		"parameters":         parametersSpec(c.Parameters),
	})
}

func (c CustomTrigger) traits() traits { return traits{} }
