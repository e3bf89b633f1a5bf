package policy

import (
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Validation is an expression that has to be true.
type Validation struct {
	// Expression in CEL. Required.
	Expression string
	// Message if it is not true. Default: none.
	Message string
	// MessageExpression is in CEL and yields the message. It wins over Message.
	MessageExpression string
	// Reason that clients see if Kyverno turns the policy into a ValidatingAdmissionPolicy. Default: Invalid.
	Reason Reason
}

// Reason is why the API server denies a request.
type Reason string

// The reasons that a ValidatingAdmissionPolicy may give.
const (
	ReasonInvalid               Reason = "Invalid"
	ReasonUnauthorized          Reason = "Unauthorized"
	ReasonForbidden             Reason = "Forbidden"
	ReasonRequestEntityTooLarge Reason = "RequestEntityTooLarge"
)

// AuditAnnotation is added to the report on a request that breaks the policy. If Kyverno turns the policy into a
// ValidatingAdmissionPolicy, it is added to the audit event of every request.
// kyverno: pkg/cel/policies/vpol/compiler/policy.go
type AuditAnnotation struct {
	// Key of the annotation, of its own within the policy. Required.
	Key string
	// ValueExpression is in CEL and yields the value, or null for no annotation. Required.
	ValueExpression string
}

// ValidationAction is what happens to a request that breaks a policy.
type ValidationAction string

const (
	// ActionDeny denies the request.
	ActionDeny ValidationAction = "Deny"
	// ActionAudit admits the request and reports it.
	ActionAudit ValidationAction = "Audit"
	// ActionWarn admits the request and warns the client.
	ActionWarn ValidationAction = "Warn"
)

// FailurePolicy is what happens to requests while Kyverno cannot answer, or an expression fails.
type FailurePolicy string

const (
	// FailClosed denies the requests ("Fail" in the policy).
	FailClosed FailurePolicy = "Fail"
	// FailOpen admits the requests unchecked ("Ignore" in the policy).
	FailOpen FailurePolicy = "Ignore"
)

func validateValidations(path *field.Path, validations []Validation) field.ErrorList {
	var faults field.ErrorList
	for i, item := range validations {
		at := path.Index(i)
		faults = append(faults, object.RequiredText(at.Child("expression"), item.Expression)...)
		faults = append(faults, object.Text(at.Child("message"), item.Message)...)
		faults = append(faults, object.Text(at.Child("messageExpression"), item.MessageExpression)...)
		faults = append(faults, validateChoice(at.Child("reason"), item.Reason,
			ReasonInvalid, ReasonUnauthorized, ReasonForbidden, ReasonRequestEntityTooLarge)...)
	}
	return faults
}

func validateAuditAnnotations(path *field.Path, annotations []AuditAnnotation) field.ErrorList {
	var faults field.ErrorList
	for i, item := range annotations {
		at := path.Index(i)
		faults = append(faults, validateOwnName(at.Child("key"), item.Key, func(a AuditAnnotation) string { return a.Key },
			annotations[:i], func(at *field.Path, key string) field.ErrorList {
				return invalidAt(at, key, validation.IsQualifiedName(key))
			})...)
		faults = append(faults, object.RequiredText(at.Child("valueExpression"), item.ValueExpression)...)
	}
	return faults
}

func validateActions(path *field.Path, actions []ValidationAction) field.ErrorList {
	var faults field.ErrorList
	seen := map[ValidationAction]bool{}
	for i, action := range actions {
		switch {
		case action == "":
			faults = append(faults, field.Required(path.Index(i), ""))
		case seen[action]:
			faults = append(faults, field.Duplicate(path.Index(i), action))
		default:
			faults = append(faults, validateChoice(path.Index(i), action, ActionDeny, ActionAudit, ActionWarn)...)
		}
		seen[action] = true
	}
	return faults
}

func validateFailurePolicy(path *field.Path, policy FailurePolicy) field.ErrorList {
	return validateChoice(path, policy, FailClosed, FailOpen)
}

func buildValidations(validations []Validation) []any {
	out := make([]any, len(validations))
	for i, item := range validations {
		out[i] = object.Compact(map[string]any{
			"expression": item.Expression, "message": item.Message,
			"messageExpression": item.MessageExpression, "reason": item.Reason,
		})
	}
	return out
}

func buildAuditAnnotations(annotations []AuditAnnotation) []any {
	out := make([]any, len(annotations))
	for i, item := range annotations {
		out[i] = map[string]any{"key": item.Key, "valueExpression": item.ValueExpression}
	}
	return out
}
