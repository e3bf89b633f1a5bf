package eventing

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// KafkaTrigger puts a message into a Kafka topic. Upstream does not wait until the
// brokers have it, and only logs when they refuse it.
type KafkaTrigger struct {
	// Brokers are the addresses of the brokers, host:port separated by commas.
	// Required.
	Brokers string
	// Topic of the message. Required, unless a parameter sets "topic".
	Topic string
	// Payload builds the JSON message from the event. At least one is required.
	Payload []Parameter
	// Key decides on the partition: messages of one key stay in order. A parameter
	// may set "partitioningKey". Default: a random partition.
	Key string
	// Headers are sent as they are written here. A header with credentials belongs
	// in SecretHeaders.
	Headers map[string]string
	// SecretHeaders and ConfigMapHeaders are headers whose value is read from a
	// Secret or a ConfigMap in the namespace of the sensor.
	SecretHeaders    map[string]SecretKey
	ConfigMapHeaders map[string]ConfigMapKey
	// LeaderOnly makes the leader of the partition acknowledge a message by itself.
	// Default: all replicas in sync must have it.
	LeaderOnly bool
	// Compress the messages with snappy.
	Compress bool
	// Version of the brokers, for example "3.6.0". Default: 1.0.0.
	Version string
	// TLS encrypts the connection. Upstream accepts any certificate of the brokers
	// here, whatever is set. Default: not encrypted.
	// argo-events: NewKafkaTrigger in pkg/sensors/triggers/kafka/kafka.go
	TLS *TLS
	// SASL authenticates the client. Default: no authentication.
	SASL *SASL
	// SchemaRegistry encodes the message in Avro. Its SchemaID is required.
	// Default: JSON.
	SchemaRegistry *SchemaRegistry
	// Parameters copy values of the event into the trigger, for example to
	// "partitioningKey". The paths are those of upstream's KafkaTrigger. Upstream
	// keeps its connection, so those that set it up count for the first event only.
	Parameters []Parameter
}

func (k KafkaTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validateBrokers(path.Child("brokers"), k.Brokers)
	if k.Topic != "" || !sets(k.Parameters, "topic") {
		faults = append(faults, validateTopic(path.Child("topic"), k.Topic)...)
	}
	faults = append(faults, validatePayload(path.Child("payload"), k.Payload, dependencies)...)
	faults = append(faults, object.Text(path.Child("key"), k.Key)...)
	faults = append(faults, validatePlainHeaders(path.Child("headers"), k.Headers, object.RequiredText)...)
	faults = append(faults, validateSecretHeaders(path.Child("secretHeaders"), k.SecretHeaders, object.RequiredText)...)
	faults = append(faults, validateConfigMapHeaders(path.Child("configMapHeaders"), k.ConfigMapHeaders, object.RequiredText)...)
	faults = append(faults, optional(path.Child("version"), k.Version, validateKafkaVersion)...)
	faults = append(faults, k.TLS.validate(path.Child("tls"))...)
	faults = append(faults, k.SASL.validate(path.Child("sasl"))...)
	if k.SchemaRegistry != nil {
		faults = append(faults, k.SchemaRegistry.validate(path.Child("schemaRegistry"))...)
		if k.SchemaRegistry.SchemaID == 0 {
			faults = append(faults, field.Required(path.Child("schemaRegistry", "schemaID"), ""))
		}
	}
	return append(faults, validateParameters(path.Child("parameters"), k.Parameters, dependencies, false)...)
}

func (k KafkaTrigger) template(Sensor) (string, map[string]any) {
	spec := map[string]any{
		"url":             k.Brokers,
		"topic":           k.Topic,
		"payload":         parametersSpec(k.Payload),
		"partitioningKey": k.Key,
		"headers":         k.Headers,
		"secureHeaders":   headersSpec(k.SecretHeaders, k.ConfigMapHeaders),
		"compress":        k.Compress,
		"version":         k.Version,
		"tls":             k.TLS.spec(),
		"sasl":            k.SASL.spec(),
		"schemaRegistry":  k.SchemaRegistry.spec(),
		"parameters":      parametersSpec(k.Parameters),
	}
	if k.LeaderOnly {
		// Upstream takes none for all.
		spec["requiredAcks"] = 1
	}
	return "kafka", object.Compact(spec)
}

func (k KafkaTrigger) traits() traits { return traits{} }
