package policy

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// APICall is a request to the API server or to a service. URLPath or Service is needed.
type APICall struct {
	// URLPath at the API server: "/api/v1/namespaces". It may hold variables.
	URLPath string
	// Service is another server, which answers in JSON.
	Service *ServiceCall
	// Method is GET or POST. Default: GET.
	Method string
	// Data that a POST sends, as an object.
	Data []APICallData
}

// ServiceCall is a server that answers in JSON.
type ServiceCall struct {
	// URL of the service: "https://name.namespace:443/path". Required.
	URL string
	// Headers of the request. Their values are in the policy for everybody to read.
	Headers []APICallHeader
	// CABundle is the certificate authority of the service, in PEM. Default: those of the system.
	CABundle string
}

// APICallData is a field of what a POST sends.
type APICallData struct {
	// Key of the field. Required.
	Key string
	// Value of the field. Required.
	Value any
}

// APICallHeader is a header of a request.
type APICallHeader struct {
	// Key of the header. Required.
	Key string
	// Value of the header. Default: "".
	Value string
}

const methodPost = "POST"

// kyverno: pkg/validation/policy/validate.go, validateAPICall; api/kyverno/v2alpha1/global_context_entry_types.go
func (c APICall) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("urlPath"), c.URLPath)
	switch {
	case c.URLPath == "" && c.Service == nil:
		faults = append(faults, field.Required(path.Child("urlPath"), "a call has a path of the API server or a service"))
	case c.URLPath != "" && c.Service != nil:
		faults = append(faults, field.Forbidden(path.Child("service"), "urlPath is set already: leave out one of the two"))
	}
	if c.Service != nil {
		faults = append(faults, c.Service.validate(path.Child("service"))...)
	}
	faults = append(faults, validateChoice(path.Child("method"), c.Method, "GET", methodPost)...)
	if len(c.Data) > 0 && c.Method != methodPost {
		faults = append(faults, field.Forbidden(path.Child("data"), "it is sent by the method POST alone"))
	}
	for i, data := range c.Data {
		faults = append(faults, object.RequiredText(path.Child("data").Index(i).Child("key"), data.Key)...)
		faults = append(faults, validateValue(path.Child("data").Index(i).Child("value"), data.Value)...)
	}
	return faults
}

// validate does not repeat the values of headers, which may be secret.
func (s ServiceCall) validate(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("url"), s.URL)
	for i, header := range s.Headers {
		at := path.Child("headers").Index(i)
		faults = append(faults, object.RequiredText(at.Child("key"), header.Key)...)
		if len(object.Text(at, header.Value)) > 0 {
			faults = append(faults, field.Invalid(at.Child("value"), field.OmitValueType{}, "must be valid UTF-8"))
		}
	}
	return append(faults, validatePEM(path.Child("caBundle"), s.CABundle)...)
}

func (c APICall) build() map[string]any {
	data := make([]any, len(c.Data))
	for i, item := range c.Data {
		data[i] = map[string]any{"key": item.Key, "value": item.Value}
	}
	fields := object.Compact(map[string]any{"urlPath": c.URLPath, "method": c.Method, "data": data})
	if c.Service != nil {
		fields["service"] = c.Service.build()
	}
	return fields
}

func (s ServiceCall) build() map[string]any {
	headers := make([]any, len(s.Headers))
	for i, header := range s.Headers {
		headers[i] = map[string]any{"key": header.Key, "value": header.Value}
	}
	return object.Compact(map[string]any{"url": s.URL, "headers": headers, "caBundle": s.CABundle})
}
