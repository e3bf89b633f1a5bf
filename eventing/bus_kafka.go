package eventing

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Kafka is a Kafka cluster that somebody else runs, as the transport of a bus.
//
// Upstream keeps the events in Topic and the state of each sensor in two more
// topics, "<topic>-<sensor>-trigger" and "<topic>-<sensor>-action". They must
// exist, or the brokers must create topics by themselves.
type Kafka struct {
	// Brokers are the addresses of the brokers, host:port separated by commas.
	// Required.
	Brokers string
	// Topic of the events. Default: "<namespace>-<name>" of the bus.
	Topic string
	// Version of the brokers, for example "3.6.0". Default: the oldest that the
	// client supports.
	Version string
	// TLS encrypts the connection. Default: not encrypted.
	TLS *TLS
	// SASL authenticates the client. Default: no authentication.
	SASL *SASL
	// Group shapes the consumer groups of the sensors. Its name is best left
	// empty: upstream then gives each sensor a group of its own, whereas sensors
	// of one group share the events out among them.
	Group ConsumerGroup
	// Partitioner says which partition an event goes to. Default: random.
	Partitioner Partitioner
}

// ConsumerGroup shapes a group of Kafka consumers.
type ConsumerGroup struct {
	// Name of the group. Default, in a bus only: "<namespace>-<sensor>".
	Name string
	// Oldest makes a new group start from the oldest event. Default: from the
	// newest.
	Oldest bool
	// Rebalance is the strategy that shares the partitions out.
	// Default: RebalanceRange.
	Rebalance Rebalance
}

// Rebalance shares partitions out among the consumers of a group.
type Rebalance string

// The strategies of upstream, which takes any other for range.
const (
	RebalanceRange      Rebalance = "range"
	RebalanceRoundRobin Rebalance = "roundrobin"
	RebalanceSticky     Rebalance = "sticky"
)

var rebalances = []Rebalance{RebalanceRange, RebalanceRoundRobin, RebalanceSticky}

// Partitioner chooses the partition of a message.
type Partitioner string

// The partitioners of upstream, which takes any other for random. The manual one
// leaves every event in partition 0, since upstream chooses none for events.
// argo-events: pkg/eventbus/kafka/base/kafka.go
const (
	PartitionRandom     Partitioner = "random"
	PartitionHash       Partitioner = "hash"
	PartitionRoundRobin Partitioner = "roundrobin"
	PartitionManual     Partitioner = "manual"
)

var partitioners = []Partitioner{PartitionRandom, PartitionHash, PartitionRoundRobin, PartitionManual}

func (k Kafka) validateBus(path *field.Path) field.ErrorList {
	faults := validateBrokers(path.Child("brokers"), k.Brokers)
	faults = append(faults, optional(path.Child("topic"), k.Topic, validateTopic)...)
	faults = append(faults, optional(path.Child("version"), k.Version, validateKafkaVersion)...)
	faults = append(faults, k.TLS.validate(path.Child("tls"))...)
	faults = append(faults, k.SASL.validate(path.Child("sasl"))...)
	faults = append(faults, k.Group.validate(path.Child("group"))...)
	return append(faults, oneOf(path.Child("partitioner"), k.Partitioner, partitioners)...)
}

func (k Kafka) busSpec() map[string]any {
	return map[string]any{"kafka": object.Compact(map[string]any{
		"url":           k.Brokers,
		"topic":         k.Topic,
		"version":       k.Version,
		"tls":           k.TLS.spec(),
		"sasl":          k.SASL.spec(),
		"consumerGroup": k.Group.spec(),
		"partitioner":   k.Partitioner,
	})}
}

func (c ConsumerGroup) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("name"), c.Name)
	return append(faults, oneOf(path.Child("rebalance"), c.Rebalance, rebalances)...)
}

func (c ConsumerGroup) spec() map[string]any {
	return object.Compact(map[string]any{
		"groupName":         c.Name,
		"oldest":            c.Oldest,
		"rebalanceStrategy": c.Rebalance,
	})
}

var (
	// topicName is what Kafka accepts (kafka: Topic.java).
	topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	// kafkaVersion has four numbers before 1.0 and three since
	// (sarama: ParseKafkaVersion in utils.go).
	kafkaVersion = regexp.MustCompile(`^(0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+)$`)
)

func validateTopic(path *field.Path, topic string) field.ErrorList {
	return matches(path, topic, topicName)
}

func validateKafkaVersion(path *field.Path, version string) field.ErrorList {
	return matches(path, version, kafkaVersion)
}
