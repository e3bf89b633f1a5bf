package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kyverno/kyverno/pkg/admissionpolicy"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// validatingAdmission is a ValidatingAdmissionPolicy, compiled as the API server does, with its bindings.
type validatingAdmission struct {
	ref       PolicyRef
	policy    admissionregistrationv1.ValidatingAdmissionPolicy
	bindings  []admissionregistrationv1.ValidatingAdmissionPolicyBinding
	validator validating.Validator
}

func compileValidatingAdmission(
	obj *unstructured.Unstructured, bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding,
) (validatingAdmission, error) {
	out := validatingAdmission{ref: refOf(obj)}
	if err := decodeNative(obj, &out.policy); err != nil {
		return out, err
	}
	for _, binding := range bindings {
		if binding.Spec.PolicyName == obj.GetName() {
			out.bindings = append(out.bindings, binding)
		}
	}
	spec := out.policy.Spec
	compiler, err := admissionpolicy.NewCompiler(spec.MatchConditions, spec.Variables)
	if err != nil {
		return out, &CompileError{Policy: out.ref, Err: err}
	}
	compiler.WithValidations(spec.Validations)
	compiler.WithAuditAnnotations(spec.AuditAnnotations)
	declared := cel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil}
	compiler.CompileVariables(declared)
	match := admissionregistrationv1.Equivalent
	if spec.MatchConstraints != nil && spec.MatchConstraints.MatchPolicy != nil {
		match = *spec.MatchConstraints.MatchPolicy
	}
	conditions := compiler.CompileMatchConditions(declared)
	validations := compiler.CompileValidations(declared)
	messages := compiler.CompileMessageExpressions(declared)
	annotations := compiler.CompileAuditAnnotationsExpressions(declared)
	for path, faults := range map[string][]error{
		"spec.matchConditions": conditions.CompilationErrors(), "spec.validations": validations.CompilationErrors(),
		"spec.validations.messageExpression": messages.CompilationErrors(), "spec.auditAnnotations": annotations.CompilationErrors(),
	} {
		if len(faults) > 0 {
			return out, &CompileError{Policy: out.ref, Path: path, Err: errors.Join(faults...)}
		}
	}
	out.validator = validating.NewValidator(
		validations,
		matchconditions.NewMatcher(conditions, spec.FailurePolicy, "", string(match), ""),
		annotations,
		messages,
		spec.FailurePolicy,
	)
	return out, nil
}

func (n *nativePolicies) validate(ctx context.Context, work *evaluation) error {
	for _, policy := range n.validating {
		w := n.begin(work)
		matches, err := w.matches(policy.policy.Spec.MatchConstraints)
		if err == nil && !matches {
			continue
		}
		for _, binding := range policy.bindings {
			bound := matches
			if err == nil {
				bound, err = w.matches(binding.Spec.MatchResources)
			}
			if err == nil && !bound {
				continue
			}
			if err != nil {
				w.work.response.add(Verdict{
					Policy: policy.ref, Rule: policy.ref.Name, Type: Validate, Status: Error, Enforced: !policy.failsOpen(),
					Message: err.Error(), Err: missingIn(err),
				})
				break
			}
			if err := policy.judge(ctx, w, binding); err != nil {
				return fmt.Errorf("%s: %w", policy.ref, err)
			}
		}
	}
	return nil
}

// judge evaluates the policy for one binding.
func (p validatingAdmission) judge(ctx context.Context, w *nativeWork, binding admissionregistrationv1.ValidatingAdmissionPolicyBinding) error {
	denies := slices.Contains(binding.Spec.ValidationActions, admissionregistrationv1.Deny)
	verdict := Verdict{Policy: p.ref, Rule: p.ref.Name, Type: Validate, Status: Pass, Enforced: denies}
	params, err := w.params(p.policy.Spec.ParamKind, binding.Spec.ParamRef, binding.Name)
	if err != nil {
		// A binding that cannot be used denies whatever its actions are.
		verdict.Status, verdict.Message, verdict.Err, verdict.Enforced = Error, err.Error(), missingIn(err), !p.failsOpen()
		w.work.response.add(verdict)
		return nil
	}
	if len(params) == 0 {
		verdict.Status, verdict.Message = Skip, "there are no parameters"
	}
	versioned, err := admission.NewVersionedAttributes(w.attributes, w.attributes.GetKind(), nil)
	if err != nil {
		return err
	}
	for _, param := range params {
		result := p.validator.Validate(ctx, w.attributes.GetResource(), versioned, param, w.namespace(), celconfig.RuntimeCELCostBudget, nil)
		if len(result.Decisions) == 0 && len(result.AuditAnnotations) == 0 {
			verdict.Status, verdict.Message = Skip, "match conditions aren't met"
			continue
		}
		for _, decision := range result.Decisions {
			switch {
			case decision.Evaluation == validating.EvalError:
				verdict.Status, verdict.Message = Error, decision.Message
				verdict.Enforced = denies && decision.Action == validating.ActionDeny
			case decision.Action == validating.ActionDeny:
				verdict.Status, verdict.Message = Fail, decision.Message
			default:
				continue
			}
			break
		}
		if verdict.Status == Fail || verdict.Status == Error {
			break
		}
	}
	if slices.Contains(binding.Spec.ValidationActions, admissionregistrationv1.Warn) && verdict.Status == Fail {
		w.work.response.Warnings = append(w.work.response.Warnings, verdict.Message)
	}
	w.work.response.add(verdict)
	return nil
}

// failsOpen reports whether the policy admits what it fails to judge.
func (p validatingAdmission) failsOpen() bool {
	return p.policy.Spec.FailurePolicy != nil && *p.policy.Spec.FailurePolicy == admissionregistrationv1.Ignore
}
