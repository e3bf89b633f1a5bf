package eventing

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// GateDecision is what [GateSync] remembers of an Application between events.
type GateDecision struct {
	// Subject identifies what the decision is about: the Application, its revisions and its spec.
	Subject string `json:"subject"`
	// ReconciledAt is when Argo CD compared it.
	ReconciledAt time.Time `json:"reconciledAt"`
	// Outcome is empty until there is one that was reported.
	Outcome GateOutcome `json:"outcome,omitempty"`
	// DecidedAt is when there was.
	DecidedAt time.Time `json:"decidedAt,omitzero"`
	// Report is the ID of the last report.
	Report string `json:"report,omitempty"`
	// SyncedAt is when the sync was started, nil if it was not.
	SyncedAt *time.Time `json:"syncedAt,omitempty"`
	// OperationBefore is when the last operation before that had started, nil if there was none.
	OperationBefore *time.Time `json:"operationBefore,omitempty"`
	// Claim is that of the event that is being handled, nil if none is.
	Claim *GateClaim `json:"claim,omitempty"`
}

// GateClaim keeps several events about an Application from being acted on at the same time.
type GateClaim struct {
	// Event is the ID of the one that is acted on. When that fails, it goes on at its next attempt.
	Event string `json:"event"`
	// Until is when others need not wait for it any longer.
	Until time.Time `json:"until"`
}

// DecisionStore keeps decisions. Save returns the next version, and fails with [ErrDecisionChanged] when somebody else has
// saved since Load or Save gave the version.
type DecisionStore interface {
	Load(ctx context.Context, application types.NamespacedName) (decision GateDecision, version string, err error)
	Save(ctx context.Context, application types.NamespacedName, decision GateDecision, version string) (next string, err error)
}

// ErrDecisionChanged says that another event about the Application was handled at the same time.
var ErrDecisionChanged = errors.New("the decision was changed in between")

// MemoryDecisions keeps decisions in the memory of the process. The zero value is ready.
type MemoryDecisions struct{ notes memoryNotes }

// Load is for [DecisionStore].
func (m *MemoryDecisions) Load(_ context.Context, application types.NamespacedName) (decision GateDecision, version string, err error) {
	version, err = m.notes.load(application, &decision)
	return decision, version, err
}

// Save is for [DecisionStore].
func (m *MemoryDecisions) Save(_ context.Context, application types.NamespacedName, decision GateDecision, version string) (string, error) {
	return m.notes.save(application, decision, version, ErrDecisionChanged)
}

// KubernetesDecisions keeps decisions in a ConfigMap for each Application, so that replicas share them and a restart loses
// nothing.
type KubernetesDecisions struct {
	// Client of the API server. Required.
	Client client.Client
	// Namespace of the ConfigMaps. Required.
	Namespace string
	// Name begins those of the ConfigMaps. Required, a DNS label.
	Name string
}

// Validate reports every fault of the store.
func (k KubernetesDecisions) Validate() field.ErrorList { return k.notes().validate() }

// RBAC returns a Role and a RoleBinding with the least rights that the store needs, for a ServiceAccount of its namespace.
func (k KubernetesDecisions) RBAC(serviceAccountName string) ([]*unstructured.Unstructured, error) {
	return k.notes().account(serviceAccountName).rights()
}

// Load is for [DecisionStore].
func (k KubernetesDecisions) Load(ctx context.Context, application types.NamespacedName) (decision GateDecision, version string, err error) {
	version, err = k.notes().load(ctx, application, &decision)
	return decision, version, err
}

// Save is for [DecisionStore].
func (k KubernetesDecisions) Save(ctx context.Context, application types.NamespacedName, decision GateDecision, version string) (string, error) {
	return k.notes().save(ctx, application, decision, version, ErrDecisionChanged)
}

func (k KubernetesDecisions) notes() configMapNotes {
	return configMapNotes{client: k.Client, namespace: k.Namespace, name: k.Name, kind: "decision"}
}
