package eventing

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// JetStream is a NATS JetStream cluster that the Argo Events controller runs as
// a StatefulSet.
type JetStream struct {
	// Version is one of the versions in the controller's configuration.
	// Default: "latest", which the upstream configuration defines.
	Version string
	// Replicas is the size of the cluster: 1, or 3 and more. Default: 3.
	Replicas int32
	// Stream overrides limits of the stream. Limits left zero keep the value of
	// the controller's configuration.
	Stream Stream
	// Storage limits what each server stores. Limits left zero, when the other is
	// set, are NATS's own; with none set, those of the controller's configuration
	// apply.
	Storage JetStreamStorage
	// MaxPayload is the size of the largest event in bytes. Default: 1 MB.
	MaxPayload int64
	// Persistence keeps the events on volumes. Default: they live as long as the
	// pods.
	Persistence *Persistence
	// StartArgs are further arguments of nats-server, for example "-D" to debug.
	// Those that carry credentials are refused.
	StartArgs []string
	// Pod shapes the pods of the cluster; its Container is the NATS server.
	Pod Pod
	// Metrics and Reloader shape the containers beside the server, which export
	// metrics and reload the configuration.
	Metrics  Container
	Reloader Container
	// ServiceAccountName is the account the pods run as. Default: the default
	// account of the namespace.
	ServiceAccountName string
}

// JetStreamStorage is what one server of a [JetStream] may store.
type JetStreamStorage struct {
	// MaxMemory and MaxFile are the limits in memory and on disk, in bytes.
	MaxMemory int64
	MaxFile   int64
}

// JetStreamExotic is a NATS JetStream server that somebody else runs.
//
// Upstream names the stream "default" and keeps the state of a sensor in a
// key-value bucket of the sensor's name, so two namespaces that share a server
// share events and sensor state: give each its own server or NATS account.
type JetStreamExotic struct {
	// URL of the server, with the scheme nats, tls, ws or wss; several servers of
	// one cluster are separated by commas. Required. It must not carry
	// credentials: use Auth.
	URL string
	// Auth selects the key of a Secret in the namespace of the bus that holds a
	// YAML document with username and password. Default: no authentication.
	Auth *SecretKey
	// TLS says how the connection is encrypted. Default: with a tls or wss URL, the
	// certificate of the server is checked against the authorities in upstream's
	// image; upstream's own default accepts any certificate.
	TLS *TLS
	// Stream sets the limits of the stream. Upstream applies them only when it
	// creates the stream; with none it would keep every event for ever, so
	// limits left zero get the defaults named at [Stream].
	Stream Stream
}

func (j JetStream) validateBus(path *field.Path) field.ErrorList {
	faults := j.Stream.validate(path.Child("stream"))
	// argo-events: pkg/reconciler/eventbus/validate.go
	if j.Replicas < 0 || j.Replicas == 2 {
		faults = append(faults, field.Invalid(path.Child("replicas"), j.Replicas, "must be 1, or 3 and more, to form a quorum"))
	}
	faults = append(faults, object.Text(path.Child("version"), j.Version)...)
	faults = append(faults, notNegative(path.Child("storage", "maxMemory"), j.Storage.MaxMemory)...)
	faults = append(faults, notNegative(path.Child("storage", "maxFile"), j.Storage.MaxFile)...)
	faults = append(faults, notNegative(path.Child("maxPayload"), j.MaxPayload)...)
	faults = append(faults, j.Persistence.validate(path.Child("persistence"))...)
	faults = append(faults, validateArguments(path.Child("startArgs"), j.StartArgs, "user", "pass", "auth")...)
	faults = append(faults, j.Pod.validateBus(path.Child("pod"))...)
	faults = append(faults, j.Metrics.validateBus(path.Child("metrics"))...)
	faults = append(faults, j.Reloader.validateBus(path.Child("reloader"))...)
	return append(faults, optional(path.Child("serviceAccountName"), j.ServiceAccountName, object.Name)...)
}

func (j JetStream) busSpec() map[string]any {
	spec := j.Pod.spec()
	maps.Copy(spec, object.Compact(map[string]any{
		"version":                   cmp.Or(j.Version, "latest"),
		"replicas":                  cmp.Or(j.Replicas, 3),
		"streamConfig":              j.Stream.yaml(),
		"settings":                  j.Storage.settings(),
		"maxPayload":                formatBytes(j.MaxPayload),
		"persistence":               j.Persistence.spec(),
		"startArgs":                 j.StartArgs,
		"containerTemplate":         j.Pod.Container.spec(),
		"metricsContainerTemplate":  j.Metrics.spec(),
		"reloaderContainerTemplate": j.Reloader.spec(),
		"serviceAccountName":        j.ServiceAccountName,
	}))
	return map[string]any{"jetstream": spec}
}

// settings are lines of the jetstream block in the configuration of nats-server.
func (s JetStreamStorage) settings() string {
	var text strings.Builder
	if s.MaxMemory != 0 {
		fmt.Fprintf(&text, "max_memory_store: %d\n", s.MaxMemory)
	}
	if s.MaxFile != 0 {
		fmt.Fprintf(&text, "max_file_store: %d\n", s.MaxFile)
	}
	return text.String()
}

// formatBytes leaves out a size of zero, which means the default.
func formatBytes(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return strconv.FormatInt(bytes, 10)
}

func (j JetStreamExotic) validateBus(path *field.Path) field.ErrorList {
	faults := validateServers(path.Child("url"), j.URL, natsSchemes...)
	faults = append(faults, j.Auth.validateOptional(path.Child("auth"))...)
	faults = append(faults, j.TLS.validate(path.Child("tls"))...)
	return append(faults, j.Stream.validate(path.Child("stream"))...)
}

func (j JetStreamExotic) busSpec() map[string]any {
	return map[string]any{"jetstreamExotic": object.Compact(map[string]any{
		"url":          j.URL,
		"streamConfig": j.Stream.withDefaults().yaml(),
		"accessSecret": j.Auth.selector(),
		"tls":          natsTLS(j.URL, j.TLS).spec(),
	})}
}

var natsSchemes = []string{"nats", "tls", "ws", "wss"}

// natsTLS checks certificates where a URL promises encryption.
// argo-events: MakeConnection in pkg/eventbus/jetstream/base/jetstream.go
func natsTLS(servers string, given *TLS) *TLS {
	if given != nil {
		return given
	}
	for server := range strings.SplitSeq(servers, ",") {
		if parsed, err := url.Parse(server); err == nil && (parsed.Scheme == "tls" || parsed.Scheme == "wss") {
			return &TLS{}
		}
	}
	return nil
}
