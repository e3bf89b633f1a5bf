package policy

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// RequireLabels guarantees that no Namespace is created or changed without the labels of the platform's convention.
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
}

// Validate reports every fault of the rule.
func (r RequireLabels) Validate() field.ErrorList {
	faults := object.Name(field.NewPath("name"), r.Name)
	labels := field.NewPath("labels")
	if len(r.Labels) == 0 {
		faults = append(faults, field.Required(labels, "without a label the rule requires nothing"))
	}
	seen := map[string]bool{}
	for i, label := range r.Labels {
		if seen[label.Key] {
			faults = append(faults, field.Duplicate(labels.Index(i).Child("key"), label.Key))
		}
		seen[label.Key] = true
		faults = append(faults, label.validate(labels.Index(i))...)
	}
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

func (l RequiredLabel) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if l.Key == "" {
		faults = append(faults, field.Required(path.Child("key"), ""))
	} else {
		for _, message := range validation.IsQualifiedName(l.Key) {
			faults = append(faults, field.Invalid(path.Child("key"), l.Key, message))
		}
	}
	for i, value := range l.Values {
		at := path.Child("values").Index(i)
		if value == "" {
			faults = append(faults, field.Invalid(at, value, "a required label is never empty"))
		}
		for _, message := range validation.IsValidLabelValue(value) {
			faults = append(faults, field.Invalid(at, value, message))
		}
	}
	return faults
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequireLabels) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKind(r.Name, "ValidatingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), r.Name, r.Validate()); err != nil {
		return nil, err
	}
	validations := make([]any, len(r.Labels))
	for i, label := range r.Labels {
		validations[i] = map[string]any{"expression": label.expression(), "message": label.message()}
	}
	action := "Deny"
	if r.Action == Audit {
		action = "Audit"
	}
	spec := celNamespaces(r.ExemptNamespaces)
	spec["validationActions"] = []any{action}
	spec["validations"] = validations
	return object.New(kind, object.Meta{Name: r.Name}, map[string]any{"spec": spec}), nil
}

// Classic returns a ClusterPolicy with one rule for each label (Kyverno 1.13 to 1.19).
func (r RequireLabels) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	if err := classicSupported(r.Name, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicKind.GroupKind(), r.Name, r.Validate()); err != nil {
		return nil, err
	}
	rules := make([]any, len(r.Labels))
	for i, label := range r.Labels {
		validate := label.classic()
		validate["failureAction"] = string(orDefault(r.Action, Enforce))
		validate["message"] = label.message()
		// By default Kyverno lets a resource that breaks the rule already be changed; a ValidatingPolicy does not.
		validate["allowExistingViolations"] = false
		rule := classicNamespaces(r.ExemptNamespaces, "CREATE", "UPDATE")
		rule["name"] = fmt.Sprintf("label-%d", i)
		rule["validate"] = validate
		rules[i] = rule
	}
	spec := map[string]any{"rules": rules}
	return object.New(classicKind, object.Meta{Name: r.Name}, map[string]any{"spec": spec}), nil
}

// RBAC returns nothing: the rule looks at the request alone.
func (r RequireLabels) RBAC() []*unstructured.Unstructured { return nil }

func (l RequiredLabel) message() string {
	if len(l.Values) == 0 {
		return fmt.Sprintf("A namespace needs the label %s.", l.Key)
	}
	return fmt.Sprintf("A namespace needs the label %s with one of the values %s.", l.Key, strings.Join(l.Values, ", "))
}

func (l RequiredLabel) expression() string {
	value := fmt.Sprintf(`object.metadata.?labels[?%s].orValue("")`, celString(l.Key))
	if len(l.Values) == 0 {
		return value + ` != ""`
	}
	return value + " in " + celList(l.Values)
}

// classic returns the check of a ClusterPolicy's validate rule. Allowed values are a deny condition rather than a
// pattern, because a pattern reads values such as "1-5" as a range.
func (l RequiredLabel) classic() map[string]any {
	if len(l.Values) == 0 {
		return map[string]any{"pattern": map[string]any{"metadata": map[string]any{"labels": map[string]any{l.Key: "?*"}}}}
	}
	return map[string]any{"deny": map[string]any{"conditions": map[string]any{"any": []any{map[string]any{
		"key":      fmt.Sprintf(`{{ request.object.metadata.labels."%s" || '' }}`, l.Key),
		"operator": "AnyNotIn",
		"value":    anyList(l.Values),
	}}}}}
}
