package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Inventory is the record of a plan in a cluster: the ConfigMap
// "backbone-<plan>" in [Options.Namespace], with one key for each component. A
// ConfigMap holds 1 MiB, which is enough for some 20,000 objects.
type Inventory struct {
	Plan string
	// Components by name, also those that are no longer in the plan. Empty
	// before the first run.
	Components map[string]Installed
}

// Installed is what the inventory says of a component.
type Installed struct {
	Version string
	// Digest as in [Rendered].
	Digest string
	State  State
	// Objects that were applied or, in the state Applying, may have been.
	Objects []ObjectRef
	// Orphans are objects of earlier versions that are still in the cluster.
	Orphans []ObjectRef
}

// State says how far the installation of a component is.
type State string

const (
	// Applying is the state from before the first object is applied until all
	// are ready. A later run goes on from there.
	Applying State = "Applying"
	// Ready is the state of a component that needs nothing more.
	Ready State = "Ready"
)

// Inventory reads what is recorded of a plan. A plan that was never run has an
// empty inventory, which is not an error. A cluster that does not answer is
// tried for 30 seconds.
func (c *Client) Inventory(ctx context.Context, plan string) (Inventory, error) {
	s, err := c.session(ctx, nil)
	if err != nil {
		return Inventory{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	return s.loadInventory(ctx, plan)
}

// record is the form of a component in the ConfigMap: references are grouped by
// kind, as "group/version/kind", and written "namespace/name", to be short and
// readable.
type record struct {
	Version string              `json:"version,omitempty"`
	Digest  string              `json:"digest"`
	State   State               `json:"state"`
	Objects map[string][]string `json:"objects,omitempty"`
	Orphans map[string][]string `json:"orphans,omitempty"`
}

func (s *session) inventoryKey(plan string) client.ObjectKey {
	return client.ObjectKey{Namespace: s.options.Namespace, Name: "backbone-" + plan}
}

func (s *session) loadInventory(ctx context.Context, plan string) (Inventory, error) {
	inventory := Inventory{Plan: plan, Components: map[string]Installed{}}
	stored := &corev1.ConfigMap{}
	key := s.inventoryKey(plan)
	err := retry(ctx, func(ctx context.Context) error { return s.api.Get(ctx, key, stored) })
	if apierrors.IsNotFound(err) {
		return inventory, nil
	}
	if err != nil {
		return inventory, fmt.Errorf("read inventory ConfigMap %s: %w", key, err)
	}
	for component, text := range stored.Data {
		installed, err := parseRecord(text)
		if err != nil {
			return inventory, fmt.Errorf("inventory ConfigMap %s: key %q: %w", key, component, err)
		}
		inventory.Components[component] = installed
	}
	return inventory, nil
}

// saveInventory writes one component's key, so that components which end at the
// same time do not meet. It creates what is missing around it.
func (s *session) saveInventory(ctx context.Context, plan, component string, installed Installed) error {
	text, err := json.Marshal(record{Version: installed.Version, Digest: installed.Digest, State: installed.State,
		Objects: groupRefs(installed.Objects), Orphans: groupRefs(installed.Orphans)})
	if err != nil {
		return fmt.Errorf("encode inventory: %w", err)
	}
	body, err := json.Marshal(map[string]any{"data": map[string]string{component: string(text)}})
	if err != nil {
		return fmt.Errorf("encode inventory: %w", err)
	}
	key := s.inventoryKey(plan)
	err = retry(ctx, func(ctx context.Context) error {
		stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
		patch := client.RawPatch(types.MergePatchType, body)
		err := s.api.Patch(ctx, stored, patch, client.FieldOwner(s.options.FieldManager))
		if !apierrors.IsNotFound(err) {
			return err
		}
		if err := s.createInventory(ctx, plan); err != nil {
			return err
		}
		return s.api.Patch(ctx, stored, patch, client.FieldOwner(s.options.FieldManager))
	})
	if err != nil {
		return fmt.Errorf("write inventory ConfigMap %s: %w", key, err)
	}
	return nil
}

func (s *session) createInventory(ctx context.Context, plan string) error {
	key := s.inventoryKey(plan)
	labels := map[string]string{"app.kubernetes.io/managed-by": s.options.FieldManager}
	create := func() error {
		err := s.api.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: labels}},
			client.FieldOwner(s.options.FieldManager))
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	}
	err := create()
	if !apierrors.IsNotFound(err) {
		return err
	}
	err = s.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace, Labels: labels}},
		client.FieldOwner(s.options.FieldManager))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return create()
}

func parseRecord(text string) (Installed, error) {
	var stored record
	if err := json.Unmarshal([]byte(text), &stored); err != nil {
		return Installed{}, err
	}
	if stored.State != Applying && stored.State != Ready {
		return Installed{}, fmt.Errorf("unknown state %q", stored.State)
	}
	objects, err := ungroupRefs(stored.Objects)
	if err != nil {
		return Installed{}, err
	}
	orphans, err := ungroupRefs(stored.Orphans)
	if err != nil {
		return Installed{}, err
	}
	return Installed{Version: stored.Version, Digest: stored.Digest, State: stored.State, Objects: objects, Orphans: orphans}, nil
}

func groupRefs(refs []ObjectRef) map[string][]string {
	groups := map[string][]string{}
	for _, ref := range refs {
		kind := schema.GroupVersion{Group: ref.Group, Version: ref.Version}.String() + "/" + ref.Kind
		groups[kind] = append(groups[kind], ref.path())
	}
	for _, paths := range groups {
		slices.Sort(paths)
	}
	return groups
}

func ungroupRefs(groups map[string][]string) ([]ObjectRef, error) {
	var refs []ObjectRef
	for _, kind := range slices.Sorted(maps.Keys(groups)) {
		cut := strings.LastIndex(kind, "/")
		if cut < 0 {
			return nil, fmt.Errorf("unknown kind %q", kind)
		}
		version, err := schema.ParseGroupVersion(kind[:cut])
		if err != nil {
			return nil, err
		}
		for _, path := range groups[kind] {
			ref := ObjectRef{Group: version.Group, Version: version.Version, Kind: kind[cut+1:], Name: path}
			if namespace, name, found := strings.Cut(path, "/"); found {
				ref.Namespace, ref.Name = namespace, name
			}
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, compareRefs)
	return refs, nil
}

func refsOf(objects []*unstructured.Unstructured) []ObjectRef {
	refs := make([]ObjectRef, len(objects))
	for i, object := range objects {
		refs[i] = refOf(object)
	}
	return refs
}
