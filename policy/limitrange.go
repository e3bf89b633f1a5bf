package policy

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// DefaultLimitRange guarantees that each Namespace has a LimitRange, which gives containers that state no requests and
// limits a default of both, and refuses those that ask for too much.
//
// A Namespace gets it when it is created or next changed.
type DefaultLimitRange struct {
	// Name of the rule and of its policy. Required.
	Name string
	// LimitRange is the name of the generated object. Default: "default".
	LimitRange string
	// DefaultRequests and DefaultLimits of a container that states none, by resource.
	DefaultRequests corev1.ResourceList
	DefaultLimits   corev1.ResourceList
	// Min and Max are what a container can ask for, by resource. One of the four is needed.
	Min corev1.ResourceList
	Max corev1.ResourceList
	// ExemptNamespaces get none, in addition to Kubernetes' own: default, kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Once generates the object and then leaves it alone. Default: false; it is kept as declared, restored when it is
	// deleted, and deleted with the policy.
	Once bool
	// Existing generates it at once for Namespaces that exist when the policy is applied. Default: false.
	Existing bool
}

// Validate reports every fault of the rule. Among those of a resource, min, defaultRequests, defaultLimits and max have
// to rise (kubernetes: pkg/apis/core/validation/validation.go, ValidateLimitRange).
func (r DefaultLimitRange) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	if r.LimitRange != "" {
		faults = append(faults, object.Name(field.NewPath("limitRange"), r.LimitRange)...)
	}
	lists := r.rising()
	set := false
	for i, list := range lists {
		set = set || len(list.resources) > 0
		for _, name := range slices.Sorted(maps.Keys(list.resources)) {
			at, quantity := field.NewPath(list.name).Key(string(name)), list.resources[name]
			faults = append(faults, validateQuantity(at, name, quantity)...)
			for _, lower := range lists[:i] {
				if other, stated := lower.resources[name]; stated && other.Cmp(quantity) > 0 {
					faults = append(faults, field.Invalid(at, quantity.String(), "it is below that of "+lower.name))
				}
			}
		}
	}
	if !set {
		faults = append(faults, field.Required(field.NewPath("defaultRequests"), "a range without a default or a limit does nothing"))
	}
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// namedResources is a field of a range.
type namedResources struct {
	name, upstream string
	resources      corev1.ResourceList
}

// rising returns the fields of the range from the lowest to the highest.
func (r DefaultLimitRange) rising() []namedResources {
	return []namedResources{
		{"min", "min", r.Min},
		{"defaultRequests", "defaultRequest", r.DefaultRequests},
		{"defaultLimits", "default", r.DefaultLimits},
		{"max", "max", r.Max},
	}
}

// CEL returns a GeneratingPolicy (Kyverno 1.15 and later; 1.16 and later unless Once is set).
func (r DefaultLimitRange) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().cel(kyverno, r.Validate())
}

// Classic returns a ClusterPolicy with a generate rule (Kyverno 1.13 to 1.19).
func (r DefaultLimitRange) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().classic(kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno's background controller write LimitRanges.
func (r DefaultLimitRange) RBAC() []*unstructured.Unstructured { return r.namespaceDefault().rbac() }

func (r DefaultLimitRange) namespaceDefault() namespaceDefault {
	limit := map[string]any{"type": string(corev1.LimitTypeContainer)}
	for _, list := range r.rising() {
		if len(list.resources) > 0 {
			limit[list.upstream] = quantities(list.resources)
		}
	}
	return namespaceDefault{
		rule: r.Name, exempt: r.ExemptNamespaces, once: r.Once, existing: r.Existing,
		kind:     corev1.SchemeGroupVersion.WithKind("LimitRange"),
		resource: "limitranges",
		name:     orDefault(r.LimitRange, "default"),
		content:  map[string]any{"spec": map[string]any{"limits": []any{limit}}},
	}
}

func validateQuantity(path *field.Path, name corev1.ResourceName, quantity resource.Quantity) field.ErrorList {
	faults := metav1validation.ValidateLabelName(string(name), path)
	if quantity.Sign() < 0 {
		faults = append(faults, field.Invalid(path, quantity.String(), "must not be negative"))
	}
	return faults
}

func quantities(list corev1.ResourceList) map[string]any {
	out := map[string]any{}
	for name, quantity := range list {
		out[string(name)] = quantity.String()
	}
	return out
}
