package policy

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ClassicException is a PolicyException of the older generation (kyverno.io/v2, Kyverno 1.13 to 1.19): it exempts what it
// matches from rules of ClusterPolicies and Policies. Kyverno heeds exceptions only in the namespaces that its
// configuration names.
type ClassicException struct {
	// Name of the exception. Required.
	Name string
	// Namespace of the exception itself. Required.
	Namespace string
	// Labels and Annotations of the exception itself.
	Labels      map[string]string
	Annotations map[string]string

	// Match selects what is exempt. Required.
	Match ResourceFilters
	// Conditions select further. Default: none.
	Conditions Conditions
	// Exceptions are the rules. At least one.
	Exceptions []ExceptedRules
	// PodSecurity exempts from controls alone, for rules with a PodSecurityCheck. Default: from the rules.
	PodSecurity []PodSecurityExclusion
	// SkipBackground leaves the exception out of reports on what is in the cluster already. It is needed to match by
	// subjects, roles and clusterRoles. Default: false.
	SkipBackground bool
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// ExceptedRules are rules of a policy.
type ExceptedRules struct {
	// Policy is the name of a ClusterPolicy, or namespace/name of a Policy. Required.
	Policy string
	// Rules by name, in which "*" stands for any characters and "?" for one. Those that are derived for controllers of pods
	// have the prefixes autogen- and autogen-cronjob-. At least one.
	Rules []string
}

var classicExceptionKind = schema.GroupVersionKind{Group: classicKind.Group, Version: "v2", Kind: exceptionKind}

// Validate reports every fault that Kyverno or the API server would find, except those in variables.
// kyverno: api/kyverno/v2/policy_exception_types.go
func (e ClassicException) Validate() field.ErrorList {
	faults := e.meta().Validate()
	if e.Namespace == "" {
		faults = append(faults, field.Required(field.NewPath("namespace"), "an exception is in one that Kyverno's configuration names"))
	}
	match := field.NewPath("match")
	if e.Match.isEmpty() {
		faults = append(faults, field.Required(match, "an exception without a filter exempts nothing"))
	}
	faults = append(faults, e.Match.validate(match, classicScope{background: !e.SkipBackground})...)
	faults = append(faults, e.Conditions.validate(field.NewPath("conditions"))...)
	exceptions := field.NewPath("exceptions")
	if len(e.Exceptions) == 0 {
		faults = append(faults, field.Required(exceptions, "an exception is from at least one policy"))
	}
	for i, excepted := range e.Exceptions {
		at := exceptions.Index(i)
		if slices.ContainsFunc(e.Exceptions[:i], func(other ExceptedRules) bool { return other.Policy == excepted.Policy }) {
			faults = append(faults, field.Duplicate(at.Child("policy"), excepted.Policy))
		}
		faults = append(faults, object.RequiredText(at.Child("policy"), excepted.Policy)...)
		if len(excepted.Rules) == 0 {
			faults = append(faults, field.Required(at.Child("rules"), `it takes "*" for all rules`))
		}
		faults = append(faults, validateTexts(at.Child("rules"), excepted.Rules)...)
	}
	faults = append(faults, validateExclusions(field.NewPath("podSecurity"), e.PodSecurity)...)
	return append(faults, validateRaw(e.Raw)...)
}

// Build returns the exception. The error is Invalid, or an *UnsupportedError if the Kyverno version lacks the kind.
func (e ClassicException) Build(kyverno Version) (*unstructured.Unstructured, error) {
	if err := classicKindSupported(exceptionKind, e.Name, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicExceptionKind.GroupKind(), e.Name, e.Validate()); err != nil {
		return nil, err
	}
	return buildClassic(classicExceptionKind, e.meta(), e.spec(), e.Raw)
}

func (e ClassicException) spec() map[string]any {
	exceptions := make([]any, len(e.Exceptions))
	for i, excepted := range e.Exceptions {
		exceptions[i] = map[string]any{"policyName": excepted.Policy, "ruleNames": excepted.Rules}
	}
	spec := object.Compact(map[string]any{
		"match":       e.Match.build(),
		"conditions":  e.Conditions.build(),
		"exceptions":  exceptions,
		"podSecurity": buildExclusions(e.PodSecurity),
	})
	setFalse(spec, "background", e.SkipBackground)
	return spec
}

func (e ClassicException) meta() object.Meta {
	return object.Meta{Name: e.Name, Namespace: e.Namespace, Labels: e.Labels, Annotations: e.Annotations}
}
