package eventing

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
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

// validateServers checks the URLs of the servers of one cluster, separated by
// commas as the NATS client takes them.
func validateServers(path *field.Path, servers string, schemes ...string) field.ErrorList {
	var faults field.ErrorList
	for server := range strings.SplitSeq(servers, ",") {
		faults = append(faults, validateURL(path, server, schemes...)...)
	}
	return faults
}

// validateBrokers checks the addresses of Kafka brokers, host:port separated by
// commas. Everybody who may read the object can read them.
func validateBrokers(path *field.Path, brokers string) field.ErrorList {
	if brokers == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var faults field.ErrorList
	for broker := range strings.SplitSeq(brokers, ",") {
		faults = append(faults, validateAddress(path, broker)...)
	}
	return faults
}

// validateAddress checks a host and a port.
func validateAddress(path *field.Path, address string) field.ErrorList {
	if strings.ContainsAny(address, "@/") {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be host:port, without scheme, path or credentials")}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" {
		return field.ErrorList{field.Invalid(path, address, "must be host:port")}
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return field.ErrorList{field.Invalid(path, address, "must have a number for a port")}
	}
	return append(invalidValue(path, address, validation.IsValidPortNum(number)), object.Text(path, address)...)
}
