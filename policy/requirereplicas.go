package policy

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RequireReplicas guarantees that the loss of one pod does not stop a service: every Deployment and StatefulSet asks
// for several replicas, and every HorizontalPodAutoscaler of one keeps several. Without replicas Kubernetes takes one,
// so that is denied too. Zero is admitted, because what is switched off serves nobody. An update that leaves the spec
// as it is passes, and so does scaling through the scale subresource (kubectl scale, autoscalers).
type RequireReplicas struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Minimum of replicas. Default: 2.
	Minimum int32
	// ExemptLabel is the key of a label whose bearers are left alone, whatever its value: what can run only once, and
	// what has its replicas from an autoscaler of another kind. Default: there is none.
	ExemptLabel string
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r RequireReplicas) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	if r.Minimum != 0 && r.Minimum < 2 {
		faults = append(faults, field.Invalid(field.NewPath("minimum"), r.Minimum,
			"must be at least 2: every workload that runs has one replica"))
	}
	if r.ExemptLabel != "" {
		faults = append(faults, validateKey(field.NewPath("exemptLabel"), r.ExemptLabel)...)
	}
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequireReplicas) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r RequireReplicas) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns nothing: the rule looks at the request alone.
func (r RequireReplicas) RBAC() []*unstructured.Unstructured { return nil }

// WithAction returns a copy of the rule with the action.
func (r RequireReplicas) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r RequireReplicas) judgement() judgement {
	const autoscaler = `object.kind == "HorizontalPodAutoscaler"`
	minimum := cmp.Or(r.Minimum, 2)
	conditions := []NamedExpression{
		specChanged,
		{
			Name:       "replicated",
			Expression: "!(" + autoscaler + `) || object.spec.scaleTargetRef.kind in ["Deployment", "StatefulSet"]`,
		},
	}
	if r.ExemptLabel != "" {
		conditions = append(conditions, NamedExpression{
			Name:       "not-exempt-by-label",
			Expression: fmt.Sprintf("!object.metadata.?labels[?%s].hasValue()", celString(r.ExemptLabel)),
		})
	}
	return judgement{
		selection: selection{
			kinds: []ResourceKind{
				{Group: "apps", Kind: "Deployment"},
				{Group: "apps", Kind: "StatefulSet"},
				{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
				{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
			},
			exempt:     withSystemNamespaces(r.ExemptNamespaces),
			conditions: conditions,
		},
		variables: []NamedExpression{{
			Name:       "replicas",
			Expression: autoscaler + " ? object.spec.?minReplicas.orValue(1) : object.spec.?replicas.orValue(1)",
		}},
		checks: []Validation{{
			Expression: fmt.Sprintf("variables.replicas == 0 || variables.replicas >= %d", minimum),
			Message:    fmt.Sprintf("A service needs at least %d replicas.", minimum),
		}},
	}
}
