package eventing

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ObjectTrigger creates, updates, patches or deletes one Kubernetes object.
type ObjectTrigger struct {
	// Operation on the object. Default: Create.
	Operation ObjectOperation
	// Object is what is created; what is merged into the live object, for Update
	// and Patch; or what names the object, for Delete. It needs apiVersion, kind
	// and a name (generateName is enough for Create). Without a namespace the one of
	// the sensor is used. Required, unless there is a Source.
	//
	// Upstream knows two kinds without a namespace, Namespace and Node; it cannot
	// reach objects of other cluster-scoped kinds.
	Object *unstructured.Unstructured
	// Source is where the sensor fetches the object from, each time it fires.
	// Forbidden with Object.
	Source ObjectSource
	// Live makes an Update start from the live object, to which only the Parameters
	// are applied. The object then needs a namespace.
	Live bool
	// PatchStrategy says how Patch merges. Default: MergePatch.
	PatchStrategy PatchStrategy
	// Parameters copy values of the event into the object.
	Parameters []Parameter
	// Until makes the trigger wait for labels on the object. Default: it does not
	// wait. Forbidden with Delete, where upstream fails for want of an object.
	Until *Until
	// Permissions are further rights: those on an object of a Source, which is not
	// known here, or for example to create an object that Update or Patch may not
	// find.
	Permissions []Permission
}

// ObjectOperation is what happens to the object.
type ObjectOperation string

const (
	// Create creates the object. It fails when an object of the name exists, also
	// when a first attempt created it: prefer generateName.
	Create ObjectOperation = "create"
	// Update merges the object into the live one, field by field, and lists as a
	// whole. Upstream would create a missing object; the rights of [Sensor.RBAC] do
	// not include that, so the trigger fails instead.
	Update ObjectOperation = "update"
	// Patch sends the object as a patch of the live one. A missing object is as for
	// Update.
	Patch ObjectOperation = "patch"
	// Delete deletes the object. A missing object is a success.
	Delete ObjectOperation = "delete"
)

var objectOperations = []ObjectOperation{Create, Update, Patch, Delete}

// PatchStrategy is a media type of patches.
type PatchStrategy string

// The strategies that work. Upstream accepts JSON patches and server-side apply
// too, but sends the former as an object rather than a list and the latter without
// a field manager, which the API server both refuses.
// argo-events: pkg/sensors/triggers/standard-k8s/standard-k8s.go
const (
	MergePatch          PatchStrategy = "application/merge-patch+json"
	StrategicMergePatch PatchStrategy = "application/strategic-merge-patch+json"
)

var patchStrategies = []PatchStrategy{MergePatch, StrategicMergePatch}

func (o ObjectTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validateParameters(path.Child("parameters"), o.Parameters, dependencies, false)
	faults = append(faults, oneOf(path.Child("operation"), o.Operation, objectOperations)...)
	faults = append(faults, oneOf(path.Child("patchStrategy"), o.PatchStrategy, patchStrategies)...)
	if o.PatchStrategy != "" && o.operation() != Patch {
		faults = append(faults, field.Forbidden(path.Child("patchStrategy"), "operation is not patch"))
	}
	if o.Live && o.operation() != Update {
		faults = append(faults, field.Forbidden(path.Child("live"), "operation is not update"))
	}
	faults = append(faults, o.Until.validate(path.Child("until"))...)
	if o.Until != nil && o.operation() == Delete {
		faults = append(faults, field.Forbidden(path.Child("until"), "upstream has no object to look at after a deletion"))
	}
	faults = append(faults, validatePermissions(path.Child("permissions"), o.Permissions)...)
	return append(faults, o.validateObject(path)...)
}

func (o ObjectTrigger) validateObject(path *field.Path) field.ErrorList {
	if !object.IsNil(o.Source) {
		return validateSourceAlone(path, o.Object, o.Source)
	}
	path = path.Child("object")
	if o.Object == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if fragment := object.RequiredFragment(path, o.Object.Object); len(fragment) > 0 {
		return fragment
	}
	return o.validateIdentity(path)
}

// validateIdentity checks what upstream needs to address the object. A part that
// a parameter fills in may be missing.
func (o ObjectTrigger) validateIdentity(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if apiVersion := o.Object.GetAPIVersion(); apiVersion == "" {
		faults = append(faults, field.Required(path.Child("apiVersion"), ""))
	} else if _, err := schema.ParseGroupVersion(apiVersion); err != nil {
		faults = append(faults, field.Invalid(path.Child("apiVersion"), apiVersion, "must be group/version"))
	}
	if o.Object.GetKind() == "" {
		faults = append(faults, field.Required(path.Child("kind"), ""))
	}
	namespace := path.Child("metadata", "namespace")
	faults = append(faults, optional(namespace, o.Object.GetNamespace(), object.Namespace)...)
	if o.Live && o.Object.GetNamespace() == "" && !clusterScoped[resourceName(o.Object.GetKind())] {
		faults = append(faults, field.Required(namespace, "upstream needs one to fetch the live object"))
	}
	named := o.Object.GetName() != "" || o.operation() == Create && o.Object.GetGenerateName() != ""
	// The live object is fetched before parameters are applied.
	if !named && (o.Live || !setsName(o.Parameters)) {
		faults = append(faults, field.Required(path.Child("metadata", "name"), ""))
	}
	return faults
}

func (o ObjectTrigger) operation() ObjectOperation {
	return cmp.Or(o.Operation, Create)
}

func (o ObjectTrigger) template(Sensor) (string, map[string]any) {
	return "k8s", object.Compact(map[string]any{
		"operation":     o.operation(),
		"source":        sourceSpec(o.Object, o.Source),
		"liveObject":    o.Live,
		"patchStrategy": o.PatchStrategy,
		"parameters":    parametersSpec(o.Parameters),
	})
}

func (o ObjectTrigger) traits() traits {
	return traits{
		policy:      o.Until.policy(),
		object:      &objectTraits{parameters: o.Parameters, unknown: o.Object == nil && len(o.Permissions) == 0},
		permissions: append(o.derived(), o.Permissions...),
	}
}

// derived are the rights on an object that is known.
func (o ObjectTrigger) derived() []Permission {
	if o.Object == nil {
		return nil
	}
	kind := o.Object.GroupVersionKind()
	permission := Permission{
		Group:    kind.Group,
		Resource: resourceName(kind.Kind),
		// Upstream reads the object before it updates, patches or deletes it.
		Verbs: []string{"get", string(o.operation())},
	}
	if o.operation() == Create {
		permission.Verbs = []string{"create"}
		if o.Until != nil {
			permission.Verbs = append(permission.Verbs, "get")
		}
	} else if name := o.Object.GetName(); name != "" && !setsName(o.Parameters) {
		permission.Names = []string{name}
	}
	if clusterScoped[permission.Resource] {
		permission.ClusterWide = true
	} else {
		permission.Namespace = o.Object.GetNamespace()
	}
	return []Permission{permission}
}

// clusterScoped are the resources that upstream addresses without a namespace.
// argo-events: pkg/sensors/triggers/standard-k8s/standard-k8s.go
var clusterScoped = map[string]bool{"namespaces": true, "nodes": true}

// setsName tells whether a parameter may replace the name of the object.
func setsName(parameters []Parameter) bool {
	return sets(parameters, "metadata.name")
}

// sets tells whether a parameter may replace the value at a path.
func sets(parameters []Parameter, target string) bool {
	return slices.ContainsFunc(parameters, func(p Parameter) bool {
		return writes(p.To, target)
	})
}

// decidesScope tells whether a parameter to this path may replace the kind or
// the namespace of an object.
func decidesScope(to string) bool {
	return writes(to, "apiVersion") || writes(to, "kind") || writes(to, "metadata.namespace")
}

// writes tells whether setting the value at path to replaces the one at target:
// it is the same path, or one above it.
func writes(to, target string) bool {
	return to == target || strings.HasPrefix(target, to+".")
}

// resourceName returns the resource that upstream derives from a kind, by the
// rules of English rather than by discovery.
// argo-events: GetGroupVersionResource in pkg/sensors/triggers/triggers.go
func resourceName(kind string) string {
	name := strings.ToLower(kind)
	switch {
	case kind == "EventBus", len(name) < 2:
		return name
	case hasAnySuffix(name, "s", "x", "z", "ch", "sh"):
		return name + "es"
	case strings.HasSuffix(name, "y") && !hasAnySuffix(name, "ay", "ey", "iy", "oy", "uy"):
		return name[:len(name)-1] + "ies"
	case strings.HasSuffix(name, "fe"):
		return name[:len(name)-2] + "ves"
	case strings.HasSuffix(name, "f"):
		return name[:len(name)-1] + "ves"
	default:
		return name + "s"
	}
}

func hasAnySuffix(name string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool {
		return strings.HasSuffix(name, suffix)
	})
}
