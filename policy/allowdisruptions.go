package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// AllowDisruptions guarantees that nodes can be drained: no PodDisruptionBudget forbids every eviction by a
// maxUnavailable of zero or a minAvailable of 100 %. A minAvailable that is as large as the number of replicas forbids
// them as well; that is not seen, because the budget does not say how many there are. An update that leaves the spec as
// it is passes.
type AllowDisruptions struct {
	// Name of the rule and of its policy. Required.
	Name string
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r AllowDisruptions) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r AllowDisruptions) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r AllowDisruptions) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns nothing: the rule looks at the request alone.
func (r AllowDisruptions) RBAC() []*unstructured.Unstructured { return nil }

// WithAction returns a copy of the rule with the action.
func (r AllowDisruptions) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r AllowDisruptions) judgement() judgement {
	const message = "A PodDisruptionBudget must let at least one pod be evicted: "
	return judgement{
		selection: selection{
			kinds:      []ResourceKind{{Group: "policy", Kind: "PodDisruptionBudget"}},
			exempt:     withSystemNamespaces(r.ExemptNamespaces),
			conditions: []NamedExpression{specChanged},
		},
		checks: []Validation{
			{
				Expression: `!string(object.spec.?maxUnavailable.orValue(dyn(""))).matches("^0+%?$")`,
				Message:    message + "raise maxUnavailable.",
			},
			{
				Expression: `!string(object.spec.?minAvailable.orValue(dyn(""))).matches("^0*100%$")`,
				Message:    message + "lower minAvailable.",
			},
		},
	}
}
