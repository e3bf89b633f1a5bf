package eventing

import (
	"cmp"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// STAN is a NATS Streaming cluster that the Argo Events controller runs as a
// StatefulSet.
//
// Legacy: upstream archived NATS Streaming; use [JetStream].
type STAN struct {
	// Replicas is the size of the cluster, at least 3. Default: 3.
	Replicas int32
	// NoAuth lets every client in. Default: upstream makes a token that its pods
	// present; its own default is no authentication.
	NoAuth bool
	// MaxAge, MaxMessages, MaxBytes and MaxSubscriptions limit each channel.
	// Defaults: 72h, 1000000, 1 GB and 1000.
	MaxAge           time.Duration
	MaxMessages      int64
	MaxBytes         int64
	MaxSubscriptions int64
	// MaxPayload is the size of the largest event in bytes. Default: 1 MB.
	MaxPayload int64
	// Raft sets the timeouts of the cluster.
	Raft STANRaft
	// Persistence keeps the events on volumes. Default: they live as long as the
	// pods.
	Persistence *Persistence
	// Pod shapes the pods of the cluster; its Container is the NATS Streaming
	// server.
	Pod Pod
	// Metrics shapes the container that exports metrics.
	Metrics Container
	// ServiceAccountName is the account the pods run as. Default: the default
	// account of the namespace.
	ServiceAccountName string
}

// STANRaft holds the timeouts with which the servers of a [STAN] elect a leader.
type STANRaft struct {
	// Heartbeat is the time without a leader before an election. Default: 2s.
	Heartbeat time.Duration
	// Election is the time a candidate waits before another election.
	// Default: 2s.
	Election time.Duration
	// Lease is how long a leader waits for a quorum. Default: 1s.
	Lease time.Duration
	// Commit is the time without a change before a heartbeat. Default: 100ms.
	Commit time.Duration
}

// STANExotic is a NATS Streaming server that somebody else runs. Upstream has no
// TLS settings for it.
//
// Legacy: upstream archived NATS Streaming; use [JetStreamExotic].
type STANExotic struct {
	// URL of the server, with the scheme nats, tls, ws or wss; several servers of
	// one cluster are separated by commas. Required. It must not carry
	// credentials: use Token.
	URL string
	// ClusterID of the server. Required.
	ClusterID string
	// Token selects the key of a Secret in the namespace of the bus that holds a
	// YAML document with the key token. Default: no authentication.
	Token *SecretKey
}

func (s STAN) validateBus(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	// Upstream makes three of fewer.
	// argo-events: buildStatefulSetSpec in pkg/reconciler/eventbus/installer/nats.go
	if s.Replicas != 0 && s.Replicas < 3 {
		faults = append(faults, field.Invalid(path.Child("replicas"), s.Replicas, "must be at least 3"))
	}
	faults = append(faults, notNegativeTime(path.Child("maxAge"), s.MaxAge)...)
	faults = append(faults, notNegative(path.Child("maxMessages"), s.MaxMessages)...)
	faults = append(faults, notNegative(path.Child("maxBytes"), s.MaxBytes)...)
	faults = append(faults, notNegative(path.Child("maxSubscriptions"), s.MaxSubscriptions)...)
	faults = append(faults, notNegative(path.Child("maxPayload"), s.MaxPayload)...)
	faults = append(faults, s.Raft.validate(path.Child("raft"))...)
	faults = append(faults, s.Persistence.validate(path.Child("persistence"))...)
	faults = append(faults, s.Pod.validateBus(path.Child("pod"))...)
	faults = append(faults, s.Metrics.validateBus(path.Child("metrics"))...)
	return append(faults, optional(path.Child("serviceAccountName"), s.ServiceAccountName, object.Name)...)
}

func (s STAN) busSpec() map[string]any {
	auth := "token"
	if s.NoAuth {
		auth = "none"
	}
	spec := s.Pod.spec()
	maps.Copy(spec, object.Compact(map[string]any{
		"replicas":                 cmp.Or(s.Replicas, 3),
		"auth":                     auth,
		"maxAge":                   formatTime(s.MaxAge),
		"maxMsgs":                  s.MaxMessages,
		"maxBytes":                 formatBytes(s.MaxBytes),
		"maxSubs":                  s.MaxSubscriptions,
		"maxPayload":               formatBytes(s.MaxPayload),
		"raftHeartbeatTimeout":     formatTime(s.Raft.Heartbeat),
		"raftElectionTimeout":      formatTime(s.Raft.Election),
		"raftLeaseTimeout":         formatTime(s.Raft.Lease),
		"raftCommitTimeout":        formatTime(s.Raft.Commit),
		"persistence":              s.Persistence.spec(),
		"containerTemplate":        s.Pod.Container.spec(),
		"metricsContainerTemplate": s.Metrics.spec(),
		"serviceAccountName":       s.ServiceAccountName,
	}))
	return map[string]any{"nats": map[string]any{"native": spec}}
}

func (r STANRaft) validate(path *field.Path) field.ErrorList {
	faults := notNegativeTime(path.Child("heartbeat"), r.Heartbeat)
	faults = append(faults, notNegativeTime(path.Child("election"), r.Election)...)
	faults = append(faults, notNegativeTime(path.Child("lease"), r.Lease)...)
	return append(faults, notNegativeTime(path.Child("commit"), r.Commit)...)
}

func (s STANExotic) validateBus(path *field.Path) field.ErrorList {
	faults := validateServers(path.Child("url"), s.URL, natsSchemes...)
	faults = append(faults, object.RequiredText(path.Child("clusterID"), s.ClusterID)...)
	return append(faults, s.Token.validateOptional(path.Child("token"))...)
}

func (s STANExotic) busSpec() map[string]any {
	exotic := object.Compact(map[string]any{"url": s.URL, "clusterID": s.ClusterID, "accessSecret": s.Token.selector()})
	if s.Token != nil {
		exotic["auth"] = "token"
	}
	return map[string]any{"nats": map[string]any{"exotic": exotic}}
}
