package policy

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RequireLabels guarantees that no Namespace is created or changed without the labels of the platform's convention. A
// Namespace that is being deleted is left alone.
type RequireLabels struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Labels that are required. At least one.
	Labels []RequiredLabel
	// ExemptNamespaces are left alone, in addition to Kubernetes' own: default, kube-node-lease, kube-public and
	// kube-system. Name the namespaces of the platform's own components that others create.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// RequiredLabel is a label that must be there and not empty.
type RequiredLabel struct {
	// Key of the label. Required.
	Key string
	// Values that are allowed. Default: any but the empty one.
	Values []string
	// Pattern that the whole value must match, in the syntax of Go's package regexp (RE2). Not with Values.
	Pattern string
}

// PlatformLabels returns the labels by which platforms usually tell whose a namespace is and what it is for: owner,
// business-unit and environment. Environments are the allowed values of the last; default: any. The caller may change
// the slice.
func PlatformLabels(environments ...string) []RequiredLabel {
	return []RequiredLabel{{Key: "owner"}, {Key: "business-unit"}, {Key: "environment", Values: environments}}
}

// Validate reports every fault of the rule.
func (r RequireLabels) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateLabels(field.NewPath("labels"), r.Labels)...)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequireLabels) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r RequireLabels) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns nothing: the rule looks at the request alone.
func (r RequireLabels) RBAC() []*unstructured.Unstructured { return nil }

// WithAction returns a copy of the rule with the action.
func (r RequireLabels) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r RequireLabels) judgement() judgement {
	checks := make([]Validation, len(r.Labels))
	for i, label := range r.Labels {
		checks[i] = label.check("A namespace", "object.metadata")
	}
	return judgement{selection: selection{kinds: []ResourceKind{namespaceKind}, exempt: exempt(r.ExemptNamespaces)}, checks: checks}
}

// check requires the label in the metadata that an expression gives; subject says whose it is.
func (l RequiredLabel) check(subject, metadata string) Validation {
	value := fmt.Sprintf(`%s.?labels[?%s].orValue("")`, metadata, celString(l.Key))
	message := fmt.Sprintf("%s needs the label %s", subject, l.Key)
	switch {
	case l.Pattern != "":
		return Validation{
			Expression: fmt.Sprintf(`%s != "" && %s.matches(%s)`, value, value, celString(anchored(l.Pattern))),
			Message:    message + " with a value that matches " + l.Pattern + ".",
		}
	case len(l.Values) > 0:
		return Validation{
			Expression: value + " in " + celList(l.Values),
			Message:    message + " with one of the values " + strings.Join(l.Values, ", ") + ".",
		}
	default:
		return Validation{Expression: value + ` != ""`, Message: message + "."}
	}
}

// anchored returns the pattern for CEL's matches, which is content with a match anywhere.
func anchored(pattern string) string { return "^(?:" + pattern + ")$" }

func validateLabels(path *field.Path, labels []RequiredLabel) field.ErrorList {
	var faults field.ErrorList
	if len(labels) == 0 {
		faults = append(faults, field.Required(path, "without a label the rule requires nothing"))
	}
	seen := map[string]bool{}
	for i, label := range labels {
		if seen[label.Key] {
			faults = append(faults, field.Duplicate(path.Index(i).Child("key"), label.Key))
		}
		seen[label.Key] = true
		faults = append(faults, label.validate(path.Index(i))...)
	}
	return faults
}

func (l RequiredLabel) validate(path *field.Path) field.ErrorList {
	faults := validateKey(path.Child("key"), l.Key)
	for i, value := range l.Values {
		at := path.Child("values").Index(i)
		if value == "" {
			faults = append(faults, field.Invalid(at, value, "a required label is never empty"))
		}
		for _, message := range validation.IsValidLabelValue(value) {
			faults = append(faults, field.Invalid(at, value, message))
		}
	}
	if l.Pattern == "" {
		return faults
	}
	at := path.Child("pattern")
	if len(l.Values) > 0 {
		faults = append(faults, field.Forbidden(at, "the values are listed already: leave one of the two out"))
	}
	if strings.Contains(l.Pattern, "{{") {
		faults = append(faults, field.Invalid(at, l.Pattern, `Kyverno takes {{ for the start of a variable: write \{\{`))
	}
	// Both, because a quotation that is left open would swallow the end of the anchored one.
	for _, pattern := range []string{l.Pattern, anchored(l.Pattern)} {
		if _, err := regexp.Compile(pattern); err != nil {
			return append(faults, field.Invalid(at, l.Pattern, err.Error()))
		}
	}
	return faults
}

// validateKey reports faults of a label's or annotation's key.
func validateKey(path *field.Path, key string) field.ErrorList {
	if key == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var faults field.ErrorList
	for _, message := range validation.IsQualifiedName(key) {
		faults = append(faults, field.Invalid(path, key, message))
	}
	return faults
}
