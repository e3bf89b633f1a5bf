package eventing

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Listener is the HTTP server of a source that others call.
type Listener struct {
	// Port the pod listens on. Required. Events of one event source may share a
	// port if their sources are of one kind.
	Port int32
	// Endpoint is the path of the URL, starting with a slash. Required.
	// "/health" is taken: upstream answers it itself.
	Endpoint string
	// Certificate and Key select the PEM certificate and private key of the server.
	// Both or neither; the same for all events on the port. Default: plain HTTP.
	Certificate *SecretKey
	Key         *SecretKey
	// MaxPayload is the size of the largest body in bytes. Default: 1 MiB.
	MaxPayload int64
}

// route is what the events of one event source must agree on.
type route struct {
	// kind of the source: upstream starts the servers of each kind by itself.
	kind string
	Listener
}

// servers are the routes of an event source by their ports.
type servers map[int32][]route

// add checks the route of a source, if it has one, against those before.
func (s servers) add(path *field.Path, source Source) field.ErrorList {
	added, ok := source.sourceRoute()
	if !ok {
		return nil
	}
	var faults field.ErrorList
	for _, other := range s[added.Port] {
		switch {
		case other.kind != added.kind:
			faults = append(faults, field.Forbidden(path, "a source of the kind "+other.kind+" has the port"))
		case other.Endpoint == added.Endpoint:
			// Upstream serves only the first it meets.
			faults = append(faults, field.Duplicate(path.Child("endpoint"), added.Endpoint))
		case !other.samePair(added.Listener):
			faults = append(faults, field.Forbidden(path, "another source on the port has another certificate"))
		}
	}
	s[added.Port] = append(s[added.Port], added)
	return faults
}

func (l Listener) validate(path *field.Path) field.ErrorList {
	faults := invalidPort(path.Child("port"), l.Port)
	faults = append(faults, validateEndpoint(path.Child("endpoint"), l.Endpoint)...)
	faults = append(faults, validateKeyPair(path, l.Certificate, l.Key)...)
	return append(faults, notNegative(path.Child("maxPayload"), l.MaxPayload)...)
}

func invalidPort(path *field.Path, port int32) field.ErrorList {
	var faults field.ErrorList
	for _, message := range validation.IsValidPortNum(int(port)) {
		faults = append(faults, field.Invalid(path, port, message))
	}
	return faults
}

// validateEndpoint accepts what upstream's router can match: it takes braces as
// a pattern and fails on a path without a leading slash.
func validateEndpoint(path *field.Path, endpoint string) field.ErrorList {
	switch {
	case endpoint == "":
		return field.ErrorList{field.Required(path, "")}
	case !strings.HasPrefix(endpoint, "/"):
		return field.ErrorList{field.Invalid(path, endpoint, "must start with a slash")}
	case strings.ContainsAny(endpoint, "{}?# "):
		return field.ErrorList{field.Invalid(path, endpoint, "must be a plain path without braces, query, fragment or space")}
	case endpoint == "/health":
		// argo-events: startServer in pkg/eventsources/common/webhook/webhook.go
		return field.ErrorList{field.Invalid(path, endpoint, "is the health check of upstream's server")}
	}
	return object.Text(path, endpoint)
}

// context is upstream's form, with the method and URL that the kind needs.
func (l Listener) context(method, url string) map[string]any {
	return object.Compact(map[string]any{
		"endpoint": l.Endpoint,
		// Upstream compares the method literally and has no default.
		"method": method,
		// Upstream keeps the port as a string.
		"port":             strconv.Itoa(int(l.Port)),
		"url":              url,
		"serverCertSecret": l.Certificate.selector(),
		"serverKeySecret":  l.Key.selector(),
		"maxPayloadSize":   l.MaxPayload,
	})
}

// samePair tells whether two servers on one port would show the same
// certificate: upstream starts one, with the pair of whichever comes first.
func (l Listener) samePair(other Listener) bool {
	return sameKey(l.Certificate, other.Certificate) && sameKey(l.Key, other.Key)
}

func sameKey(a, b *SecretKey) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// servicePorts names each port after its number, because a Service with several
// ports needs names.
func servicePorts(ports []int32) []any {
	entries := make([]any, 0, len(ports))
	for _, port := range ports {
		entries = append(entries, map[string]any{
			"name":       "webhook-" + strconv.Itoa(int(port)),
			"port":       port,
			"targetPort": port,
		})
	}
	return entries
}
