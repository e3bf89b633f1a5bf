package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// judgement is a check of requests by CEL expressions. A ValidatingPolicy takes them as they are, a ClusterPolicy in a
// rule of the type validate.cel, so both generations give the same verdicts and messages. The expressions may use what
// both environments offer: Kyverno's own (kyverno: pkg/cel/compiler/env.go) and Kubernetes' for admission policies.
type judgement struct {
	kinds []ResourceKind
	// operations that are judged. Default: CREATE and UPDATE.
	operations []string
	// exempt are the names of all namespaces that are left alone.
	exempt []string
	// conditions say which requests are judged, besides those that the kinds and namespaces select. They can use no
	// variables.
	conditions []NamedExpression
	variables  []NamedExpression
	checks     []Validation
}

// notDeleting leaves alone what is being deleted: its finalizers could not be removed otherwise.
var notDeleting = NamedExpression{Name: "not-being-deleted", Expression: "!has(object.metadata.deletionTimestamp)"}

// specChanged leaves alone what is updated in other respects: labelled, annotated, released by a finalizer.
var specChanged = NamedExpression{
	Name: "spec-changed", Expression: `request.operation != "UPDATE" || object.spec != oldObject.spec`,
}

// cel returns the ValidatingPolicy.
func (j judgement) cel(
	name string, action Action, kyverno Version, faults field.ErrorList,
) (*unstructured.Unstructured, error) {
	kind, err := celKind(name, "ValidatingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), name, faults); err != nil {
		return nil, err
	}
	exempt := NamedExpression{Name: "not-exempt", Expression: fmt.Sprintf("!(%s in %s)", j.namespace(), celList(j.exempt))}
	built := ValidatingPolicy{
		Name:            name,
		Match:           MatchResources{Rules: j.resourceRules()},
		MatchConditions: append([]NamedExpression{exempt, notDeleting}, j.conditions...),
		Variables:       j.variables,
		Validations:     j.checks,
		Actions:         []ValidationAction{ActionDeny},
	}
	if action == Audit {
		built.Actions = []ValidationAction{ActionAudit}
	}
	return built.Build(kyverno)
}

// classic returns the ClusterPolicy.
func (j judgement) classic(
	name string, action Action, kyverno Version, faults field.ErrorList,
) (*unstructured.Unstructured, error) {
	return j.classicRule(name, kyverno, faults, ClassicRule{
		CELPreconditions: append([]NamedExpression{notDeleting}, j.conditions...),
		Validate:         &ClassicValidate{Action: action, Check: CELCheck{Variables: j.variables, Validations: j.checks}},
	})
}

// classicRule returns a ClusterPolicy with one rule, which is for the same requests.
func (j judgement) classicRule(
	name string, kyverno Version, faults field.ErrorList, rule ClassicRule,
) (*unstructured.Unstructured, error) {
	if err := classicSupported(name, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicKind.GroupKind(), name, faults); err != nil {
		return nil, err
	}
	kinds := make([]string, len(j.kinds))
	for i, kind := range j.kinds {
		kinds[i] = kind.selector()
	}
	rule.Name = "check"
	rule.Match = ResourceFilters{Any: []ResourceFilter{{Kinds: kinds, Operations: j.judgedOperations()}}}
	// Kyverno takes a Namespace to be in itself: pkg/engine/utils/match.go (checkNameSpace).
	rule.Exclude = ResourceFilters{Any: []ResourceFilter{{Namespaces: j.exempt}}}
	return ClusterPolicy{Name: name, Rules: []ClassicRule{rule}}.Build(kyverno)
}

func (j judgement) judgedOperations() []string {
	if len(j.operations) == 0 {
		return []string{"CREATE", "UPDATE"}
	}
	return j.operations
}

// namespace returns the expression for the namespace that a request is about.
func (j judgement) namespace() string {
	const name, namespace = "object.metadata.name", `object.metadata.?namespace.orValue("")`
	if !slices.ContainsFunc(j.kinds, ResourceKind.isNamespace) {
		return namespace
	}
	if len(j.kinds) == 1 {
		return name
	}
	return fmt.Sprintf(`(object.apiVersion == "v1" && object.kind == "Namespace" ? %s : %s)`, name, namespace)
}

// resourceRules are one for each API version.
func (j judgement) resourceRules() []ResourceRule {
	resources := map[schema.GroupVersion][]string{}
	for _, kind := range j.kinds {
		version := schema.GroupVersion{Group: kind.Group, Version: kind.version()}
		resources[version] = append(resources[version], kind.resources()...)
	}
	versions := slices.SortedFunc(maps.Keys(resources), func(a, b schema.GroupVersion) int {
		return cmp.Compare(a.String(), b.String())
	})
	rules := make([]ResourceRule, len(versions))
	for i, version := range versions {
		rules[i] = ResourceRule{
			Groups: []string{version.Group}, Versions: []string{version.Version}, Resources: resources[version],
			Operations: j.judgedOperations(),
		}
	}
	return rules
}

// reportsRole returns the ClusterRole that lets Kyverno's reports controller look at resources, by group: a
// ValidatingPolicy does not become ready without it (kyverno: pkg/controllers/policystatus/controller.go).
func reportsRole(rule string, resources map[string][]string) *unstructured.Unstructured {
	var rules []rbacv1.PolicyRule
	for _, group := range slices.Sorted(maps.Keys(resources)) {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources[group], Verbs: readVerbs})
	}
	return clusterRole("kyverno:"+rule+":reports-controller", rules, reportsController)
}
