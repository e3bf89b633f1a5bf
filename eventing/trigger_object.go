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

// ObjectTrigger creates, patches or deletes one Kubernetes object.
type ObjectTrigger struct {
	// Operation on the object. Default: Create.
	Operation ObjectOperation
	// Object is what is created; what is merged into the live object, for Patch;
	// or what names the object, for Delete. It needs apiVersion, kind and a name
	// (generateName is enough for Create). Without a namespace the one of the
	// sensor is used. Required.
	//
	// Upstream knows two kinds without a namespace, Namespace and Node; it cannot
	// reach objects of other cluster-scoped kinds.
	Object *unstructured.Unstructured
	// Parameters copy values of the event into the object.
	Parameters []Parameter
}

// ObjectOperation is what happens to the object.
type ObjectOperation string

const (
	// Create creates the object. It fails when an object of the name exists, also
	// when a first attempt created it: prefer generateName.
	Create ObjectOperation = "create"
	// Patch merges the object into the live one with a JSON merge patch.
	// Upstream would create a missing object; the rights of [Sensor.RBAC] do not
	// include that, so the trigger fails instead.
	Patch ObjectOperation = "patch"
	// Delete deletes the object. A missing object is a success.
	Delete ObjectOperation = "delete"
)

var objectOperations = []ObjectOperation{Create, Patch, Delete}

func (o ObjectTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validateParameters(path.Child("parameters"), o.Parameters, dependencies, false)
	if o.Operation != "" && !slices.Contains(objectOperations, o.Operation) {
		faults = append(faults, field.NotSupported(path.Child("operation"), o.Operation, objectOperations))
	}
	path = path.Child("object")
	if o.Object == nil {
		return append(faults, field.Required(path, ""))
	}
	if fragment := object.RequiredFragment(path, o.Object.Object); len(fragment) > 0 {
		return append(faults, fragment...)
	}
	return append(faults, o.validateIdentity(path)...)
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
	faults = append(faults, optional(path.Child("metadata", "namespace"), o.Object.GetNamespace(), object.Namespace)...)
	named := o.Object.GetName() != "" || o.creates() && o.Object.GetGenerateName() != ""
	if !named && !setsName(o.Parameters) {
		faults = append(faults, field.Required(path.Child("metadata", "name"), ""))
	}
	return faults
}

func (o ObjectTrigger) creates() bool {
	return o.operation() == Create
}

func (o ObjectTrigger) operation() ObjectOperation {
	return cmp.Or(o.Operation, Create)
}

func (o ObjectTrigger) template(Sensor) (string, map[string]any) {
	return "k8s", object.Compact(map[string]any{
		"operation":  o.operation(),
		"source":     map[string]any{"resource": o.Object.Object},
		"parameters": parametersSpec(o.Parameters),
	})
}

func (o ObjectTrigger) policy() map[string]any        { return nil }
func (o ObjectTrigger) objectParameters() []Parameter { return o.Parameters }

func (o ObjectTrigger) permissions() []Permission {
	if o.Object == nil {
		return nil
	}
	kind := o.Object.GroupVersionKind()
	permission := Permission{
		Group:    kind.Group,
		Resource: resourceName(kind.Kind),
		// Upstream reads the object before it patches or deletes it.
		Verbs: []string{"get", string(o.operation())},
	}
	if o.creates() {
		permission.Verbs = []string{"create"}
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
	return slices.ContainsFunc(parameters, func(p Parameter) bool {
		return writes(p.To, "metadata.name")
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
