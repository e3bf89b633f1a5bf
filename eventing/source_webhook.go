package eventing

import (
	"cmp"
	"net/http"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Webhook receives events over HTTP. The event data is an object with the
// request's header and body, so a filter reads "body.ref" or
// "header.X-Github-Event.0".
type Webhook struct {
	// Port the pod listens on. Required. Webhooks of one event source may share
	// a port.
	Port int32
	// Endpoint is the path of the URL, starting with a slash. Required.
	// "/health" is taken: upstream answers it itself.
	Endpoint string
	// Method is GET or POST, the two that upstream reads a body from; a request
	// with another method is refused. Default: POST.
	Method string
	// Auth selects the bearer token a sender must present. Default: anybody who
	// reaches the port may send events.
	Auth *SecretKey
	// Certificate and Key select the PEM certificate and private key of the server.
	// Both or neither; the same for all webhooks on the port. Default: plain HTTP.
	Certificate *SecretKey
	Key         *SecretKey
	// MaxPayload is the size of the largest body in bytes. Default: 1 MiB.
	MaxPayload int64
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event that decides whether it reaches the
	// bus at all, in the language of github.com/expr-lang/expr, for example
	// `body.action == "opened"`. Default: every event does.
	Filter string
}

func (w Webhook) listener() Listener {
	return Listener{Port: w.Port, Endpoint: w.Endpoint, Certificate: w.Certificate, Key: w.Key, MaxPayload: w.MaxPayload}
}

func (w Webhook) validateSource(path *field.Path) field.ErrorList {
	faults := w.listener().validate(path)
	switch w.Method {
	// argo-events: GetBody in pkg/eventsources/sources/webhook/start.go
	case "", http.MethodGet, http.MethodPost:
	default:
		faults = append(faults, field.NotSupported(path.Child("method"), w.Method, []string{http.MethodGet, http.MethodPost}))
	}
	faults = append(faults, w.Auth.validateOptional(path.Child("auth"))...)
	return append(faults, validateExtras(path, w.Metadata, w.Filter)...)
}

func (w Webhook) sourceKind() string { return "webhook" }

func (w Webhook) sourceRoute() (route, bool) {
	return route{kind: w.sourceKind(), Listener: w.listener()}, true
}

func (w Webhook) sourceSpec() map[string]any {
	spec := w.listener().context(cmp.Or(w.Method, http.MethodPost), "")
	return withExtras(spec, w.Metadata, w.Filter, map[string]any{"authSecret": w.Auth.selector()})
}

func (w Webhook) sourcePermissions() []Permission { return nil }

// validateExtras checks the fields that nearly all sources have.
func validateExtras(path *field.Path, metadata map[string]string, filter string) field.ErrorList {
	var faults field.ErrorList
	for _, key := range sortedKeys(metadata) {
		faults = append(faults, object.Text(path.Child("metadata").Key(key), key)...)
		faults = append(faults, object.Text(path.Child("metadata").Key(key), metadata[key])...)
	}
	return append(faults, object.Text(path.Child("filter"), filter)...)
}

// withExtras adds to the fields of a source those that say something, and the
// fields that nearly all sources have.
func withExtras(spec map[string]any, metadata map[string]string, filter string, more map[string]any) map[string]any {
	for key, value := range object.Compact(more) {
		spec[key] = value
	}
	if len(metadata) > 0 {
		spec["metadata"] = metadata
	}
	if filter != "" {
		spec["filter"] = map[string]any{"expression": filter}
	}
	return spec
}
