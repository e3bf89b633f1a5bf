package eventing_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/controlbackbone/backbone/eventing"
)

func TestEventBusFaults(t *testing.T) {
	exotic := func(url string) eventing.EventBus {
		return eventing.EventBus{Namespace: "events", Bus: eventing.JetStreamExotic{URL: url}}
	}
	tests := map[string]struct {
		bus  eventing.EventBus
		want []string
	}{
		"a bus needs a namespace and a transport": {
			bus: eventing.EventBus{},
			want: []string{
				`namespace: Required value`,
				`bus: Required value: JetStream, JetStreamExotic, Kafka, STAN, STANExotic or RawBus`,
			},
		},
		"a nil pointer is no transport": {
			bus:  eventing.EventBus{Namespace: "events", Bus: (*eventing.JetStream)(nil)},
			want: []string{`bus: Required value: JetStream, JetStreamExotic, Kafka, STAN, STANExotic or RawBus`},
		},
		"a pointer to a transport is one": {
			bus: eventing.EventBus{Namespace: "events", Bus: &eventing.JetStream{}},
		},
		"the name is a label, not a subdomain": {
			bus:  eventing.EventBus{Name: "a.b", Namespace: "events", Bus: eventing.JetStream{}},
			want: []string{`name: Invalid value: "a.b": must not contain dots`},
		},
		"two servers form no quorum": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.JetStream{Replicas: 2}},
			want: []string{`bus.replicas: Invalid value: 2: must be 1, or 3 and more, to form a quorum`},
		},
		"limits of the stream are checked": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStream{Stream: eventing.Stream{
				MaxMessages: -2, MaxBytes: -2, MaxAge: -1, Duplicates: -1, Replicas: 2,
			}}},
			want: []string{
				`bus.stream.maxMessages: Invalid value: -2: must be -1 or more`,
				`bus.stream.maxBytes: Invalid value: -2: must be -1 or more`,
				`bus.stream.maxAge: Invalid value: "-1ns": must not be negative`,
				`bus.stream.duplicates: Invalid value: "-1ns": must not be negative`,
				`bus.stream.replicas: Invalid value: 2: must be 1, 3 or 5`,
			},
		},
		"a foreign server needs a URL":        {bus: exotic(""), want: []string{`bus.url: Required value`}},
		"a URL needs a host":                  {bus: exotic("nats://"), want: []string{`bus.url: Invalid value: "nats://": must name a host`}},
		"a URL needs a scheme of NATS":        {bus: exotic("http://nats:4222"), want: []string{`bus.url: Invalid value: "http://nats:4222": must have one of the schemes nats, tls, ws, wss`}},
		"credentials in a URL are not echoed": {bus: exotic("nats://me:hunter2@nats:4222"), want: []string{`bus.url: Invalid value: must not carry credentials: reference a Secret instead`}},
		"an unreadable URL is not echoed":     {bus: exotic("nats://me:hunter2@nats:port"), want: []string{`bus.url: Invalid value: must be a URL`}},
		"every server of a list is checked":   {bus: exotic("nats://a:4222,b"), want: []string{`bus.url: Invalid value: "b": must have one of the schemes nats, tls, ws, wss`}},
		"a secret key needs a name and a key": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStreamExotic{URL: "nats://nats:4222", Auth: &eventing.SecretKey{Key: "a/b"}}},
			want: []string{
				`bus.auth.name: Required value: the object needs a name`,
				`bus.auth.key: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
			},
		},
		"storage, sizes and volumes are not negative": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStream{
				Storage: eventing.JetStreamStorage{MaxMemory: -1, MaxFile: -1}, MaxPayload: -1,
				Persistence: &eventing.Persistence{StorageClass: "A", AccessMode: "ReadOnce", Size: resource.MustParse("-1Gi")},
			}},
			want: []string{
				`bus.storage.maxMemory: Invalid value: -1: must not be negative`,
				`bus.storage.maxFile: Invalid value: -1: must not be negative`,
				`bus.maxPayload: Invalid value: -1: must not be negative`,
				`bus.persistence.storageClass: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
				`bus.persistence.accessMode: Unsupported value: "ReadOnce": supported values: "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"`,
				`bus.persistence.size: Invalid value: "-1Gi": must not be negative`,
			},
		},
		"start arguments carry no credentials": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStream{StartArgs: []string{"-D", "--pass=hunter2", "-auth", ""}}},
			want: []string{
				`bus.startArgs[1]: Forbidden: carries credentials`,
				`bus.startArgs[2]: Forbidden: carries credentials`,
				`bus.startArgs[3]: Required value`,
			},
		},
		"the pods of a bus have no volumes, mounts and environment": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStream{
				Pod: eventing.Pod{
					ImagePullSecrets: []string{""}, Volumes: []corev1.Volume{{Name: "v"}},
					Container: eventing.Container{ImagePullPolicy: "Sometimes", VolumeMounts: []corev1.VolumeMount{{Name: "v"}}},
				},
				Metrics:  eventing.Container{Env: []corev1.EnvVar{{Name: "A"}}},
				Reloader: eventing.Container{EnvFrom: []corev1.EnvFromSource{{Prefix: "A"}}},
			}},
			want: []string{
				`bus.pod.imagePullSecrets[0]: Required value: the object needs a name`,
				`bus.pod.volumes: Forbidden: upstream has no such field for the pods of a bus`,
				`bus.pod.container.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
				`bus.pod.container.volumeMounts: Forbidden: upstream has no such field for the pods of a bus`,
				`bus.metrics.env: Forbidden: upstream has no such field for the pods of a bus`,
				`bus.reloader.envFrom: Forbidden: upstream has no such field for the pods of a bus`,
			},
		},
		"a certificate and its key belong together": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.JetStreamExotic{URL: "tls://nats:4222", TLS: &eventing.TLS{Certificate: &eventing.SecretKey{Name: "a", Key: "b"}}}},
			want: []string{`bus.tls.key: Required value: the certificate has no key`},
		},
		"a key needs its certificate, and no authority counts when none is checked": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.JetStreamExotic{URL: "tls://nats:4222", TLS: &eventing.TLS{
				CA: &eventing.SecretKey{Name: "a"}, Key: &eventing.SecretKey{Name: "a", Key: "b"}, InsecureSkipVerify: true,
			}}},
			want: []string{
				`bus.tls.ca.key: Required value`,
				`bus.tls.certificate: Required value: the key has no certificate`,
				`bus.tls.insecureSkipVerify: Forbidden: upstream ignores ca, certificate and key then`,
			},
		},
		"a Kafka bus needs brokers": {bus: eventing.EventBus{Namespace: "events", Bus: eventing.Kafka{}}, want: []string{`bus.brokers: Required value`}},
		"brokers are addresses": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.Kafka{Brokers: "a:1,b,:2,c:0,d:x,me:hunter2@e:9092"}},
			want: []string{
				`bus.brokers: Invalid value: "b": must be host:port`,
				`bus.brokers: Invalid value: ":2": must be host:port`,
				`bus.brokers: Invalid value: "c:0": must be between 1 and 65535, inclusive`,
				`bus.brokers: Invalid value: "d:x": must have a number for a port`,
				`bus.brokers: Invalid value: must be host:port, without scheme, path or credentials`,
			},
		},
		"the choices of a Kafka bus are those of upstream": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.Kafka{
				Brokers: "kafka:9092", Topic: "a b", Version: "3", SASL: &eventing.SASL{Mechanism: "GSSAPI"},
				Group: eventing.ConsumerGroup{Rebalance: "fair"}, Partitioner: "first",
			}},
			want: []string{
				`bus.topic: Invalid value: "a b": must match ^[a-zA-Z0-9._-]{1,249}$`,
				`bus.version: Invalid value: "3": must match ^(0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+)$`,
				`bus.sasl.mechanism: Unsupported value: "GSSAPI": supported values: "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"`,
				`bus.sasl.user.name: Required value: the object needs a name`,
				`bus.sasl.user.key: Required value`,
				`bus.sasl.password.name: Required value: the object needs a name`,
				`bus.sasl.password.key: Required value`,
				`bus.group.rebalance: Unsupported value: "fair": supported values: "range", "roundrobin", "sticky"`,
				`bus.partitioner: Unsupported value: "first": supported values: "random", "hash", "roundrobin", "manual"`,
			},
		},
		"a NATS Streaming cluster has three servers": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.STAN{
				Replicas: 1, MaxAge: -1, MaxMessages: -1, MaxBytes: -1, MaxSubscriptions: -1, MaxPayload: -1,
				Raft: eventing.STANRaft{Heartbeat: -1, Election: -1, Lease: -1, Commit: -1},
			}},
			want: []string{
				`bus.replicas: Invalid value: 1: must be at least 3`,
				`bus.maxAge: Invalid value: "-1ns": must not be negative`,
				`bus.maxMessages: Invalid value: -1: must not be negative`,
				`bus.maxBytes: Invalid value: -1: must not be negative`,
				`bus.maxSubscriptions: Invalid value: -1: must not be negative`,
				`bus.maxPayload: Invalid value: -1: must not be negative`,
				`bus.raft.heartbeat: Invalid value: "-1ns": must not be negative`,
				`bus.raft.election: Invalid value: "-1ns": must not be negative`,
				`bus.raft.lease: Invalid value: "-1ns": must not be negative`,
				`bus.raft.commit: Invalid value: "-1ns": must not be negative`,
			},
		},
		"a foreign NATS Streaming server has a URL and a cluster": {
			bus: eventing.EventBus{Namespace: "events", Bus: eventing.STANExotic{Token: &eventing.SecretKey{}}},
			want: []string{
				`bus.url: Required value`,
				`bus.clusterID: Required value`,
				`bus.token.name: Required value: the object needs a name`,
				`bus.token.key: Required value`,
			},
		},
		"a raw bus is one transport": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.RawBus{Spec: map[string]any{"kafka": 1, "nats": 2}}},
			want: []string{`bus.spec: Too many: 2: must have at most 1 items`},
		},
		"a raw bus is not empty": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.RawBus{}},
			want: []string{`bus.spec: Required value`},
		},
		"a raw bus is JSON": {
			bus:  eventing.EventBus{Namespace: "events", Bus: eventing.RawBus{Spec: map[string]any{"kafka": make(chan int)}}},
			want: []string{`bus.spec: Invalid value: encode map[string]interface {}: json: unsupported type: chan int`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { check(t, test.bus, test.want) })
	}
}

func TestFaultsOfPodsHaveTheirPaths(t *testing.T) {
	pod := eventing.Pod{
		Labels: map[string]string{"a": "b c"}, Annotations: map[string]string{"a b": ""},
		NodeSelector: map[string]string{"a": "b c"}, PriorityClass: "A",
	}
	var got []string
	for _, fault := range (eventing.EventBus{Namespace: "events", Bus: eventing.STAN{Pod: pod}}).Validate() {
		got = append(got, fault.Field)
	}
	want := []string{"bus.pod.labels", "bus.pod.annotations", "bus.pod.nodeSelector", "bus.pod.priorityClass"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}
