package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ValidatingPolicy judges requests, and what is in the cluster already, by CEL expressions (Kyverno 1.14 and later).
type ValidatingPolicy struct {
	// Name of the policy. Required.
	Name string
	// Namespace to which the policy is confined; it becomes a NamespacedValidatingPolicy (Kyverno 1.16 and later).
	// Default: none, it holds in all of the cluster.
	Namespace string
	// Labels and Annotations of the policy itself.
	Labels      map[string]string
	Annotations map[string]string

	// Match selects the requests. Rules without operations are for CREATE and UPDATE. Required.
	Match MatchResources
	// MatchConditions select further: all have to be true. They can use no variables. At most 64.
	MatchConditions []NamedExpression
	// Variables are there for what follows, as variables.<name>. Each can use those before it.
	Variables []NamedExpression
	// Validations that all have to be true. At least one, or an audit annotation.
	Validations []Validation
	// AuditAnnotations of the reports.
	AuditAnnotations []AuditAnnotation
	// Actions on a request that breaks the policy. Default: ActionDeny.
	Actions []ValidationAction
	// FailurePolicy while Kyverno cannot answer. Default: FailClosed.
	FailurePolicy FailurePolicy
	// Autogen derives rules for the controllers of pods. Default: for all that Kyverno knows.
	Autogen Autogen
	// AdmissionPolicy has Kyverno turn the policy into a ValidatingAdmissionPolicy, which the API server judges by
	// itself. Default: false.
	AdmissionPolicy bool
	// Evaluation says when the policy is evaluated. Default: on requests and in the background.
	Evaluation Evaluation
	// Webhook is how the API server calls Kyverno.
	Webhook Webhook
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// Validate reports every fault that Kyverno or the API server would find, except those in expressions.
func (p ValidatingPolicy) Validate() field.ErrorList {
	faults := p.meta().Validate()
	faults = append(faults, p.Match.validate(field.NewPath("match"))...)
	faults = append(faults, validateMatchConditions(field.NewPath("matchConditions"), p.MatchConditions)...)
	faults = append(faults, validateIdentifiers(field.NewPath("variables"), p.Variables)...)
	if len(p.Validations) == 0 && len(p.AuditAnnotations) == 0 {
		faults = append(faults, field.Required(field.NewPath("validations"), "a policy needs a validation or an audit annotation"))
	}
	faults = append(faults, validateValidations(field.NewPath("validations"), p.Validations)...)
	faults = append(faults, validateAuditAnnotations(field.NewPath("auditAnnotations"), p.AuditAnnotations)...)
	faults = append(faults, validateActions(field.NewPath("actions"), p.Actions)...)
	faults = append(faults, validateFailurePolicy(field.NewPath("failurePolicy"), p.FailurePolicy)...)
	faults = append(faults, p.Autogen.validate(field.NewPath("autogen"), p.Match)...)
	faults = append(faults, p.Evaluation.validate(field.NewPath("evaluation"))...)
	faults = append(faults, p.Webhook.validate(field.NewPath("webhook"))...)
	return append(faults, validateRaw(p.Raw)...)
}

// Build returns the policy in the API version that the Kyverno version serves. The error is Invalid, or an
// *UnsupportedError if that version lacks the kind.
func (p ValidatingPolicy) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKindIn(p.Namespace, p.Name, "ValidatingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	return celPolicy{kind: kind, meta: p.meta(), spec: p.spec, raw: p.Raw}.build(kyverno, p.Validate())
}

func (p ValidatingPolicy) spec() map[string]any {
	return object.Compact(map[string]any{
		"matchConstraints":     p.Match.build(writingOperations),
		"matchConditions":      buildNamed(p.MatchConditions),
		"variables":            buildNamed(p.Variables),
		"validations":          buildValidations(p.Validations),
		"auditAnnotations":     buildAuditAnnotations(p.AuditAnnotations),
		"validationActions":    p.Actions,
		"failurePolicy":        p.FailurePolicy,
		"autogen":              buildAutogen(p.Autogen, "validatingAdmissionPolicy", p.AdmissionPolicy),
		"evaluation":           p.Evaluation.build(),
		"webhookConfiguration": p.Webhook.build(),
	})
}

func (p ValidatingPolicy) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
}
