package drift

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// IgnoreRules are the differences that an Application leaves alone. They implement gitops.IgnoreDifferences.
type IgnoreRules []IgnoreRule

// IgnoreRule names fields of some resources that are no drift whatever their live value.
type IgnoreRule struct {
	// Group and Kind of the resources. The group has no version; the core group is empty. "*" is any. Kind is required.
	Group string
	Kind  string
	// Name and Namespace of one resource. Default: every resource of the kind.
	Name      string
	Namespace string

	// JSONPointers of the fields (RFC 6901), such as "/spec/replicas".
	JSONPointers []string
	// JQPathExpressions of the fields, such as ".spec.template.spec.initContainers[] | select(.name == \"proxy\")".
	JQPathExpressions []string
	// ManagedFieldsManagers are field managers whose fields are left to them, such as "kube-controller-manager".
	ManagedFieldsManagers []string
}

// Validate reports every fault of the rules.
func (r IgnoreRules) Validate() field.ErrorList {
	var faults field.ErrorList
	for i, rule := range r {
		for _, fault := range rule.Validate() {
			fault.Field = fmt.Sprintf("[%d].%s", i, fault.Field)
			faults = append(faults, fault)
		}
	}
	return faults
}

// Build returns the entries of an Application's spec.ignoreDifferences, or an Invalid error that lists every fault.
func (r IgnoreRules) Build() ([]map[string]any, error) {
	if err := object.Invalid(applicationKind.GroupKind(), "ignoreDifferences", r.Validate()); err != nil {
		return nil, err
	}
	entries := make([]map[string]any, len(r))
	for i, rule := range r {
		entry, err := object.Encode(object.Compact(map[string]any{
			"group":                 rule.Group,
			"kind":                  rule.Kind,
			"name":                  rule.Name,
			"namespace":             rule.Namespace,
			"jsonPointers":          rule.JSONPointers,
			"jqPathExpressions":     rule.JQPathExpressions,
			"managedFieldsManagers": rule.ManagedFieldsManagers,
		}))
		if err != nil {
			return nil, err
		}
		entries[i] = entry
	}
	return entries, nil
}

// Validate reports every fault of the rule. The syntax of jq expressions is Argo CD's to judge.
func (r IgnoreRule) Validate() field.ErrorList {
	var faults field.ErrorList
	if r.Kind == "" {
		faults = append(faults, field.Required(field.NewPath("kind"), `"*" is any kind`))
	}
	// argo-cd matches the group alone; "apps/v1" would match nothing and say nothing.
	if strings.Contains(r.Group, "/") {
		faults = append(faults, field.Invalid(field.NewPath("group"), r.Group, "is a group without a version"))
	}
	faults = append(faults, object.Text(field.NewPath("group"), r.Group)...)
	faults = append(faults, object.Text(field.NewPath("kind"), r.Kind)...)
	faults = append(faults, object.Text(field.NewPath("name"), r.Name)...)
	faults = append(faults, object.Text(field.NewPath("namespace"), r.Namespace)...)
	if len(r.JSONPointers)+len(r.JQPathExpressions)+len(r.ManagedFieldsManagers) == 0 {
		faults = append(faults, field.Required(field.NewPath("jsonPointers"), "a rule names fields by JSON pointer, jq expression or field manager"))
	}
	for i, pointer := range r.JSONPointers {
		faults = append(faults, validatePointer(field.NewPath("jsonPointers").Index(i), pointer)...)
	}
	faults = append(faults, validateTexts(field.NewPath("jqPathExpressions"), r.JQPathExpressions)...)
	return append(faults, validateTexts(field.NewPath("managedFieldsManagers"), r.ManagedFieldsManagers)...)
}

// validatePointer checks a JSON pointer as RFC 6901 defines it. The empty pointer is the whole resource, which Argo CD
// cannot ignore.
func validatePointer(path *field.Path, pointer string) field.ErrorList {
	if !strings.HasPrefix(pointer, "/") {
		return field.ErrorList{field.Invalid(path, pointer, `must start with "/"`)}
	}
	rest := pointer
	for {
		_, after, found := strings.Cut(rest, "~")
		if !found {
			return object.Text(path, pointer)
		}
		if !strings.HasPrefix(after, "0") && !strings.HasPrefix(after, "1") {
			return field.ErrorList{field.Invalid(path, pointer, `"~" stands for itself as "~0" and for "/" as "~1"`)}
		}
		rest = after
	}
}

func validateTexts(path *field.Path, values []string) field.ErrorList {
	var faults field.ErrorList
	for i, value := range values {
		if strings.TrimSpace(value) == "" {
			faults = append(faults, field.Required(path.Index(i), ""))
		}
		faults = append(faults, object.Text(path.Index(i), value)...)
	}
	return faults
}
