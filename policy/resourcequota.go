package policy

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// DefaultResourceQuota guarantees that each Namespace has a ResourceQuota, so that no team can use up the cluster. A
// quota on requests or limits makes Kubernetes refuse pods that do not state them.
//
// A Namespace gets it when it is created or next changed.
type DefaultResourceQuota struct {
	// Name of the rule and of its policy. Required.
	Name string
	// ResourceQuota is the name of the generated object. Default: "default".
	ResourceQuota string
	// Hard are the limits of a Namespace, by resource: "requests.cpu", "limits.memory", "pods",
	// "count/deployments.apps". At least one.
	Hard corev1.ResourceList
	// ExemptNamespaces get none, in addition to Kubernetes' own: default, kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Once generates the object and then leaves it alone. Default: false; it is kept as declared, restored when it is
	// deleted, and deleted with the policy.
	Once bool
	// Existing generates it at once for Namespaces that exist when the policy is applied. Default: false, so that
	// introducing the rule does not stop workloads from being replaced.
	Existing bool
}

// Validate reports every fault of the rule.
func (r DefaultResourceQuota) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	if r.ResourceQuota != "" {
		faults = append(faults, object.Name(field.NewPath("resourceQuota"), r.ResourceQuota)...)
	}
	hard := field.NewPath("hard")
	if len(r.Hard) == 0 {
		faults = append(faults, field.Required(hard, "a quota without a limit restricts nothing"))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Hard)) {
		faults = append(faults, validateQuantity(hard.Key(string(name)), name, r.Hard[name])...)
	}
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// CEL returns a GeneratingPolicy (Kyverno 1.15 and later; 1.16 and later unless Once is set).
func (r DefaultResourceQuota) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().cel(kyverno, r.Validate())
}

// Classic returns a ClusterPolicy with a generate rule (Kyverno 1.13 to 1.19).
func (r DefaultResourceQuota) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().classic(kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno's background controller write ResourceQuotas.
func (r DefaultResourceQuota) RBAC() []*unstructured.Unstructured { return r.namespaceDefault().rbac() }

func (r DefaultResourceQuota) namespaceDefault() namespaceDefault {
	return namespaceDefault{
		rule: r.Name, exempt: r.ExemptNamespaces, once: r.Once, existing: r.Existing,
		kind:     corev1.SchemeGroupVersion.WithKind("ResourceQuota"),
		resource: "resourcequotas",
		name:     orDefault(r.ResourceQuota, "default"),
		content:  map[string]any{"spec": map[string]any{"hard": quantities(r.Hard)}},
	}
}
