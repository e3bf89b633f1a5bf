package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// MatchResources say which requests a policy of the policies.kyverno.io group is for: those that a rule matches, that no
// exclusion matches, and that both selectors select.
type MatchResources struct {
	// Rules of which one has to match. At least one.
	Rules []ResourceRule
	// Exclude are rules that win over Rules.
	Exclude []ResourceRule
	// NamespaceSelector selects by the labels of the object's namespace, and of Namespaces by their own. Objects without
	// a namespace are always selected. Default: all.
	NamespaceSelector *metav1.LabelSelector
	// ObjectSelector selects by the labels of the object or of the old object. Default: all.
	ObjectSelector *metav1.LabelSelector
	// MatchPolicy says how the API versions of Rules are read. Default: MatchEquivalent.
	MatchPolicy MatchPolicy
}

// MatchPolicy says how the API versions of rules are read.
type MatchPolicy string

const (
	// MatchEquivalent matches requests for the same resource in any API version.
	MatchEquivalent MatchPolicy = "Equivalent"
	// MatchExact matches requests in the API versions of the rule alone.
	MatchExact MatchPolicy = "Exact"
)

// ResourceRule matches requests by what they do to which resources. In each list "*" stands for everything.
type ResourceRule struct {
	// Groups of APIs; the core group is "". Default: the core group.
	Groups []string
	// Versions of APIs. Default: "v1".
	Versions []string
	// Resources in their plural form, with or without subresource: "pods", "pods/ephemeralcontainers", "pods/*", "*/scale".
	// "*" stands for all resources without subresources, "*/*" for those with. At least one.
	Resources []string
	// Operations are CREATE, UPDATE, DELETE and CONNECT. The default is the policy's; that of exclusions is "*".
	Operations []string
	// Names of objects. Default: all.
	Names []string
	// Scope of the resources. Default: AnyScope.
	Scope Scope
}

// Scope says whether resources are in namespaces.
type Scope string

const (
	// AnyScope is both.
	AnyScope Scope = "*"
	// ClusterScope is resources outside of namespaces, Namespaces among them.
	ClusterScope Scope = "Cluster"
	// NamespacedScope is resources within namespaces.
	NamespacedScope Scope = "Namespaced"
)

const anything = "*"

// The operations that a rule is for if it names none.
var (
	writingOperations = []string{"CREATE", "UPDATE"}
	anyOperation      = []string{anything}
)

// validate reports what Kyverno rejects, and what the API server would reject in the webhooks that Kyverno makes of the
// rules, after which no policy's webhook would be updated any more.
// kyverno: pkg/cel/policies/*/validate.go; pkg/controllers/webhook/validating.go
func (m MatchResources) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if len(m.Rules) == 0 {
		faults = append(faults, field.Required(path.Child("rules"), "a policy without a rule matches nothing"))
	}
	for i, rule := range m.Rules {
		faults = append(faults, rule.validate(path.Child("rules").Index(i))...)
	}
	for i, rule := range m.Exclude {
		faults = append(faults, rule.validate(path.Child("exclude").Index(i))...)
	}
	faults = append(faults, validateSelector(path.Child("namespaceSelector"), m.NamespaceSelector)...)
	faults = append(faults, validateSelector(path.Child("objectSelector"), m.ObjectSelector)...)
	return append(faults, validateChoice(path.Child("matchPolicy"), m.MatchPolicy, MatchEquivalent, MatchExact)...)
}

func validateSelector(path *field.Path, selector *metav1.LabelSelector) field.ErrorList {
	return metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, path)
}

// build returns the match block, whose rules are for the operations if they name none.
func (m MatchResources) build(operations []string) map[string]any {
	fields := object.Compact(map[string]any{
		"resourceRules":        buildRules(m.Rules, operations),
		"excludeResourceRules": buildRules(m.Exclude, anyOperation),
		"matchPolicy":          m.MatchPolicy,
	})
	if m.NamespaceSelector != nil {
		fields["namespaceSelector"] = m.NamespaceSelector
	}
	if m.ObjectSelector != nil {
		fields["objectSelector"] = m.ObjectSelector
	}
	return fields
}

func buildRules(rules []ResourceRule, operations []string) []any {
	out := make([]any, len(rules))
	for i, rule := range rules {
		out[i] = rule.build(operations)
	}
	return out
}

func (r ResourceRule) build(operations []string) map[string]any {
	return object.Compact(map[string]any{
		"apiGroups":     listOrDefault(r.Groups, []string{""}),
		"apiVersions":   listOrDefault(r.Versions, []string{"v1"}),
		"resources":     r.Resources,
		"operations":    listOrDefault(r.Operations, operations),
		"resourceNames": r.Names,
		"scope":         r.Scope,
	})
}

func listOrDefault(list, otherwise []string) []string {
	if len(list) == 0 {
		return otherwise
	}
	return list
}
