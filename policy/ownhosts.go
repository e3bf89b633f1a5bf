package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// OwnHosts guarantees that a namespace answers for its own host names alone, so that no team takes over the traffic or
// the certificates of another. It is for the rules and the TLS section of Ingresses and, with GatewayAPI, for the
// listeners of Gateways and the host names of HTTPRoutes and GRPCRoutes. Leaving a host out claims all of them, and so is
// denied. An update that leaves the spec as it is passes.
type OwnHosts struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Hosts that namespaces own, by the name of the namespace: "shop.example.com" is one host, "*.shop.example.com"
	// stands for all below it, however deep, and for that wildcard itself. No two namespaces own the same.
	Hosts map[string][]string
	// Domains in which each namespace owns the host of its own name, and all below that: with "apps.example.com",
	// the namespace shop owns shop.apps.example.com. One of Hosts and Domains is needed.
	Domains []string
	// GatewayAPI has the rule apply to the Gateway API's v1, whose CustomResourceDefinitions have to be there.
	// Default: false, only Ingresses are judged.
	GatewayAPI bool
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system. The namespace of a
	// shared Gateway needs it.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r OwnHosts) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	if len(r.Hosts)+len(r.Domains) == 0 {
		faults = append(faults, field.Required(field.NewPath("hosts"), "without hosts or domains nobody owns anything"))
	}
	owners := map[string]string{}
	for _, namespace := range slices.Sorted(maps.Keys(r.Hosts)) {
		at := field.NewPath("hosts").Key(namespace)
		faults = append(faults, object.Namespace(at, namespace)...)
		for i, host := range r.Hosts[namespace] {
			faults = append(faults, validateHost(at.Index(i), host)...)
			if _, owned := owners[host]; owned {
				faults = append(faults, field.Duplicate(at.Index(i), host))
			}
			owners[host] = namespace
		}
	}
	for i, domain := range r.Domains {
		for _, message := range validation.IsDNS1123Subdomain(domain) {
			faults = append(faults, field.Invalid(field.NewPath("domains").Index(i), domain, message))
		}
	}
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

func validateHost(path *field.Path, host string) field.ErrorList {
	valid := validation.IsDNS1123Subdomain
	if strings.HasPrefix(host, "*") {
		valid = validation.IsWildcardDNS1123Subdomain
	}
	var faults field.ErrorList
	for _, message := range valid(host) {
		faults = append(faults, field.Invalid(path, host, message))
	}
	return faults
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r OwnHosts) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r OwnHosts) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno report on the kinds.
func (r OwnHosts) RBAC() []*unstructured.Unstructured {
	return []*unstructured.Unstructured{kindsRole(r.Name, r.kinds())}
}

// WithAction returns a copy of the rule with the action.
func (r OwnHosts) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r OwnHosts) kinds() []ResourceKind {
	const group = "gateway.networking.k8s.io"
	kinds := []ResourceKind{{Group: "networking.k8s.io", Kind: "Ingress"}}
	if r.GatewayAPI {
		kinds = append(kinds, ResourceKind{Group: group, Kind: "Gateway"}, ResourceKind{Group: group, Kind: "HTTPRoute"},
			ResourceKind{Group: group, Kind: "GRPCRoute"})
	}
	return kinds
}

func (r OwnHosts) judgement() judgement {
	const namespace = "object.metadata.namespace"
	var owned, own []string
	for _, name := range slices.Sorted(maps.Keys(r.Hosts)) {
		owned = append(owned, celString(name)+": "+celList(r.Hosts[name]))
	}
	for _, domain := range r.Domains {
		own = append(own, fmt.Sprintf(`%s + %s, "*." + %s + %s`, namespace, celString("."+domain), namespace, celString("."+domain)))
	}
	// An empty text stands for all hosts.
	const (
		ofIngress = `(object.spec.?rules.orValue([]).map(r, r.?host.orValue("")) + ` +
			`object.spec.?tls.orValue([]).map(t, t.?hosts.orValue([]).join(" ")).join(" ").split(" ").filter(h, h != "") + ` +
			`(has(object.spec.defaultBackend) && size(object.spec.?rules.orValue([])) == 0 ? [""] : []))`
		ofGateway = `object.spec.?listeners.orValue([]).map(l, l.?hostname.orValue(""))`
		ofRoute   = `(size(object.spec.?hostnames.orValue([])) == 0 ? [""] : object.spec.hostnames)`
	)
	hosts := ofIngress
	if r.GatewayAPI {
		hosts = fmt.Sprintf(`(object.kind == "Ingress" ? %s : object.kind == "Gateway" ? %s : %s)`, ofIngress, ofGateway, ofRoute)
	}
	return judgement{
		selection: selection{
			kinds: r.kinds(), exempt: withSystemNamespaces(r.ExemptNamespaces), conditions: []NamedExpression{specChanged},
		},
		variables: []NamedExpression{
			{Name: "owned", Expression: fmt.Sprintf("{%s}[?%s].orValue([]) + [%s]", strings.Join(owned, ", "), namespace, strings.Join(own, ", "))},
			{Name: "hosts", Expression: hosts},
			{Name: "foreign", Expression: `variables.hosts.filter(h, !variables.owned.exists(o, h == o || ` +
				`o.startsWith("*.") && h.endsWith(o.substring(1))))`},
		},
		checks: []Validation{
			{
				Expression: `!("" in variables.foreign)`,
				Message:    "A namespace must not claim all hosts: name those that it owns.",
			},
			{
				Expression: `variables.foreign.all(h, h == "")`,
				MessageExpression: `"The namespace " + ` + namespace + ` + " does not own these hosts: " + ` +
					`variables.foreign.filter(h, h != "").join(", ")`,
			},
		},
	}
}
