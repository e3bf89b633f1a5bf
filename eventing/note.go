package eventing

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/object"
)

// memoryNotes keep what a recipe remembers of each Application in the memory of the process.
type memoryNotes struct {
	mu    sync.Mutex
	notes map[types.NamespacedName]memoryNote
}

type memoryNote struct {
	raw     []byte
	version int
}

// load leaves the value as it is when there is no note.
func (m *memoryNotes) load(application types.NamespacedName, value any) (version string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.notes[application]
	if stored.raw != nil {
		if err := json.Unmarshal(stored.raw, value); err != nil {
			return "", err
		}
	}
	return fmt.Sprint(stored.version), nil
}

// save fails with the error changed unless the version is that of the note.
func (m *memoryNotes) save(application types.NamespacedName, value any, version string, changed error) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.notes[application]
	if fmt.Sprint(stored.version) != version {
		return "", changed
	}
	if m.notes == nil {
		m.notes = map[types.NamespacedName]memoryNote{}
	}
	stored = memoryNote{raw, stored.version + 1}
	m.notes[application] = stored
	return fmt.Sprint(stored.version), nil
}

// configMapNotes keep it in a ConfigMap for each Application, whose resource version is that of the note.
type configMapNotes struct {
	client    client.Client
	namespace string
	// name begins those of the ConfigMaps.
	name string
	// kind of the notes, which is the key of the data.
	kind string
}

const applicationAnnotation = "eventing.backbone.dev/application"

// load leaves the value as it is when there is no note.
func (c configMapNotes) load(ctx context.Context, application types.NamespacedName, value any) (version string, err error) {
	obj := c.reference(application)
	err = c.client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get ConfigMap %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	text, _, err := unstructured.NestedString(obj.Object, "data", c.kind)
	if err != nil {
		return "", fmt.Errorf("ConfigMap %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return "", fmt.Errorf("ConfigMap %s: data.%s: %w", client.ObjectKeyFromObject(obj), c.kind, err)
	}
	return obj.GetResourceVersion(), nil
}

// save fails with the error changed unless the version is that of the note.
func (c configMapNotes) save(ctx context.Context, application types.NamespacedName, value any, version string, changed error) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	obj := c.reference(application)
	if version == "" {
		obj.SetAnnotations(map[string]string{applicationAnnotation: application.String()})
		obj.Object["data"] = map[string]any{c.kind: string(raw)}
		err = c.client.Create(ctx, obj)
	} else {
		var patch []byte
		if patch, err = json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": version}, "data": map[string]any{c.kind: string(raw)},
		}); err != nil {
			return "", err
		}
		err = c.client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch))
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return "", changed
	case err != nil:
		return "", fmt.Errorf("write ConfigMap %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	return obj.GetResourceVersion(), nil
}

// reference names the ConfigMap. The kind is a part of it, so that the notes of two recipes may share a name.
func (c configMapNotes) reference(application types.NamespacedName) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"})
	obj.SetNamespace(c.namespace)
	obj.SetName(hashedName(c.name, c.kind+" "+application.String()))
	return obj
}

func (c configMapNotes) validate() field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(c.client) {
		faults = append(faults, field.Required(field.NewPath("client"), ""))
	}
	return append(faults, c.account("").validate()...)
}

func (c configMapNotes) account(serviceAccountName string) responderAccount {
	return responderAccount{
		owner: c.kind + "s", name: c.name, namespace: c.namespace, account: serviceAccountName,
		permission: Permission{Resource: "configmaps", Verbs: []string{"create", "get", "patch"}},
	}
}
