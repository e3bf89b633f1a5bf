package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// GeneratingPolicy makes objects when others appear, by CEL expressions (Kyverno 1.15 and later). Kyverno's background
// controller makes them, with its own permissions: see [RequiredRBAC].
type GeneratingPolicy struct {
	// Name of the policy. Required.
	Name string
	// Namespace to which the policy is confined; it becomes a NamespacedGeneratingPolicy (Kyverno 1.17 and later).
	// Default: none, it holds in all of the cluster.
	Namespace string
	// Labels and Annotations of the policy itself.
	Labels      map[string]string
	Annotations map[string]string

	// Match selects the requests that trigger. Rules without operations are for CREATE and UPDATE. Required.
	Match MatchResources
	// MatchConditions select further: all have to be true. They can use no variables. At most 64.
	MatchConditions []NamedExpression
	// Variables are there for what follows, as variables.<name>. Each can use those before it.
	Variables []NamedExpression
	// Generate are expressions that make objects: generator.Apply("namespace", [...]). At least one.
	Generate []string
	// Evaluation says when the policy is evaluated, and what becomes of what it made. Default: on requests, once.
	Evaluation GeneratingEvaluation
	// Webhook is how the API server calls Kyverno.
	Webhook Webhook
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// GeneratingEvaluation says when a GeneratingPolicy is evaluated, and what becomes of what it has made.
type GeneratingEvaluation struct {
	// SkipAdmission leaves out requests. Default: false, they trigger.
	SkipAdmission bool
	// GenerateExisting triggers for objects that were there before the policy. Default: false.
	GenerateExisting bool
	// Synchronize keeps what was made as the policy says, and removes it with its trigger. Kyverno 1.15 loses it
	// (Check says so). Default: false.
	Synchronize bool
	// OrphanOnPolicyDelete keeps what was made when the policy is deleted. It matters only with Synchronize.
	// Default: false.
	OrphanOnPolicyDelete bool
}

// Validate reports every fault that Kyverno or the API server would find, except those in expressions.
func (p GeneratingPolicy) Validate() field.ErrorList {
	faults := p.meta().Validate()
	faults = append(faults, p.Match.validate(field.NewPath("match"))...)
	faults = append(faults, validateMatchConditions(field.NewPath("matchConditions"), p.MatchConditions)...)
	faults = append(faults, validateIdentifiers(field.NewPath("variables"), p.Variables)...)
	generate := field.NewPath("generate")
	if len(p.Generate) == 0 {
		faults = append(faults, field.Required(generate, "a policy without an expression makes nothing"))
	}
	for i, expression := range p.Generate {
		faults = append(faults, object.RequiredText(generate.Index(i), expression)...)
	}
	faults = append(faults, p.Webhook.validate(field.NewPath("webhook"))...)
	return append(faults, validateRaw(p.Raw)...)
}

// Build returns the policy in the API version that the Kyverno version serves. The error is Invalid, or an
// *UnsupportedError if that version lacks the kind.
func (p GeneratingPolicy) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKindIn(p.Namespace, p.Name, "GeneratingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	return celPolicy{kind: kind, meta: p.meta(), spec: p.spec, raw: p.Raw}.build(kyverno, p.Validate())
}

func (p GeneratingPolicy) spec() map[string]any {
	generate := make([]any, len(p.Generate))
	for i, expression := range p.Generate {
		generate[i] = map[string]any{"expression": expression}
	}
	return object.Compact(map[string]any{
		"matchConstraints": p.Match.build(writingOperations),
		"matchConditions":  buildNamed(p.MatchConditions),
		"variables":        buildNamed(p.Variables),
		"generate":         generate,
		"evaluation": object.Compact(map[string]any{
			"admission":                      switchedOff(p.Evaluation.SkipAdmission),
			"generateExisting":               switchedOn(p.Evaluation.GenerateExisting),
			"synchronize":                    switchedOn(p.Evaluation.Synchronize),
			"orphanDownstreamOnPolicyDelete": switchedOn(p.Evaluation.OrphanOnPolicyDelete),
		}),
		"webhookConfiguration": p.Webhook.build(),
	})
}

func (p GeneratingPolicy) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
}
