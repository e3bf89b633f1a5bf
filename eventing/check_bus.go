package eventing

import (
	"net/url"
	"strings"

	"sigs.k8s.io/yaml"
)

// busKinds are the fields of an EventBus spec that hold a transport, in the order in which the controller looks for one.
// argo-events: getInstaller in pkg/reconciler/eventbus/installer/installer.go
var busKinds = []string{"nats", "jetstream", "kafka", "jetstreamExotic"}

// checkBus finds what the controller refuses or does not look at.
// argo-events: pkg/reconciler/eventbus/validate.go
func (c *checker) checkBus(root place) {
	spec := root.Child("spec")
	var kinds []string
	for _, kind := range busKinds {
		if spec.Child(kind).Present() {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		spec.Report(checkMissingField, "a bus needs one of %s", strings.Join(busKinds, ", "))
		return
	}
	for _, ignored := range kinds[1:] {
		spec.Child(ignored).Report(checkIgnoredField, "the bus has %s, and is one transport", kinds[0])
	}
	bus := spec.Child(kinds[0])
	switch kinds[0] {
	case "nats":
		bus.Report(checkLegacyBus, "it is NATS Streaming")
		checkStreaming(bus)
	case "jetstream":
		if bus.Child("version").Text() == "" {
			bus.Child("version").Report(checkMissingField, "JetStream needs it")
		}
		if replicas, ok := number(bus.Child("replicas")); ok && (replicas == 2 || replicas <= 0) {
			bus.Child("replicas").Report(checkQuorum, "%v servers form no quorum", replicas)
		}
		checkStream(bus.Child("streamConfig"))
	case "jetstreamExotic":
		checkServer(bus)
		checkStream(bus.Child("streamConfig"))
		if bus.Child("accessSecret").Empty() {
			bus.Child("accessSecret").Report(checkOpenBus, "it is not set")
		}
	case "kafka":
		checkServer(bus)
		if bus.Child("sasl").Empty() && bus.Child("tls").Empty() {
			bus.Child("sasl").Report(checkOpenBus, "neither sasl nor tls is set")
		}
	}
}

func checkStreaming(bus place) {
	native, exotic := bus.Child("native"), bus.Child("exotic")
	switch {
	case native.Present() && exotic.Present():
		exotic.Report(checkIgnoredField, "native and exotic cannot be together")
	case !native.Present() && !exotic.Present():
		bus.Report(checkMissingField, "it needs native or exotic")
	case exotic.Present():
		checkServer(exotic)
		if exotic.Child("clusterID").Text() == "" {
			exotic.Child("clusterID").Report(checkMissingField, "an exotic bus needs it")
		}
	}
}

func checkServer(bus place) {
	address := bus.Child("url")
	if address.Text() == "" {
		address.Report(checkMissingField, "the bus needs it")
		return
	}
	for server := range strings.SplitSeq(address.Text(), ",") {
		if parsed, err := url.Parse(strings.TrimSpace(server)); err == nil && parsed.User != nil {
			address.Report(checkPlainSecret, "the URL carries credentials")
		}
	}
}

// checkStream reads the limits, which are YAML in a text.
func checkStream(config place) {
	limits := map[string]any{}
	if err := yaml.Unmarshal([]byte(config.Text()), &limits); err != nil {
		config.Report(checkExpression, "%v", err)
	}
}
