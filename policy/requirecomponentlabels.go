package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RequireComponentLabels guarantees that every Deployment, StatefulSet and DaemonSet, and the pods of each, carry the
// labels by which a platform tells its components apart. An update that leaves the labels as they are passes, so that
// what runs already can be scaled and finished.
type RequireComponentLabels struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Labels that are required, both on the object and on its template of pods. At least one.
	Labels []RequiredLabel
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// componentKinds are those whose pods run until they are told to stop.
var componentKinds = []ResourceKind{
	{Group: "apps", Kind: "DaemonSet"}, {Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"},
}

// Validate reports every fault of the rule.
func (r RequireComponentLabels) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateLabels(field.NewPath("labels"), r.Labels)...)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequireComponentLabels) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r RequireComponentLabels) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns nothing: the rule looks at the request alone.
func (r RequireComponentLabels) RBAC() []*unstructured.Unstructured { return nil }

// WithAction returns a copy of the rule with the action.
func (r RequireComponentLabels) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r RequireComponentLabels) judgement() judgement {
	const template = "object.spec.template.?metadata"
	var checks []Validation
	for _, label := range r.Labels {
		checks = append(checks,
			label.check("A component", "object.metadata"),
			label.check("The template of a component's pods", template),
		)
	}
	return judgement{
		selection: selection{
			kinds:  componentKinds,
			exempt: withSystemNamespaces(r.ExemptNamespaces),
			conditions: []NamedExpression{{Name: "labels-changed", Expression: `request.operation != "UPDATE" || ` +
				"object.metadata.?labels != oldObject.metadata.?labels || " +
				template + ".?labels != oldObject.spec.template.?metadata.?labels"}},
		},
		checks: checks,
	}
}
