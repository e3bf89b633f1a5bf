package gitops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

const (
	kindApplication    = "Application"
	kindApplicationSet = "ApplicationSet"
)

// ownership is an owner of the rolled back Application, direct or through others, and what it writes of the chain.
type ownership struct {
	owner   Resource
	objects []Resource
}

// chain is everything that could undo a rollback, from the top down, and what about it cannot be guarded.
type chain struct {
	owners []ownership
	faults []error
}

// ownersOf follows the owners of an Application up to those that nobody owns; an Application that deploys itself is its
// own owner.
func (c *Client) ownersOf(ctx context.Context, obj *unstructured.Unstructured) (chain, error) {
	walk := &ownerWalk{client: c, seen: map[Resource]bool{}, objects: map[Resource][]Resource{}}
	if err := walk.visit(ctx, obj); err != nil {
		return chain{}, err
	}
	found := chain{faults: walk.faults}
	for _, owner := range walk.order {
		found.owners = append(found.owners, ownership{owner: owner, objects: walk.objects[owner]})
	}
	return found, nil
}

type ownerWalk struct {
	client  *Client
	seen    map[Resource]bool
	objects map[Resource][]Resource
	order   []Resource
	faults  []error
}

func (w *ownerWalk) visit(ctx context.Context, obj *unstructured.Unstructured) error {
	w.seen[resourceOf(obj)] = true
	owners, err := w.directOwners(ctx, obj)
	if err != nil {
		return err
	}
	for _, owner := range owners {
		ref := resourceOf(owner)
		if fault := unguardable(owner, resourceOf(obj)); fault != nil {
			w.faults = append(w.faults, fault)
		}
		first := len(w.objects[ref]) == 0
		w.objects[ref] = append(w.objects[ref], resourceOf(obj))
		if !w.seen[ref] {
			if err := w.visit(ctx, owner); err != nil {
				return err
			}
		}
		if first {
			w.order = append(w.order, ref)
		}
	}
	return nil
}

func (w *ownerWalk) directOwners(ctx context.Context, obj *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var owners []*unstructured.Unstructured
	if reference := metav1.GetControllerOf(obj); reference != nil {
		ref := Resource{Kind: reference.Kind, Namespace: obj.GetNamespace(), Name: reference.Name}
		if version, err := schema.ParseGroupVersion(reference.APIVersion); err == nil {
			ref.Group = version.Group
		}
		if ref.Group != argoapp.Group || ref.Kind != kindApplicationSet {
			w.faults = append(w.faults, &UnguardableOwnerError{Owner: ref, Object: resourceOf(obj),
				Reason: "it is the controlling ownerReference and no ApplicationSet; roll back through whatever manages it"})
		} else if owner, err := w.client.find(ctx, ref); err != nil {
			return nil, err
		} else if owner != nil {
			owners = append(owners, owner)
		}
	}
	deployer, err := w.deployer(ctx, obj)
	if deployer != nil {
		owners = append(owners, deployer)
	}
	return owners, err
}

// deployer returns the Application that deploys an object, or nil. The tracking annotation names it for certain. Labels
// are only hints, whatever the configured key: many tools write them, so the Application must list the object too.
// argo-cd: util/argo/resource_tracking.go
func (w *ownerWalk) deployer(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	self := resourceOf(obj)
	tracking, err := ReadTracking(obj)
	if err == nil && tracking.Application != "" {
		tracked := Resource{Group: tracking.Group, Kind: tracking.Kind, Namespace: tracking.Namespace, Name: tracking.Name}
		if tracked == self {
			return w.tracker(ctx, obj, tracking.Application)
		}
	}
	var hints []string
	for _, value := range obj.GetLabels() {
		if value != "" && !slices.Contains(hints, value) {
			hints = append(hints, value)
		}
	}
	slices.Sort(hints)
	for _, hint := range hints {
		owner, err := w.client.find(ctx, w.client.instance(hint))
		if apierrors.IsForbidden(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if owner != nil && lists(owner, self) {
			return owner, nil
		}
	}
	return nil, nil
}

func (w *ownerWalk) tracker(
	ctx context.Context, obj *unstructured.Unstructured, instance string,
) (*unstructured.Unstructured, error) {
	ref := w.client.instance(instance)
	owner, err := w.client.find(ctx, ref)
	if owner == nil && err == nil {
		w.faults = append(w.faults, &UnguardableOwnerError{Owner: ref, Object: resourceOf(obj),
			Reason: fmt.Sprintf("it does not exist in this cluster; if it was deleted, remove the annotation %s", trackingAnnotation)})
	}
	return owner, err
}

// instance resolves Argo CD's name of an Application: "name" in its own namespace, "namespace_name" elsewhere.
func (c *Client) instance(name string) Resource {
	ref := Resource{Group: argoapp.Group, Kind: kindApplication, Namespace: c.projectNamespace, Name: name}
	if namespace, rest, found := strings.Cut(name, "_"); found {
		ref.Namespace, ref.Name = namespace, rest
	}
	return ref
}

// find returns nil for an object that does not exist.
func (c *Client) find(ctx context.Context, ref Resource) (*unstructured.Unstructured, error) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(argoapp.Kind(ref.Kind))
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, obj)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", ref, err)
	}
	return obj, nil
}

func lists(owner *unstructured.Unstructured, ref Resource) bool {
	resources, _, _ := unstructured.NestedSlice(owner.Object, "status", "resources")
	return slices.ContainsFunc(resources, func(item any) bool {
		fields, _ := item.(map[string]any)
		return fields["group"] == ref.Group && fields["kind"] == ref.Kind &&
			fields["namespace"] == ref.Namespace && fields["name"] == ref.Name
	})
}

// unguardable says why an owner cannot be guarded whoever asks, and returns nil if it can.
func unguardable(owner *unstructured.Unstructured, object Resource) error {
	fault := &UnguardableOwnerError{Owner: resourceOf(owner), Object: object}
	switch {
	case owner.GetDeletionTimestamp() != nil:
		fault.Reason = "it is being deleted"
	case isRollingSync(owner):
		fault.Reason = "its strategy RollingSync syncs every Application that is out of sync, whatever the differences it " +
			"ignores; put the sources right instead, or change the strategy"
	default:
		return nil
	}
	return fault
}

// isRollingSync reports whether the ApplicationSet controller itself syncs what it generates. The strategy has no effect
// unless progressive syncs are switched on in the controller, which then keeps a status for each Application.
// argo-cd: applicationset/controllers/applicationset_controller.go, syncValidApplications
func isRollingSync(owner *unstructured.Unstructured) bool {
	if owner.GetKind() != kindApplicationSet {
		return false
	}
	strategy, _, _ := unstructured.NestedString(owner.Object, "spec", "strategy", "type")
	steps, _, _ := unstructured.NestedSlice(owner.Object, "spec", "strategy", "rollingSync", "steps")
	statuses, _, _ := unstructured.NestedSlice(owner.Object, "status", "applicationStatus")
	return strategy == "RollingSync" && len(steps) > 0 && len(statuses) > 0
}

// guardOf returns what an owner's lists must hold, so that the owner leaves alone what the rollback changes: of the
// rolled back Application, and of the owners in between.
func (c chain) guardOf(o ownership, target Resource) guard {
	list := ignoredInDeployed
	if o.owner.Kind == kindApplicationSet {
		list = ignoredInGenerated
	}
	wanted := guard{}
	for _, object := range o.objects {
		entry := map[string]any{"name": object.Name}
		pointers := c.changed(object, target)
		if o.owner.Kind == kindApplication {
			entry["group"], entry["kind"], entry["namespace"] = object.Group, object.Kind, object.Namespace
		} else {
			// The ApplicationSet controller removes annotations that its template does not have. Applications leave them
			// alone, but write what they ignore as they have seen it last: a record would fall back to an older one.
			pointers = append(pointers, c.annotations(object, target)...)
		}
		entry["jsonPointers"] = pointers
		wanted[list] = append(wanted[list], entry)
	}
	if o.owner.Kind == kindApplication {
		// argo-cd: controller/sync.go, without this option ignored differences are ignored by comparisons only.
		wanted[ownerSyncOptions] = []any{respectIgnored}
	}
	return wanted
}

// changed returns JSON pointers to the fields of an object's spec that a rollback changes.
func (c chain) changed(object, target Resource) []any {
	var pointers []any
	if object == target {
		pointers = append(pointers, "/spec/syncPolicy/automated")
	}
	switch {
	case !c.has(object):
		return pointers
	case object.Kind == kindApplicationSet:
		return append(pointers, "/spec/"+ignoredInGenerated)
	default:
		return append(pointers, "/spec/"+ignoredInDeployed, "/spec/"+strings.ReplaceAll(ownerSyncOptions, ".", "/"))
	}
}

// annotations returns JSON pointers to the records on an object.
func (c chain) annotations(object, target Resource) []any {
	var pointers []any
	if object == target {
		pointers = append(pointers, annotationPointer(RollbackAnnotation))
	}
	if c.has(object) {
		pointers = append(pointers, annotationPointer(RollbackGuardsAnnotation))
	}
	return pointers
}

func (c chain) has(owner Resource) bool {
	return slices.ContainsFunc(c.owners, func(o ownership) bool { return o.owner == owner })
}

func annotationPointer(key string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(key, "/", "~1")
}
