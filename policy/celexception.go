package policy

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// CELException is a PolicyException of the policies.kyverno.io group (Kyverno 1.14 and later): it exempts objects from
// policies of that group. Kyverno heeds exceptions only in the namespaces that its configuration names.
type CELException struct {
	// Name of the exception. Required.
	Name string
	// Namespace of the exception itself. Required.
	Namespace string
	// Labels and Annotations of the exception itself.
	Labels      map[string]string
	Annotations map[string]string

	// Policies that the exception is from. At least one.
	Policies []ExceptedPolicy
	// MatchConditions select the objects: all have to be true. Default: all objects are exempt.
	MatchConditions []NamedExpression
	// Images that the policies' expressions find in exceptions.allowedImages, in place of an exemption of the whole object
	// (Kyverno 1.16 and later).
	Images []string
	// AllowedValues that the policies' expressions find in exceptions.allowedValues (Kyverno 1.16 and later).
	AllowedValues []string
	// ReportResult is what reports say of exempt objects (Kyverno 1.16 and later). Default: ReportSkip.
	ReportResult ReportResult
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// ExceptedPolicy names a policy that an exception is from.
type ExceptedPolicy struct {
	// Kind of the policy, such as ValidatingPolicy or NamespacedValidatingPolicy. Required.
	Kind string
	// Name of the policy. Required.
	Name string
}

// ReportResult is what reports say of exempt objects.
type ReportResult string

const (
	// ReportSkip reports that the policy was skipped.
	ReportSkip ReportResult = "skip"
	// ReportPass reports that the object keeps to the policy.
	ReportPass ReportResult = "pass"
)

// Validate reports every fault that Kyverno or the API server would find, except those in expressions.
func (e CELException) Validate() field.ErrorList {
	faults := e.meta().Validate()
	if e.Namespace == "" {
		faults = append(faults, field.Required(field.NewPath("namespace"), "an exception is in one that Kyverno's configuration names"))
	}
	policies := field.NewPath("policies")
	if len(e.Policies) == 0 {
		faults = append(faults, field.Required(policies, "an exception is from at least one policy"))
	}
	for i, ref := range e.Policies {
		faults = append(faults, ref.validate(policies.Index(i))...)
		if slices.Contains(e.Policies[:i], ref) {
			faults = append(faults, field.Duplicate(policies.Index(i), ref.Kind+" "+ref.Name))
		}
	}
	faults = append(faults, validateConditions(field.NewPath("matchConditions"), e.MatchConditions)...)
	for i, image := range e.Images {
		faults = append(faults, object.RequiredText(field.NewPath("images").Index(i), image)...)
	}
	for i, value := range e.AllowedValues {
		faults = append(faults, object.Text(field.NewPath("allowedValues").Index(i), value)...)
	}
	faults = append(faults, validateChoice(field.NewPath("reportResult"), e.ReportResult, ReportSkip, ReportPass)...)
	return append(faults, validateRaw(e.Raw)...)
}

func (r ExceptedPolicy) validate(path *field.Path) field.ErrorList {
	faults := object.Name(path.Child("name"), r.Name)
	if _, known := firstCEL[r.Kind]; known && r.Kind != exceptionKind {
		return faults
	}
	if r.Kind == "" {
		return append(faults, field.Required(path.Child("kind"), ""))
	}
	return append(faults, field.NotSupported(path.Child("kind"), r.Kind, policyKinds()))
}

// policyKinds are the kinds of policies, which exceptions are from.
func policyKinds() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(firstCEL)), func(kind string) bool { return kind == exceptionKind })
}

// Build returns the exception in the API version that the Kyverno version serves. The error is Invalid, or an
// *UnsupportedError if that version lacks the kind, a field or the kind of a policy.
func (e CELException) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKind(e.Name, exceptionKind, kyverno)
	if err != nil {
		return nil, err
	}
	return celPolicy{kind: kind, meta: e.meta(), newer: e.newer(), spec: e.spec, raw: e.Raw}.build(kyverno, e.Validate())
}

func (e CELException) spec() map[string]any {
	refs := make([]any, len(e.Policies))
	for i, ref := range e.Policies {
		refs[i] = map[string]any{"kind": ref.Kind, "name": ref.Name}
	}
	return object.Compact(map[string]any{
		"policyRefs":      refs,
		"matchConditions": buildNamed(e.MatchConditions),
		"images":          e.Images,
		"allowedValues":   e.AllowedValues,
		"reportResult":    e.ReportResult,
	})
}

// newer are the fields that 1.15.2 has not and 1.17.1 has. They belong to one proposal for 1.16 (kyverno/kyverno: issue
// 13654, pull request 13817).
func (e CELException) newer() []newerField {
	fields := []newerField{
		{"images", len(e.Images) > 0, firstBeta},
		{"allowedValues", len(e.AllowedValues) > 0, firstBeta},
		{"reportResult", e.ReportResult != "", firstBeta},
	}
	for i, ref := range e.Policies {
		fields = append(fields, newerField{fmt.Sprintf("policies[%d].kind", i), true, firstCEL[ref.Kind]})
	}
	return fields
}

func (e CELException) meta() object.Meta {
	return object.Meta{Name: e.Name, Namespace: e.Namespace, Labels: e.Labels, Annotations: e.Annotations}
}
