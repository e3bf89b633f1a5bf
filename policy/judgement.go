package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// judgement is a check of requests by CEL expressions. A ValidatingPolicy takes them as they are, a ClusterPolicy in a
// rule of the type validate.cel, so both generations give the same verdicts and messages. The expressions may use what
// both environments offer: Kyverno's own (kyverno: pkg/cel/compiler/env.go) and Kubernetes' for admission policies.
type judgement struct {
	selection
	variables []NamedExpression
	checks    []Validation
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
	built := ValidatingPolicy{
		Name:            name,
		Match:           MatchResources{Rules: j.resourceRules(ResourceKind.resources)},
		MatchConditions: j.matchConditions(),
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
	rule.Name = "check"
	rule.Match, rule.Exclude = j.filters()
	return ClusterPolicy{Name: name, Rules: []ClassicRule{rule}}.Build(kyverno)
}
