package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// CELCheck asks for expressions that are true.
type CELCheck struct {
	// Variables are there for what follows, as variables.<name>. Each can use those before it.
	Variables []NamedExpression
	// Validations that all have to be true. At least one, or an audit annotation.
	Validations []Validation
	// Params is an object that the expressions find in params. Default: none.
	Params *CELParams
	// AuditAnnotations of the audit event, if Kyverno turns the rule into a ValidatingAdmissionPolicy.
	AuditAnnotations []AuditAnnotation
	// AdmissionPolicy has Kyverno turn the rule into a ValidatingAdmissionPolicy, if it can (generate: true). Default: false.
	AdmissionPolicy bool
}

// CELParams is an object, or several, that expressions find in params. Name or Selector is needed.
type CELParams struct {
	// APIVersion and Kind of the objects. Required.
	APIVersion string
	Kind       string
	// Name of the object.
	Name string
	// Selector selects the objects by their labels; the expressions have to be true for each.
	Selector *metav1.LabelSelector
	// Namespace of the objects. Default: that of the request's object, none for kinds of the cluster.
	Namespace string
	// NotFound is what happens without an object. Default: ParamsDeny.
	NotFound ParamsNotFound
}

// ParamsNotFound is what happens to a request if there are no params.
type ParamsNotFound string

const (
	// ParamsAllow admits the request.
	ParamsAllow ParamsNotFound = "Allow"
	// ParamsDeny does as if an expression had failed.
	ParamsDeny ParamsNotFound = "Deny"
)

func (c CELCheck) validateCheck(path *field.Path, _ int) field.ErrorList {
	faults := validateIdentifiers(path.Child("variables"), c.Variables)
	if len(c.Validations) == 0 && len(c.AuditAnnotations) == 0 {
		faults = append(faults, field.Required(path.Child("validations"), "a check needs a validation or an audit annotation"))
	}
	faults = append(faults, validateValidations(path.Child("validations"), c.Validations)...)
	faults = append(faults, validateAuditAnnotations(path.Child("auditAnnotations"), c.AuditAnnotations)...)
	if c.Params != nil {
		faults = append(faults, c.Params.validate(path.Child("params"))...)
	}
	return faults
}

// kyverno: pkg/policy/validate/validate.go
func (p CELParams) validate(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("apiVersion"), p.APIVersion)
	faults = append(faults, object.RequiredText(path.Child("kind"), p.Kind)...)
	switch {
	case p.Name == "" && p.Selector == nil:
		faults = append(faults, field.Required(path.Child("name"), "params are an object by name, or objects by a selector"))
	case p.Name != "" && p.Selector != nil:
		faults = append(faults, field.Forbidden(path.Child("selector"), "name is set already: leave out one of the two"))
	}
	faults = append(faults, object.Text(path.Child("name"), p.Name)...)
	faults = append(faults, validateSelector(path.Child("selector"), p.Selector)...)
	faults = append(faults, object.Text(path.Child("namespace"), p.Namespace)...)
	return append(faults, validateChoice(path.Child("notFound"), p.NotFound, ParamsAllow, ParamsDeny)...)
}

func (c CELCheck) buildCheck() (string, any) {
	fields := object.Compact(map[string]any{
		"variables":        buildNamed(c.Variables),
		"expressions":      buildValidations(c.Validations),
		"auditAnnotations": buildAuditAnnotations(c.AuditAnnotations),
		"generate":         c.AdmissionPolicy,
	})
	if c.Params != nil {
		fields["paramKind"] = map[string]any{"apiVersion": c.Params.APIVersion, "kind": c.Params.Kind}
		fields["paramRef"] = c.Params.build()
	}
	return "cel", fields
}

func (p CELParams) build() map[string]any {
	ref := object.Compact(map[string]any{
		"name": p.Name, "namespace": p.Namespace, "parameterNotFoundAction": orDefault(p.NotFound, ParamsDeny),
	})
	if p.Selector != nil {
		ref["selector"] = p.Selector
	}
	return ref
}
