package eventing

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// HTTPTrigger sends an HTTP request.
type HTTPTrigger struct {
	// URL the request goes to, http or https. Required. It must not carry
	// credentials: use SecretHeaders.
	URL string
	// Method is GET, POST, PUT, PATCH or DELETE. Default: POST.
	Method string
	// Headers are sent as they are written here. A header with credentials
	// belongs in SecretHeaders.
	Headers map[string]string
	// SecretHeaders are headers whose value is read from a Secret in the
	// namespace of the sensor.
	SecretHeaders map[string]SecretKey
	// Payload builds the JSON body from the event. Default: no body.
	Payload []Parameter
	// Timeout of the request in whole seconds. Default: 60s, upstream's own.
	Timeout time.Duration
	// Statuses are the response statuses that count as success; any other makes
	// the trigger fail and be retried. Default: 200, 201, 202 and 204. Upstream's
	// default takes every status for a success.
	Statuses []int32
}

var (
	httpMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	// successStatuses are listed one by one because upstream knows no ranges.
	successStatuses = []int32{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent}
	// credentialHeaders carry credentials by their definition.
	credentialHeaders = []string{"authorization", "proxy-authorization", "cookie"}
)

func (h HTTPTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validateURL(path.Child("url"), h.URL, "http", "https")
	if h.Method != "" && !slices.Contains(httpMethods, h.Method) {
		faults = append(faults, field.NotSupported(path.Child("method"), h.Method, httpMethods))
	}
	faults = append(faults, h.validateHeaders(path)...)
	faults = append(faults, validateParameters(path.Child("payload"), h.Payload, dependencies, true)...)
	faults = append(faults, seconds(path.Child("timeout"), h.Timeout)...)
	for i, status := range h.Statuses {
		if status < 100 || status > 599 {
			faults = append(faults, field.Invalid(path.Child("statuses").Index(i), status, "must be between 100 and 599"))
		}
	}
	return faults
}

func (h HTTPTrigger) validateHeaders(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	headers := path.Child("headers")
	for _, name := range sortedKeys(h.Headers) {
		faults = append(faults, validateHeaderName(headers.Key(name), name)...)
		if slices.Contains(credentialHeaders, strings.ToLower(name)) {
			faults = append(faults, field.Forbidden(headers.Key(name), "carries credentials: use secretHeaders"))
			continue
		}
		faults = append(faults, object.Text(headers.Key(name), h.Headers[name])...)
	}
	secret := path.Child("secretHeaders")
	for _, name := range sortedKeys(h.SecretHeaders) {
		faults = append(faults, validateHeaderName(secret.Key(name), name)...)
		faults = append(faults, h.SecretHeaders[name].validate(secret.Key(name))...)
	}
	return faults
}

// validateHeaderName accepts the token characters of RFC 9110, section 5.6.2.
func validateHeaderName(path *field.Path, name string) field.ErrorList {
	for _, char := range name {
		if char <= ' ' || char >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, char) {
			return field.ErrorList{field.Invalid(path, name, "is no HTTP header name")}
		}
	}
	if name == "" {
		return field.ErrorList{field.Required(path, "a header needs a name")}
	}
	return nil
}

func (h HTTPTrigger) template(Sensor) (string, map[string]any) {
	return "http", object.Compact(map[string]any{
		"url":           h.URL,
		"method":        cmp.Or(h.Method, http.MethodPost),
		"headers":       h.Headers,
		"secureHeaders": h.secureHeaders(),
		"payload":       parametersSpec(h.Payload),
		"timeout":       int64(h.Timeout / time.Second),
	})
}

func (h HTTPTrigger) secureHeaders() []any {
	headers := make([]any, 0, len(h.SecretHeaders))
	for _, name := range sortedKeys(h.SecretHeaders) {
		key := h.SecretHeaders[name]
		headers = append(headers, map[string]any{
			"name":      name,
			"valueFrom": map[string]any{"secretKeyRef": key.selector()},
		})
	}
	return headers
}

func (h HTTPTrigger) policy() map[string]any {
	allowed := h.Statuses
	if len(allowed) == 0 {
		allowed = successStatuses
	}
	return map[string]any{"status": map[string]any{"allow": allowed}}
}

func (h HTTPTrigger) objectParameters() []Parameter { return nil }
func (h HTTPTrigger) permissions() []Permission     { return nil }
