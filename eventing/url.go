package eventing

import (
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// validateURL checks a URL that becomes part of an object, where everybody who
// may read the object can read it.
func validateURL(path *field.Path, raw string, schemes ...string) field.ErrorList {
	if raw == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	parsed, err := url.Parse(raw)
	switch {
	case err != nil:
		// The parse error repeats the URL, which may hold credentials.
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be a URL")}
	case parsed.User != nil:
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must not carry credentials: reference a Secret instead")}
	case !slices.Contains(schemes, parsed.Scheme):
		return field.ErrorList{field.Invalid(path, raw, "must have one of the schemes "+strings.Join(schemes, ", "))}
	case parsed.Host == "":
		return field.ErrorList{field.Invalid(path, raw, "must name a host")}
	}
	return object.Text(path, raw)
}
