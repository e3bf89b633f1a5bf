package eventing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/object"
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
type MemoryIncidents struct {
	mu        sync.Mutex
	incidents map[types.NamespacedName]memoryIncident
}

type memoryIncident struct {
	raw     []byte
	version int
}

// Load is for [IncidentStore].
func (m *MemoryIncidents) Load(_ context.Context, application types.NamespacedName) (Incident, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.incidents[application]
	var incident Incident
	if stored.raw != nil {
		if err := json.Unmarshal(stored.raw, &incident); err != nil {
			return Incident{}, "", err
		}
	}
	return incident, fmt.Sprint(stored.version), nil
}

// Save is for [IncidentStore].
func (m *MemoryIncidents) Save(_ context.Context, application types.NamespacedName, incident Incident, version string) error {
	raw, err := json.Marshal(incident)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.incidents[application]
	if fmt.Sprint(stored.version) != version {
		return ErrIncidentChanged
	}
	if m.incidents == nil {
		m.incidents = map[types.NamespacedName]memoryIncident{}
	}
	m.incidents[application] = memoryIncident{raw, stored.version + 1}
	return nil
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

const (
	incidentKey           = "incident"
	applicationAnnotation = "eventing.backbone.dev/application"
)

// Validate reports every fault of the store.
func (k KubernetesIncidents) Validate() field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(k.Client) {
		faults = append(faults, field.Required(field.NewPath("client"), ""))
	}
	return append(faults, k.account("").validate()...)
}

// RBAC returns a Role and a RoleBinding with the least rights that the store needs, for a ServiceAccount of its namespace.
func (k KubernetesIncidents) RBAC(serviceAccountName string) ([]*unstructured.Unstructured, error) {
	return k.account(serviceAccountName).rights()
}

func (k KubernetesIncidents) account(serviceAccountName string) responderAccount {
	return responderAccount{
		owner: "incidents", name: k.Name, namespace: k.Namespace, account: serviceAccountName,
		permission: Permission{Resource: "configmaps", Verbs: []string{"create", "get", "patch"}},
	}
}

// Load is for [IncidentStore].
func (k KubernetesIncidents) Load(ctx context.Context, application types.NamespacedName) (Incident, string, error) {
	obj := k.reference(application)
	err := k.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	if apierrors.IsNotFound(err) {
		return Incident{}, "", nil
	}
	if err != nil {
		return Incident{}, "", fmt.Errorf("get ConfigMap %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	text, _, err := unstructured.NestedString(obj.Object, "data", incidentKey)
	if err != nil {
		return Incident{}, "", fmt.Errorf("ConfigMap %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	var incident Incident
	if err := json.Unmarshal([]byte(text), &incident); err != nil {
		return Incident{}, "", fmt.Errorf("ConfigMap %s: data.%s: %w", client.ObjectKeyFromObject(obj), incidentKey, err)
	}
	return incident, obj.GetResourceVersion(), nil
}

// Save is for [IncidentStore].
func (k KubernetesIncidents) Save(ctx context.Context, application types.NamespacedName, incident Incident, version string) error {
	raw, err := json.Marshal(incident)
	if err != nil {
		return err
	}
	obj := k.reference(application)
	if version == "" {
		obj.SetAnnotations(map[string]string{applicationAnnotation: application.String()})
		obj.Object["data"] = map[string]any{incidentKey: string(raw)}
		err = k.Client.Create(ctx, obj)
	} else {
		var patch []byte
		if patch, err = json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": version}, "data": map[string]any{incidentKey: string(raw)},
		}); err != nil {
			return err
		}
		err = k.Client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch))
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return ErrIncidentChanged
	case err != nil:
		return fmt.Errorf("write ConfigMap %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	return nil
}

func (k KubernetesIncidents) reference(application types.NamespacedName) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"})
	obj.SetNamespace(k.Namespace)
	obj.SetName(hashedName(k.Name, application.String()))
	return obj
}
