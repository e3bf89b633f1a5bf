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
	// credentials: use SecretHeaders or BasicAuth.
	URL string
	// Method is GET, POST, PUT, PATCH or DELETE. Default: POST.
	Method string
	// Host replaces that of the URL in the request. Default: that of the URL.
	Host string
	// Headers are sent as they are written here. A header with credentials
	// belongs in SecretHeaders.
	Headers map[string]string
	// SecretHeaders are headers whose value is read from a Secret in the
	// namespace of the sensor.
	SecretHeaders map[string]SecretKey
	// ConfigMapHeaders are headers whose value is read from a ConfigMap in the
	// namespace of the sensor.
	ConfigMapHeaders map[string]ConfigMapKey
	// EventHeaders are headers whose value is read from the event: To is the name
	// of the header. An event without the value makes the trigger fail, unless
	// there is a default.
	EventHeaders []Parameter
	// BasicAuth is sent in the header Authorization. Forbidden with such a header.
	// Default: none.
	BasicAuth *BasicAuth
	// TLS says how https connections are checked. Default: against the authorities
	// in upstream's image. Upstream keeps the first that a trigger used until the
	// sensor restarts.
	TLS *TLS
	// Payload builds the JSON body from the event. Default: no body.
	Payload []Parameter
	// Parameters copy values of the event into the request, for example to "url".
	// The paths are those of upstream's HTTPTrigger.
	Parameters []Parameter
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
	faults = append(faults, oneOf(path.Child("method"), h.Method, httpMethods)...)
	faults = append(faults, object.Text(path.Child("host"), h.Host)...)
	faults = append(faults, h.validateHeaders(path, dependencies)...)
	faults = append(faults, h.BasicAuth.validateOptional(path.Child("basicAuth"))...)
	faults = append(faults, h.TLS.validate(path.Child("tls"))...)
	faults = append(faults, validateMessage(path.Child("payload"), h.Payload, dependencies, true)...)
	faults = append(faults, validateParameters(path.Child("parameters"), h.Parameters, dependencies, false)...)
	faults = append(faults, seconds(path.Child("timeout"), h.Timeout)...)
	for i, status := range h.Statuses {
		if status < 100 || status > 599 {
			faults = append(faults, field.Invalid(path.Child("statuses").Index(i), status, "must be between 100 and 599"))
		}
	}
	return faults
}

func (h HTTPTrigger) validateHeaders(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validatePlainHeaders(path.Child("headers"), h.Headers, validateHeaderName)
	faults = append(faults, validateSecretHeaders(path.Child("secretHeaders"), h.SecretHeaders, validateHeaderName)...)
	faults = append(faults, validateConfigMapHeaders(path.Child("configMapHeaders"), h.ConfigMapHeaders, validateHeaderName)...)
	event := path.Child("eventHeaders")
	faults = append(faults, validateMessage(event, h.EventHeaders, dependencies, false)...)
	for i, header := range h.EventHeaders {
		faults = append(faults, optional(event.Index(i).Child("to"), header.To, validateHeaderName)...)
		if header.Operation != "" {
			faults = append(faults, field.Forbidden(event.Index(i).Child("operation"), "upstream always overwrites a header"))
		}
	}
	if h.BasicAuth == nil {
		return faults
	}
	for _, name := range sortedKeys(h.SecretHeaders) {
		if strings.EqualFold(name, "authorization") {
			faults = append(faults, field.Forbidden(path.Child("secretHeaders").Key(name), "basicAuth is set"))
		}
	}
	return faults
}

func (h HTTPTrigger) template(Sensor) (string, map[string]any) {
	return "http", object.Compact(map[string]any{
		"url":            h.URL,
		"method":         cmp.Or(h.Method, http.MethodPost),
		"host":           h.Host,
		"headers":        h.Headers,
		"secureHeaders":  headersSpec(h.SecretHeaders, h.ConfigMapHeaders),
		"dynamicHeaders": parametersSpec(h.EventHeaders),
		"basicAuth":      h.BasicAuth.spec(),
		"tls":            h.TLS.spec(),
		"payload":        parametersSpec(h.Payload),
		"parameters":     parametersSpec(h.Parameters),
		"timeout":        int64(h.Timeout / time.Second),
	})
}

func (h HTTPTrigger) traits() traits {
	allowed := h.Statuses
	if len(allowed) == 0 {
		allowed = successStatuses
	}
	return traits{policy: map[string]any{"status": map[string]any{"allow": allowed}}}
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

type nameCheck func(path *field.Path, name string) field.ErrorList

func validatePlainHeaders(path *field.Path, headers map[string]string, checkName nameCheck) field.ErrorList {
	var faults field.ErrorList
	for _, name := range sortedKeys(headers) {
		faults = append(faults, checkName(path.Key(name), name)...)
		if slices.Contains(credentialHeaders, strings.ToLower(name)) {
			faults = append(faults, field.Forbidden(path.Key(name), "carries credentials: use secretHeaders"))
			continue
		}
		faults = append(faults, object.Text(path.Key(name), headers[name])...)
	}
	return faults
}

func validateSecretHeaders(path *field.Path, headers map[string]SecretKey, checkName nameCheck) field.ErrorList {
	var faults field.ErrorList
	for _, name := range sortedKeys(headers) {
		faults = append(faults, checkName(path.Key(name), name)...)
		faults = append(faults, headers[name].validate(path.Key(name))...)
	}
	return faults
}

func validateConfigMapHeaders(path *field.Path, headers map[string]ConfigMapKey, checkName nameCheck) field.ErrorList {
	var faults field.ErrorList
	for _, name := range sortedKeys(headers) {
		faults = append(faults, checkName(path.Key(name), name)...)
		if slices.Contains(credentialHeaders, strings.ToLower(name)) {
			faults = append(faults, field.Forbidden(path.Key(name), "carries credentials: use secretHeaders"))
		}
		faults = append(faults, headers[name].validateObjectSource(path.Key(name))...)
	}
	return faults
}

// headersSpec is upstream's form of headers that are read from elsewhere.
func headersSpec(secrets map[string]SecretKey, configMaps map[string]ConfigMapKey) []any {
	headers := make([]any, 0, len(secrets)+len(configMaps))
	for _, name := range sortedKeys(secrets) {
		key := secrets[name]
		headers = append(headers, map[string]any{"name": name, "valueFrom": map[string]any{"secretKeyRef": key.selector()}})
	}
	for _, name := range sortedKeys(configMaps) {
		headers = append(headers, map[string]any{"name": name, "valueFrom": map[string]any{"configMapKeyRef": configMaps[name].selector()}})
	}
	return headers
}
