package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"

	"github.com/controlbackbone/backbone/internal/object"
)

// DefaultNetworkPolicy guarantees that each Namespace has a NetworkPolicy that denies all traffic of its pods except
// their name resolution. What a workload needs beyond that it states in NetworkPolicies of its own.
//
// A Namespace gets it when it is created or next changed. It takes effect where the cluster's network enforces
// NetworkPolicies.
type DefaultNetworkPolicy struct {
	// Name of the rule and of its policy. Required.
	Name string
	// NetworkPolicy is the name of the generated object. Default: "default".
	NetworkPolicy string
	// ExemptNamespaces get none, in addition to Kubernetes' own: default, kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// DNSNamespace and DNSPodLabels select the cluster's DNS servers. Default: "kube-system" and {k8s-app: kube-dns}.
	DNSNamespace string
	DNSPodLabels map[string]string
	// Once generates the object and then leaves it alone. Default: false; it is kept as declared, restored when it is
	// deleted, and deleted with the policy.
	Once bool
	// Existing generates it at once for Namespaces that exist when the policy is applied. Default: false, so that
	// introducing the rule does not cut off running workloads.
	Existing bool
}

// Validate reports every fault of the rule.
func (r DefaultNetworkPolicy) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	if r.NetworkPolicy != "" {
		faults = append(faults, object.Name(field.NewPath("networkPolicy"), r.NetworkPolicy)...)
	}
	if r.DNSNamespace != "" {
		faults = append(faults, object.Namespace(field.NewPath("dnsNamespace"), r.DNSNamespace)...)
	}
	faults = append(faults, metav1validation.ValidateLabels(r.DNSPodLabels, field.NewPath("dnsPodLabels"))...)
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// CEL returns a GeneratingPolicy (Kyverno 1.15 and later; 1.16 and later unless Once is set).
func (r DefaultNetworkPolicy) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().cel(kyverno, r.Validate())
}

// Classic returns a ClusterPolicy with a generate rule (Kyverno 1.13 to 1.19).
func (r DefaultNetworkPolicy) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().classic(kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno's background controller write NetworkPolicies.
func (r DefaultNetworkPolicy) RBAC() []*unstructured.Unstructured { return r.namespaceDefault().rbac() }

func (r DefaultNetworkPolicy) namespaceDefault() namespaceDefault {
	return namespaceDefault{
		rule: r.Name, exempt: r.ExemptNamespaces, once: r.Once, existing: r.Existing,
		kind:     schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
		resource: "networkpolicies",
		name:     orDefault(r.NetworkPolicy, "default"),
		content:  map[string]any{"spec": r.spec()},
	}
}

// spec returns the NetworkPolicy's spec.
func (r DefaultNetworkPolicy) spec() map[string]any {
	labels := map[string]any{}
	for key, value := range r.DNSPodLabels {
		labels[key] = value
	}
	if len(labels) == 0 {
		labels["k8s-app"] = "kube-dns"
	}
	namespace := orDefault(r.DNSNamespace, "kube-system")
	return map[string]any{
		"podSelector": map[string]any{},
		"policyTypes": []any{"Ingress", "Egress"},
		"egress": []any{map[string]any{
			"to": []any{map[string]any{
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": namespace}},
				"podSelector":       map[string]any{"matchLabels": labels},
			}},
			"ports": []any{
				map[string]any{"protocol": "UDP", "port": int64(53)},
				map[string]any{"protocol": "TCP", "port": int64(53)},
			},
		}},
	}
}
