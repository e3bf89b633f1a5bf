package eventing

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
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
	Endpoint string
	// Method is GET or POST, the two that upstream reads a body from; a request
	// with another method is refused. Default: POST.
	Method string
	// Auth selects the bearer token a sender must present. Default: anybody who
	// reaches the port may send events.
	Auth *SecretKey
	// Filter is an expression over the event that decides whether it reaches the
	// bus at all, in the language of github.com/expr-lang/expr, for example
	// `body.action == "opened"`. Default: every event does.
	Filter string
}

func (w Webhook) validateSource(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for _, message := range validation.IsValidPortNum(int(w.Port)) {
		faults = append(faults, field.Invalid(path.Child("port"), w.Port, message))
	}
	faults = append(faults, validateEndpoint(path.Child("endpoint"), w.Endpoint)...)
	switch w.Method {
	// argo-events: GetBody in pkg/eventsources/sources/webhook/start.go
	case "", http.MethodGet, http.MethodPost:
	default:
		faults = append(faults, field.NotSupported(path.Child("method"), w.Method, []string{http.MethodGet, http.MethodPost}))
	}
	if w.Auth != nil {
		faults = append(faults, w.Auth.validate(path.Child("auth"))...)
	}
	return append(faults, object.Text(path.Child("filter"), w.Filter)...)
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
	}
	return object.Text(path, endpoint)
}

func (w Webhook) sourceKind() string { return "webhook" }

func (w Webhook) sourceRoute() (route, bool) {
	return route{port: w.Port, endpoint: w.Endpoint}, true
}

func (w Webhook) sourceSpec() map[string]any {
	return object.Compact(map[string]any{
		"endpoint": w.Endpoint,
		// Upstream compares the method literally and has no default.
		"method": cmp.Or(w.Method, http.MethodPost),
		// Upstream keeps the port as a string.
		"port":       strconv.Itoa(int(w.Port)),
		"authSecret": w.Auth.selector(),
		"filter":     object.Compact(map[string]any{"expression": w.Filter}),
	})
}

func (w Webhook) sourcePermissions() []Permission { return nil }

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
