package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ClusterPolicy is a policy of the older generation, whose rules judge, change, generate and verify (kyverno.io/v1,
// Kyverno 1.13 to 1.19). Deprecated fields of its spec are set through Raw.
type ClusterPolicy struct {
	// Name of the policy, of at most 63 characters. Required.
	Name string
	// Namespace to which the policy is confined; it becomes a Policy. Default: none, it holds in all of the cluster.
	Namespace string
	// Labels and Annotations of the policy itself.
	Labels      map[string]string
	Annotations map[string]string

	// Rules in the order in which they are applied. At least one.
	Rules []ClassicRule
	// Apply says how many of the rules are applied. Default: ApplyAll.
	Apply ApplyRules
	// SkipAdmission leaves out requests, which only rules that validate can do without. Default: false.
	SkipAdmission bool
	// SkipBackground leaves out the reports on what is in the cluster already. It is needed by rules that ask for the
	// request's user, match every kind, or validate a subresource. Default: false.
	SkipBackground bool
	// EmitWarning warns clients of what rules with the action Audit find, and of mutations. Default: false.
	EmitWarning bool
	// ServerSideApply has generated objects applied instead of created and updated. Default: false.
	ServerSideApply bool
	// FailurePolicy while Kyverno cannot answer. Default: FailClosed.
	FailurePolicy FailurePolicy
	// Webhook is how the API server calls Kyverno.
	Webhook Webhook
	// MatchConditions in CEL of the webhook: all have to be true. At most 64.
	MatchConditions []NamedExpression
	// Autogen derives rules for the controllers of pods. Default: for all that Kyverno knows.
	Autogen ClassicAutogen
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// ApplyRules says how many rules of a policy are applied to a request.
type ApplyRules string

const (
	// ApplyAll applies every rule that matches.
	ApplyAll ApplyRules = "All"
	// ApplyOne applies the first rule that matches.
	ApplyOne ApplyRules = "One"
)

// longestPolicyName is what Kyverno can keep in a label of its reports.
// kyverno: api/kyverno/v1/utils.go, ValidatePolicyName
const longestPolicyName = 63

// Validate reports every fault that Kyverno or the API server would find, except those in variables and expressions.
func (p ClusterPolicy) Validate() field.ErrorList {
	faults := append(p.meta().Validate(), validatePolicyName(p.Name)...)
	rules := field.NewPath("rules")
	if len(p.Rules) == 0 {
		faults = append(faults, field.Required(rules, "a policy without a rule does nothing"))
	}
	for i, rule := range p.Rules {
		at := rules.Index(i)
		if slices.ContainsFunc(p.Rules[:i], func(other ClassicRule) bool { return rule.Name != "" && other.Name == rule.Name }) {
			faults = append(faults, field.Duplicate(at.Child("name"), rule.Name))
		}
		faults = append(faults, rule.validate(at, p.scope())...)
	}
	faults = append(faults, validateChoice(field.NewPath("apply"), p.Apply, ApplyAll, ApplyOne)...)
	faults = append(faults, p.validateModes()...)
	faults = append(faults, validateFailurePolicy(field.NewPath("failurePolicy"), p.FailurePolicy)...)
	faults = append(faults, p.Webhook.validate(field.NewPath("webhook"))...)
	faults = append(faults, validateMatchConditions(field.NewPath("matchConditions"), p.MatchConditions)...)
	faults = append(faults, p.Autogen.validate(field.NewPath("autogen"), p.Annotations)...)
	return append(faults, validateRaw(p.Raw)...)
}

// classicScope is what rules have to know of their policy.
type classicScope struct {
	// namespace of a Policy. Empty for a ClusterPolicy.
	namespace string
	// background is whether the rules are evaluated on what is in the cluster already.
	background bool
}

func (p ClusterPolicy) scope() classicScope {
	return classicScope{namespace: p.Namespace, background: !p.SkipBackground}
}

// kyverno: pkg/validation/policy/validate.go, Validate
func (p ClusterPolicy) validateModes() field.ErrorList {
	if !p.SkipAdmission {
		return nil
	}
	at := field.NewPath("skipAdmission")
	if p.SkipBackground {
		return field.ErrorList{field.Forbidden(at, "skipBackground is set: nothing is left to do")}
	}
	for i, rule := range p.Rules {
		if rule.Mutate != nil || rule.Generate != nil || len(rule.VerifyImages) > 0 {
			return field.ErrorList{field.Forbidden(at, fmt.Sprintf("rules[%d] is not one that validates: it needs requests", i))}
		}
	}
	return nil
}

func validatePolicyName(name string) field.ErrorList {
	if len(name) > longestPolicyName {
		return field.ErrorList{field.TooLong(field.NewPath("name"), name, longestPolicyName)}
	}
	return nil
}

// Build returns the policy. The error is Invalid, or an *UnsupportedError if the Kyverno version lacks the kind or a field.
func (p ClusterPolicy) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind := classicKind
	if p.Namespace != "" {
		kind.Kind = "Policy"
	}
	if err := classicKindSupported(kind.Kind, p.Name, kyverno); err != nil {
		return nil, err
	}
	if err := p.supported(kind, kyverno, p.Validate()); err != nil {
		return nil, err
	}
	spec, err := p.spec()
	if err != nil {
		return nil, err
	}
	return buildClassic(kind, p.meta(), spec, p.Raw)
}

// supported reports a fault, or a field that the Kyverno version lacks.
func (p ClusterPolicy) supported(kind schema.GroupVersionKind, kyverno Version, faults field.ErrorList) error {
	if err := object.Invalid(kind.GroupKind(), p.Name, faults); err != nil {
		return err
	}
	for i, rule := range p.Rules {
		first, needed := rule.firstVersion()
		if needed && !kyverno.atLeast(first) {
			return &UnsupportedError{
				Rule: p.Name, Kind: kind.Kind, Field: fmt.Sprintf("rules[%d].validate.check.version", i), Kyverno: kyverno,
				Reason: fmt.Sprintf("it came with %s", first),
			}
		}
	}
	return nil
}

func (p ClusterPolicy) spec() (map[string]any, error) {
	rules := make([]any, len(p.Rules))
	for i, rule := range p.Rules {
		built, err := rule.build()
		if err != nil {
			return nil, fmt.Errorf("build rule %s of %s: %w", rule.Name, p.Name, err)
		}
		rules[i] = built
	}
	webhook := p.Webhook.build()
	webhook["failurePolicy"] = p.FailurePolicy
	webhook["matchConditions"] = buildNamed(p.MatchConditions)
	spec := object.Compact(map[string]any{
		"rules":                rules,
		"applyRules":           p.Apply,
		"emitWarning":          p.EmitWarning,
		"useServerSideApply":   p.ServerSideApply,
		"webhookConfiguration": object.Compact(webhook),
	})
	setFalse(spec, "admission", p.SkipAdmission)
	setFalse(spec, "background", p.SkipBackground)
	return spec, nil
}

func (p ClusterPolicy) meta() object.Meta {
	meta := object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
	if value := p.Autogen.build(); value != "" {
		meta.Annotations = maps.Clone(p.Annotations)
		if meta.Annotations == nil {
			meta.Annotations = map[string]string{}
		}
		meta.Annotations[autogenAnnotation] = value
	}
	return meta
}

// ClassicAutogen says for which controllers of pods Kyverno derives rules from those of a ClusterPolicy. It derives none
// if a rule generates, has JSON patches, or matches or excludes by names, labels or annotations, or Pods among other kinds.
// kyverno: pkg/autogen/v1/autogen.go, CanAutoGen
type ClassicAutogen struct {
	// Controllers are kinds: CronJob, DaemonSet, Deployment, Job, ReplicaSet, ReplicationController and StatefulSet.
	// Default: all.
	Controllers []string
	// None leaves Pods alone with the policy. Controllers have to be empty.
	None bool
}

const autogenAnnotation = "pod-policies.kyverno.io/autogen-controllers"

var podControllers = []string{
	"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet",
}

func (a ClassicAutogen) validate(path *field.Path, annotations map[string]string) field.ErrorList {
	var faults field.ErrorList
	if _, set := annotations[autogenAnnotation]; set && a.build() != "" {
		faults = append(faults, field.Forbidden(field.NewPath("annotations").Key(autogenAnnotation), "autogen sets it: leave out one of the two"))
	}
	if annotations[autogenAnnotation] == "all" {
		at := field.NewPath("annotations").Key(autogenAnnotation)
		faults = append(faults, field.Forbidden(at, "Kyverno does not know all any more: leave the annotation out"))
	}
	controllers := path.Child("controllers")
	if a.None && len(a.Controllers) > 0 {
		return append(faults, field.Forbidden(controllers, "none is set: leave out one of the two"))
	}
	for i, kind := range a.Controllers {
		switch {
		case slices.Contains(a.Controllers[:i], kind):
			faults = append(faults, field.Duplicate(controllers.Index(i), kind))
		case !slices.Contains(podControllers, kind):
			faults = append(faults, field.NotSupported(controllers.Index(i), kind, podControllers))
		}
	}
	return faults
}

func (a ClassicAutogen) build() string {
	if a.None {
		return "none"
	}
	return strings.Join(a.Controllers, ",")
}
