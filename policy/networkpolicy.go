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
	faults := object.Name(field.NewPath("name"), r.Name)
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
	kind, err := celKind(r.Name, "GeneratingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), r.Name, r.Validate()); err != nil {
		return nil, err
	}
	if !r.Once && !kyverno.atLeast(firstSynchronized) {
		return nil, &UnsupportedError{
			Rule: r.Name, Kind: kind.Kind, Kyverno: kyverno,
			Reason: "1.15 deletes all that the policy has generated whenever a later request generates nothing, unless Once is set",
		}
	}
	downstream := []any{map[string]any{
		"apiVersion": "networking.k8s.io/v1",
		"kind":       "NetworkPolicy",
		"metadata":   map[string]any{"name": r.networkPolicy(), "namespace": celExpression("string(variables.target)")},
		"spec":       r.spec(),
	}}
	spec := celNamespaces(r.ExemptNamespaces)
	spec["evaluation"] = map[string]any{
		"synchronize":      map[string]any{"enabled": !r.Once},
		"generateExisting": map[string]any{"enabled": r.Existing},
	}
	spec["variables"] = []any{
		map[string]any{"name": "target", "expression": "object.metadata.name"},
		map[string]any{"name": "downstream", "expression": celLiteral(downstream)},
	}
	spec["generate"] = []any{map[string]any{"expression": "generator.Apply(variables.target, variables.downstream)"}}
	return object.New(kind, object.Meta{Name: r.Name}, map[string]any{"spec": spec}), nil
}

// Classic returns a ClusterPolicy with a generate rule (Kyverno 1.13 to 1.19).
func (r DefaultNetworkPolicy) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	if err := classicSupported(r.Name, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicKind.GroupKind(), r.Name, r.Validate()); err != nil {
		return nil, err
	}
	// With operations in its match, Kyverno 1.15 does not restore what the rule has generated when that is deleted.
	rule := classicNamespaces(r.ExemptNamespaces)
	rule["name"] = "generate"
	rule["generate"] = object.Compact(map[string]any{
		"apiVersion":       "networking.k8s.io/v1",
		"kind":             "NetworkPolicy",
		"name":             r.networkPolicy(),
		"namespace":        "{{ request.object.metadata.name }}",
		"synchronize":      !r.Once,
		"generateExisting": r.Existing,
		"data":             map[string]any{"spec": r.spec()},
	})
	spec := map[string]any{"rules": []any{rule}}
	return object.New(classicKind, object.Meta{Name: r.Name}, map[string]any{"spec": spec}), nil
}

// RBAC returns the ClusterRole that lets Kyverno's background controller write NetworkPolicies.
func (r DefaultNetworkPolicy) RBAC() []*unstructured.Unstructured {
	role := object.New(
		schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		object.Meta{
			Name:   "kyverno:" + r.Name + ":background-controller",
			Labels: map[string]string{"rbac.kyverno.io/aggregate-to-background-controller": "true"},
		},
		map[string]any{"rules": []any{map[string]any{
			"apiGroups": []any{"networking.k8s.io"},
			"resources": []any{"networkpolicies"},
			"verbs":     []any{"create", "delete", "get", "list", "patch", "update", "watch"},
		}}},
	)
	return []*unstructured.Unstructured{role}
}

func (r DefaultNetworkPolicy) networkPolicy() string { return orDefault(r.NetworkPolicy, "default") }

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
