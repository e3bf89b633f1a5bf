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

// Incident is what [RollbackOnBurn] remembers of an Application between notifications.
type Incident struct {
	// Firing are the fingerprints of the alerts that fire, with the times at which they began.
	Firing map[string]time.Time `json:"firing,omitempty"`
	// Resolved are the fingerprints of alerts that do not fire any more, with the times at which they had begun.
	Resolved map[string]time.Time `json:"resolved,omitempty"`
	// RolledBack is when the Application was rolled back, nil while it follows its own revision.
	RolledBack *time.Time `json:"rolledBack,omitempty"`
	// Restored is when it was last restored, nil if it never was.
	Restored *time.Time `json:"restored,omitempty"`
	// Held says that the end of its alerts does not restore the Application any more.
	Held bool `json:"held,omitempty"`
}

// IncidentStore keeps incidents. Save fails with [ErrIncidentChanged] when somebody else has saved since Load; the version
// is what Load gave.
type IncidentStore interface {
	Load(ctx context.Context, application types.NamespacedName) (incident Incident, version string, err error)
	Save(ctx context.Context, application types.NamespacedName, incident Incident, version string) error
}

// ErrIncidentChanged says that another notification about the Application was handled at the same time.
var ErrIncidentChanged = errors.New("the incident was changed in between")

// MemoryIncidents keeps incidents in the memory of the process. The zero value is ready.
type MemoryIncidents struct{ notes memoryNotes }

// Load is for [IncidentStore].
func (m *MemoryIncidents) Load(_ context.Context, application types.NamespacedName) (incident Incident, version string, err error) {
	version, err = m.notes.load(application, &incident)
	return incident, version, err
}

// Save is for [IncidentStore].
func (m *MemoryIncidents) Save(_ context.Context, application types.NamespacedName, incident Incident, version string) error {
	_, err := m.notes.save(application, incident, version, ErrIncidentChanged)
	return err
}

// KubernetesIncidents keeps incidents in a ConfigMap for each Application, so that replicas share them and a restart loses
// nothing.
type KubernetesIncidents struct {
	// Client of the API server. Required.
	Client client.Client
	// Namespace of the ConfigMaps. Required.
	Namespace string
	// Name begins those of the ConfigMaps. Required, a DNS label.
	Name string
}

// Validate reports every fault of the store.
func (k KubernetesIncidents) Validate() field.ErrorList { return k.notes().validate() }

// RBAC returns a Role and a RoleBinding with the least rights that the store needs, for a ServiceAccount of its namespace.
func (k KubernetesIncidents) RBAC(serviceAccountName string) ([]*unstructured.Unstructured, error) {
	return k.notes().account(serviceAccountName).rights()
}

// Load is for [IncidentStore].
func (k KubernetesIncidents) Load(ctx context.Context, application types.NamespacedName) (incident Incident, version string, err error) {
	version, err = k.notes().load(ctx, application, &incident)
	return incident, version, err
}

// Save is for [IncidentStore].
func (k KubernetesIncidents) Save(ctx context.Context, application types.NamespacedName, incident Incident, version string) error {
	_, err := k.notes().save(ctx, application, incident, version, ErrIncidentChanged)
	return err
}

func (k KubernetesIncidents) notes() configMapNotes {
	return configMapNotes{client: k.Client, namespace: k.Namespace, name: k.Name, kind: "incident"}
}
