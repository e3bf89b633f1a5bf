package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// MutatingPolicy changes the objects of requests, or objects that are in the cluster already, by CEL expressions (Kyverno
// 1.15 and later).
type MutatingPolicy struct {
	// Name of the policy. Required.
	Name string
	// Namespace to which the policy is confined; it becomes a NamespacedMutatingPolicy (Kyverno 1.17 and later).
	// Default: none, it holds in all of the cluster.
	Namespace string
	// Labels and Annotations of the policy itself.
	Labels      map[string]string
	Annotations map[string]string

	// Match selects the requests. Rules without operations are for CREATE and UPDATE. Required.
	Match MatchResources
	// MatchConditions select further: all have to be true. At most 64.
	MatchConditions []NamedExpression
	// Variables are there for what follows, as variables.<name>. Each can use those before it.
	Variables []NamedExpression
	// Targets are the objects that are changed with Evaluation.MutateExisting. Default: those that Match selects.
	Targets *MatchResources
	// TargetExpression is in CEL and yields the objects to change (Kyverno 1.17 and later). Targets have to be nil.
	TargetExpression string
	// Mutations in their order. At least one.
	Mutations []Mutation
	// Reinvocation says whether the mutations are repeated. Default: ReinvokeNever.
	Reinvocation Reinvocation
	// FailurePolicy while Kyverno cannot answer. Default: FailClosed.
	FailurePolicy FailurePolicy
	// Autogen derives rules for the controllers of pods. Default: for all that Kyverno knows.
	Autogen Autogen
	// AdmissionPolicy has Kyverno turn the policy into a MutatingAdmissionPolicy, which the API server applies by itself.
	// Default: false.
	AdmissionPolicy bool
	// Evaluation says when the policy is evaluated. Default: on requests.
	Evaluation MutatingEvaluation
	// Webhook is how the API server calls Kyverno.
	Webhook Webhook
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// MutatingEvaluation says when a MutatingPolicy is evaluated, and on what.
type MutatingEvaluation struct {
	// Mode is what the policy is for (Kyverno 1.16 and later). Default: ModeKubernetes.
	Mode EvaluationMode
	// SkipAdmission leaves out the objects of requests. Default: false, they are changed.
	SkipAdmission bool
	// SkipBackground leaves out the background scan (Kyverno 1.16 and later). Default: false.
	SkipBackground bool
	// MutateExisting changes objects that are in the cluster already, with the permissions of Kyverno's background
	// controller. Default: false.
	MutateExisting bool
}

// Reinvocation says whether mutations are repeated when others have changed the object after them.
type Reinvocation string

const (
	// ReinvokeNever mutates once.
	ReinvokeNever Reinvocation = "Never"
	// ReinvokeIfNeeded mutates again what others have changed.
	ReinvokeIfNeeded Reinvocation = "IfNeeded"
)

// Mutation is an ApplyConfiguration or a JSONPatch.
type Mutation interface {
	validateMutation(path *field.Path) field.ErrorList
	buildMutation() map[string]any
}

// ApplyConfiguration changes an object as server-side apply does.
type ApplyConfiguration struct {
	// Expression in CEL that yields the fields to apply: Object{...}. Required.
	Expression string
}

// JSONPatch changes an object by operations (RFC 6902).
type JSONPatch struct {
	// Expression in CEL that yields the operations: [JSONPatch{...}]. Required.
	Expression string
}

func (m ApplyConfiguration) validateMutation(path *field.Path) field.ErrorList {
	return object.RequiredText(path.Child("expression"), m.Expression)
}

func (m ApplyConfiguration) buildMutation() map[string]any {
	return map[string]any{"patchType": "ApplyConfiguration", "applyConfiguration": map[string]any{"expression": m.Expression}}
}

func (m JSONPatch) validateMutation(path *field.Path) field.ErrorList {
	return object.RequiredText(path.Child("expression"), m.Expression)
}

func (m JSONPatch) buildMutation() map[string]any {
	return map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{"expression": m.Expression}}
}

// Validate reports every fault that Kyverno or the API server would find, except those in expressions.
func (p MutatingPolicy) Validate() field.ErrorList {
	faults := p.meta().Validate()
	faults = append(faults, p.Match.validate(field.NewPath("match"))...)
	faults = append(faults, validateMatchConditions(field.NewPath("matchConditions"), p.MatchConditions)...)
	faults = append(faults, validateIdentifiers(field.NewPath("variables"), p.Variables)...)
	faults = append(faults, p.validateTargets()...)
	mutations := field.NewPath("mutations")
	if len(p.Mutations) == 0 {
		faults = append(faults, field.Required(mutations, "a policy without a mutation changes nothing"))
	}
	for i, mutation := range p.Mutations {
		if object.IsNil(mutation) {
			faults = append(faults, field.Required(mutations.Index(i), "a mutation is missing"))
			continue
		}
		faults = append(faults, mutation.validateMutation(mutations.Index(i))...)
	}
	faults = append(faults, validateChoice(field.NewPath("reinvocation"), p.Reinvocation, ReinvokeNever, ReinvokeIfNeeded)...)
	faults = append(faults, validateFailurePolicy(field.NewPath("failurePolicy"), p.FailurePolicy)...)
	faults = append(faults, p.Autogen.validate(field.NewPath("autogen"), p.Match)...)
	faults = append(faults, validateChoice(field.NewPath("evaluation", "mode"), p.Evaluation.Mode, ModeKubernetes, ModeJSON)...)
	faults = append(faults, p.Webhook.validate(field.NewPath("webhook"))...)
	return append(faults, validateRaw(p.Raw)...)
}

// validateTargets checks what Kyverno looks at only if existing objects are mutated.
// kyverno: pkg/background/mpol/processor.go
func (p MutatingPolicy) validateTargets() field.ErrorList {
	var faults field.ErrorList
	targets, expression := field.NewPath("targets"), field.NewPath("targetExpression")
	if p.Targets != nil {
		faults = append(faults, p.Targets.validate(targets)...)
		if !p.Evaluation.MutateExisting {
			faults = append(faults, field.Forbidden(targets, "they are changed only with evaluation.mutateExisting"))
		}
	}
	if p.TargetExpression != "" {
		faults = append(faults, object.Text(expression, p.TargetExpression)...)
		switch {
		case p.Targets != nil:
			faults = append(faults, field.Forbidden(expression, "targets are set already: leave out one of the two"))
		case !p.Evaluation.MutateExisting:
			faults = append(faults, field.Forbidden(expression, "it is evaluated only with evaluation.mutateExisting"))
		}
	}
	return faults
}

// Build returns the policy in the API version that the Kyverno version serves. The error is Invalid, or an
// *UnsupportedError if that version lacks the kind or a field.
func (p MutatingPolicy) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKindIn(p.Namespace, p.Name, "MutatingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	return celPolicy{kind: kind, meta: p.meta(), newer: p.newer(), spec: p.spec, raw: p.Raw}.build(kyverno, p.Validate())
}

func (p MutatingPolicy) spec() map[string]any {
	mutations := make([]any, len(p.Mutations))
	for i, mutation := range p.Mutations {
		mutations[i] = mutation.buildMutation()
	}
	return object.Compact(map[string]any{
		"matchConstraints":       p.Match.build(writingOperations),
		"matchConditions":        buildNamed(p.MatchConditions),
		"variables":              buildNamed(p.Variables),
		"targetMatchConstraints": p.buildTargets(),
		"mutations":              mutations,
		"reinvocationPolicy":     p.Reinvocation,
		"failurePolicy":          p.FailurePolicy,
		"autogen":                buildAutogen(p.Autogen, "mutatingAdmissionPolicy", p.AdmissionPolicy),
		"evaluation": object.Compact(map[string]any{
			"mode":           p.Evaluation.Mode,
			"admission":      switchedOff(p.Evaluation.SkipAdmission),
			"background":     switchedOff(p.Evaluation.SkipBackground),
			"mutateExisting": switchedOn(p.Evaluation.MutateExisting),
		}),
		"webhookConfiguration": p.Webhook.build(),
	})
}

func (p MutatingPolicy) buildTargets() map[string]any {
	if p.Targets != nil {
		return p.Targets.build(anyOperation)
	}
	return object.Compact(map[string]any{"expression": p.TargetExpression})
}

// newer are the fields that 1.15.2 has not and 1.17.1 has. The expression was asked for after 1.16 (kyverno/kyverno: issue
// 14437), policies with evaluation.background have run on 1.16 (issue 17411); that the mode came with it is inferred.
func (p MutatingPolicy) newer() []newerField {
	return []newerField{
		{"evaluation.mode", p.Evaluation.Mode != "", firstBeta},
		{"evaluation.skipBackground", p.Evaluation.SkipBackground, firstBeta},
		{"targetExpression", p.TargetExpression != "", firstStable},
	}
}

func (p MutatingPolicy) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
}
