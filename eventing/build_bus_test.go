package eventing_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/controlbackbone/backbone/eventing"
)

// buses set, together, every field of an EventBus.
var buses = map[string]builder{
	"eventbus-jetstream": eventing.EventBus{
		Namespace: "argo-events",
		Labels:    map[string]string{"owner": "platform"},
		Bus:       eventing.JetStream{},
	},
	"eventbus-jetstream-tuned": eventing.EventBus{
		Name:        "tuned",
		Namespace:   "argo-events",
		Annotations: map[string]string{"example.com/purpose": "audit"},
		Bus: eventing.JetStream{
			Version:  "2.10.10",
			Replicas: 5,
			Stream:   eventing.Stream{MaxAge: 24 * time.Hour, Replicas: 3},
		},
	},
	"eventbus-exotic": eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.JetStreamExotic{URL: "nats://127.0.0.1:4222"},
	},
	"eventbus-exotic-tuned": eventing.EventBus{
		Namespace: "argo-events",
		Bus: eventing.JetStreamExotic{
			URL:  "tls://nats-0.nats:4222,tls://nats-1.nats:4222",
			Auth: &eventing.SecretKey{Name: "nats", Key: "auth.yaml"},
			Stream: eventing.Stream{
				MaxMessages: -1, MaxBytes: 1 << 30, MaxAge: time.Hour, Replicas: 3, Duplicates: time.Minute,
			},
		},
	},
	"eventbus-raw": eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.RawBus{Spec: map[string]any{"kafka": map[string]any{"url": "kafka:9092"}}},
	},
	"eventbus-jetstream-every-field": eventing.EventBus{
		Namespace: "argo-events",
		Bus: eventing.JetStream{
			Replicas:   3,
			Storage:    eventing.JetStreamStorage{MaxMemory: 1 << 28, MaxFile: 1 << 34},
			MaxPayload: 4 << 20,
			Persistence: &eventing.Persistence{
				StorageClass: "fast", AccessMode: corev1.ReadWriteOncePod, Size: resource.MustParse("50Gi"),
			},
			StartArgs:          []string{"-D"},
			Pod:                busPod,
			Metrics:            busContainer,
			Reloader:           busContainer,
			ServiceAccountName: "nats",
		},
	},
	"eventbus-exotic-tls": eventing.EventBus{
		Namespace: "argo-events",
		Bus: eventing.JetStreamExotic{
			URL: "tls://nats.nats:4222",
			TLS: &eventing.TLS{
				CA:          &eventing.SecretKey{Name: "nats-tls", Key: "ca.crt"},
				Certificate: &eventing.SecretKey{Name: "nats-tls", Key: "tls.crt"},
				Key:         &eventing.SecretKey{Name: "nats-tls", Key: "tls.key"},
			},
		},
	},
	"eventbus-exotic-any-certificate": eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.JetStreamExotic{URL: "wss://nats.nats", TLS: &eventing.TLS{InsecureSkipVerify: true}},
	},
	"eventbus-kafka": eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.Kafka{Brokers: "kafka.kafka:9092"},
	},
	"eventbus-kafka-every-field": eventing.EventBus{
		Namespace: "argo-events",
		Bus: eventing.Kafka{
			Brokers: "kafka-0.kafka:9093,kafka-1.kafka:9093",
			Topic:   "events",
			Version: "3.6.0",
			TLS:     &eventing.TLS{},
			SASL: &eventing.SASL{
				Mechanism: eventing.SASLSCRAMSHA512,
				User:      eventing.SecretKey{Name: "kafka", Key: "user"},
				Password:  eventing.SecretKey{Name: "kafka", Key: "password"},
			},
			Group:       eventing.ConsumerGroup{Name: "sensors", Oldest: true, Rebalance: eventing.RebalanceSticky},
			Partitioner: eventing.PartitionHash,
		},
	},
	"eventbus-stan": eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.STAN{},
	},
	"eventbus-stan-every-field": eventing.EventBus{
		Namespace: "argo-events",
		Bus: eventing.STAN{
			Replicas:         5,
			NoAuth:           true,
			MaxAge:           24 * time.Hour,
			MaxMessages:      100000,
			MaxBytes:         1 << 30,
			MaxSubscriptions: 500,
			MaxPayload:       4 << 20,
			Raft: eventing.STANRaft{
				Heartbeat: 4 * time.Second, Election: 4 * time.Second, Lease: 2 * time.Second, Commit: 200 * time.Millisecond,
			},
			Persistence:        &eventing.Persistence{},
			Pod:                busPod,
			Metrics:            busContainer,
			ServiceAccountName: "stan",
		},
	},
	"eventbus-stan-exotic": eventing.EventBus{
		Namespace: "argo-events",
		Bus: eventing.STANExotic{
			URL: "nats://stan.nats:4222", ClusterID: "events", Token: &eventing.SecretKey{Name: "stan", Key: "auth.yaml"},
		},
	},
}

// busContainer sets every field that a container of a bus may have.
var busContainer = eventing.Container{
	Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
	},
	ImagePullPolicy: corev1.PullIfNotPresent,
	SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false)},
}

// busPod sets every field that a pod of a bus may have.
var busPod = eventing.Pod{
	Labels:          map[string]string{"owner": "platform"},
	Annotations:     map[string]string{"example.com/scrape": "true"},
	Container:       busContainer,
	SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true)},
	NodeSelector:    map[string]string{"pool": "events"},
	Tolerations:     []corev1.Toleration{{Key: "events", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
	Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "kubernetes.io/hostname"}},
	}},
	ImagePullSecrets: []string{"registry"},
	PriorityClass:    "platform",
	Priority:         new(int32(1000)),
}
