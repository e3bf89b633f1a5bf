package bootstrap

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ObjectRef names an object in a cluster.
type ObjectRef struct {
	Group     string
	Version   string
	Kind      string
	Namespace string
	Name      string
}

// String gives "Kind namespace/name", or "Kind name" for an object without a
// namespace.
func (r ObjectRef) String() string {
	return r.Kind + " " + r.path()
}

// path is the part after the kind.
func (r ObjectRef) path() string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

// GroupKind of the object.
func (r ObjectRef) GroupKind() schema.GroupKind {
	return schema.GroupKind{Group: r.Group, Kind: r.Kind}
}

// GroupVersionKind of the object.
func (r ObjectRef) GroupVersionKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

// identity leaves out the version: one object is served in several.
func (r ObjectRef) identity() ObjectRef {
	r.Version = ""
	return r
}

func refOf(object *unstructured.Unstructured) ObjectRef {
	gvk := object.GroupVersionKind()
	return ObjectRef{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind,
		Namespace: object.GetNamespace(), Name: object.GetName()}
}

func compareRefs(a, b ObjectRef) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Version, b.Version),
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// without lists the refs that name none of the objects in kept, sorted.
func without(refs []ObjectRef, kept ...[]ObjectRef) []ObjectRef {
	known := map[ObjectRef]bool{}
	for _, list := range kept {
		for _, ref := range list {
			known[ref.identity()] = true
		}
	}
	var rest []ObjectRef
	for _, ref := range refs {
		if !known[ref.identity()] {
			rest = append(rest, ref)
			known[ref.identity()] = true
		}
	}
	slices.SortFunc(rest, compareRefs)
	return rest
}
