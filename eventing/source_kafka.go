package eventing

import (
	"encoding/json"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// KafkaTopic makes an event of every message of a Kafka topic. The event data is
// an object with "topic", "key", "partition", "timestamp", "headers" and "body".
type KafkaTopic struct {
	// Brokers are the addresses of the brokers, host:port separated by commas.
	// Required.
	Brokers string
	// Topic that is read. Required.
	Topic string
	// Group reads all partitions and remembers how far it got. Its name is
	// required. Required, unless Partition is set.
	Group *ConsumerGroup
	// Partition is read alone, from the newest message on whenever the pod starts.
	// Forbidden with Group.
	Partition *int32
	// Connect says how often connecting is tried again. Default: upstream's.
	// Forbidden with Group, where upstream ignores it.
	Connect *Retry
	// EventsPerSecond bounds how fast messages are read. Default: no bound.
	// Forbidden with Partition, where upstream ignores it.
	EventsPerSecond int64
	// Version of the brokers, for example "3.6.0". Default: 1.0.0.
	Version string
	// TLS encrypts the connection. Default: not encrypted.
	TLS *TLS
	// SASL authenticates the client. Default: no authentication.
	SASL *SASL
	// JSONBody says that the messages are JSON, so that filters can look into
	// "body". Default: "body" is the message in base64. Upstream drops a message
	// that is no JSON then.
	JSONBody bool
	// SchemaRegistry decodes messages in Avro. It needs JSONBody. Default: none.
	SchemaRegistry *SchemaRegistry
	// Config sets further fields of sarama.Config by their names, for example
	// {"consumer": {"fetch": {"min": 1}}}. Those with credentials are refused.
	Config map[string]any
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

// SchemaRegistry knows the Avro schemas of the messages of a topic.
type SchemaRegistry struct {
	// URL of the registry, http or https. Required. It must not carry credentials:
	// use Auth.
	URL string
	// SchemaID is the schema that messages are written in. Required in a
	// [KafkaTrigger]. Forbidden in a [KafkaTopic], whose messages name theirs.
	SchemaID int32
	// Auth of the client. Default: none.
	Auth *BasicAuth
}

func (k KafkaTopic) validateSource(path *field.Path) field.ErrorList {
	faults := validateBrokers(path.Child("brokers"), k.Brokers)
	faults = append(faults, validateTopic(path.Child("topic"), k.Topic)...)
	faults = append(faults, k.validateReader(path)...)
	faults = append(faults, optional(path.Child("version"), k.Version, validateKafkaVersion)...)
	faults = append(faults, k.TLS.validate(path.Child("tls"))...)
	faults = append(faults, k.SASL.validate(path.Child("sasl"))...)
	if k.SchemaRegistry != nil {
		faults = append(faults, k.SchemaRegistry.validate(path.Child("schemaRegistry"))...)
		if !k.JSONBody {
			faults = append(faults, field.Forbidden(path.Child("schemaRegistry"), "upstream decodes only with jsonBody"))
		}
		if k.SchemaRegistry.SchemaID != 0 {
			faults = append(faults, field.Forbidden(path.Child("schemaRegistry", "schemaID"), "messages name their schema"))
		}
	}
	faults = append(faults, k.validateConfig(path.Child("config"))...)
	return append(faults, validateExtras(path, k.Metadata, k.Filter)...)
}

// validateReader checks the two ways to read a topic.
// argo-events: StartListening in pkg/eventsources/sources/kafka/start.go
func (k KafkaTopic) validateReader(path *field.Path) field.ErrorList {
	faults := notNegative(path.Child("eventsPerSecond"), k.EventsPerSecond)
	switch {
	case k.Group == nil && k.Partition == nil:
		return append(faults, field.Required(path.Child("group"), "group or partition"))
	case k.Group != nil && k.Partition != nil:
		return append(faults, field.Forbidden(path.Child("partition"), "group is set"))
	case k.Group != nil:
		faults = append(faults, k.Group.validate(path.Child("group"))...)
		if k.Group.Name == "" {
			faults = append(faults, field.Required(path.Child("group", "name"), ""))
		}
		if k.Connect != nil {
			faults = append(faults, field.Forbidden(path.Child("connect"), "upstream ignores it with a group"))
		}
	default:
		faults = append(faults, notNegative(path.Child("partition"), *k.Partition)...)
		faults = append(faults, k.Connect.validateOptional(path.Child("connect"))...)
		if k.EventsPerSecond != 0 {
			faults = append(faults, field.Forbidden(path.Child("eventsPerSecond"), "upstream ignores it with a partition"))
		}
	}
	return faults
}

func (k KafkaTopic) validateConfig(path *field.Path) field.ErrorList {
	if k.Config == nil {
		return nil
	}
	if faults := object.RequiredFragment(path, k.Config); len(faults) > 0 {
		return faults
	}
	config, err := object.Encode(k.Config)
	if err == nil && setsSASL("", config) {
		return field.ErrorList{field.Forbidden(path, "net.sasl carries credentials: use sasl")}
	}
	return nil
}

// setsSASL looks for net.sasl as upstream's reader of configurations would find
// it: regardless of case, and with dots in names.
func setsSASL(parent string, config map[string]any) bool {
	for name, value := range config {
		path := strings.ToLower(parent + name)
		children, _ := value.(map[string]any)
		if path == "net.sasl" || strings.HasPrefix(path, "net.sasl.") || setsSASL(path+".", children) {
			return true
		}
	}
	return false
}

func (k KafkaTopic) sourceKind() string              { return "kafka" }
func (k KafkaTopic) sourceRoute() (route, bool)      { return route{}, false }
func (k KafkaTopic) sourcePermissions() []Permission { return nil }

func (k KafkaTopic) sourceSpec() map[string]any {
	spec := map[string]any{
		"url":                  k.Brokers,
		"topic":                k.Topic,
		"connectionBackoff":    k.Connect.optionalSpec(),
		"limitEventsPerSecond": k.EventsPerSecond,
		"version":              k.Version,
		"tls":                  k.TLS.spec(),
		"sasl":                 k.SASL.spec(),
		"jsonBody":             k.JSONBody,
		"schemaRegistry":       k.SchemaRegistry.spec(),
		"config":               k.config(),
	}
	if k.Group != nil {
		spec["consumerGroup"] = k.Group.spec()
	} else {
		spec["partition"] = strconv.Itoa(int(*k.Partition))
	}
	return withExtras(map[string]any{}, k.Metadata, k.Filter, spec)
}

// config is a text in which upstream expects YAML, of which JSON is a part.
func (k KafkaTopic) config() string {
	if len(k.Config) == 0 {
		return ""
	}
	// Validate encoded it before.
	text, err := json.Marshal(k.Config)
	if err != nil {
		return ""
	}
	return string(text)
}

func (s *SchemaRegistry) validate(path *field.Path) field.ErrorList {
	faults := validateURL(path.Child("url"), s.URL, "http", "https")
	faults = append(faults, notNegative(path.Child("schemaID"), s.SchemaID)...)
	return append(faults, s.Auth.validateOptional(path.Child("auth"))...)
}

func (s *SchemaRegistry) spec() map[string]any {
	if s == nil {
		return nil
	}
	return object.Compact(map[string]any{"url": s.URL, "schemaId": s.SchemaID, "auth": s.Auth.spec()})
}
