package kyvernotest

import (
	"context"
	"errors"

	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/policy/admission"
)

// nativePolicy is a policy of Kubernetes. It has an engine for each of its bindings, in their order, of which the first
// that applies gives the verdict.
type nativePolicy struct {
	object  *unstructured.Unstructured
	engines []*admission.Engine
	// fault is what keeps the policy from compiling. Its engines then say only what it applies to.
	fault error
}

// compileNative compiles the policies of Kubernetes into the evaluator.
func (e *evaluator) compileNative() error {
	policies := e.in.policies
	for i := range policies.VAPs {
		policy := &policies.VAPs[i]
		var bindings []any
		for j := range policies.VAPBindings {
			if policies.VAPBindings[j].Spec.PolicyName == policy.Name {
				bindings = append(bindings, &policies.VAPBindings[j])
			}
		}
		if err := e.addNative(&e.validatingNative, policy, "v1", "ValidatingAdmissionPolicy", bindings); err != nil {
			return err
		}
	}
	for i := range policies.MAPs {
		policy := &policies.MAPs[i]
		var bindings []any
		for j := range policies.MAPBindings {
			if policies.MAPBindings[j].Spec.PolicyName == policy.Name {
				bindings = append(bindings, &policies.MAPBindings[j])
			}
		}
		if err := e.addNative(&e.mutatingNative, policy, "v1alpha1", "MutatingAdmissionPolicy", bindings); err != nil {
			return err
		}
	}
	return nil
}

// addNative compiles a policy as the command line takes it: without a binding it is in force, with one the resources
// that the binding matches are those that it applies to, whatever the policy itself says.
func (e *evaluator) addNative(to *[]nativePolicy, typed any, version, kind string, bindings []any) error {
	group := "admissionregistration.k8s.io/" + version
	object, err := toUnstructured(typed, group, kind)
	if err != nil {
		return err
	}
	namespaces, err := e.in.namespaces()
	if err != nil {
		return err
	}
	policy := nativePolicy{object: object}
	var compile func(policyObject, binding *unstructured.Unstructured) error
	compile = func(policyObject, binding *unstructured.Unstructured) error {
		if policy.fault != nil {
			policyObject = withoutExpressions(policyObject)
		}
		engine, err := admission.New([]*unstructured.Unstructured{policyObject, binding}, admission.Options{
			Data: admission.Data{Objects: namespaces}, AsCommandLine: true,
		})
		if errors.As(err, new(*admission.CompileError)) && kind == "ValidatingAdmissionPolicy" && policy.fault == nil {
			policy.fault = err
			return compile(withoutExpressions(policyObject), binding)
		}
		if err != nil {
			return err
		}
		policy.engines = append(policy.engines, engine)
		return nil
	}
	for _, typedBinding := range bindings {
		binding, err := toUnstructured(typedBinding, group, kind+"Binding")
		if err != nil {
			return err
		}
		everywhere := object.DeepCopy()
		if err := unstructured.SetNestedSlice(everywhere.Object, []any{map[string]any{
			"apiGroups": []any{"*"}, "apiVersions": []any{"*"}, "resources": []any{"*"}, "operations": []any{"*"},
		}}, "spec", "matchConstraints", "resourceRules"); err != nil {
			return err
		}
		for _, selector := range []string{"namespaceSelector", "objectSelector", "excludeResourceRules"} {
			unstructured.RemoveNestedField(everywhere.Object, "spec", "matchConstraints", selector)
		}
		if err := compile(everywhere, binding); err != nil {
			return err
		}
	}
	if len(bindings) == 0 {
		binding := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": group, "kind": kind + "Binding", "metadata": map[string]any{"name": object.GetName()},
			"spec": map[string]any{"policyName": object.GetName()},
		}}
		if kind == "ValidatingAdmissionPolicy" {
			if err := unstructured.SetNestedStringSlice(binding.Object, []string{"Deny"}, "spec", "validationActions"); err != nil {
				return err
			}
		}
		if err := compile(object, binding); err != nil {
			return err
		}
	}
	*to = append(*to, policy)
	return nil
}

// withoutExpressions returns a policy that applies to the same resources.
func withoutExpressions(policy *unstructured.Unstructured) *unstructured.Unstructured {
	out := policy.DeepCopy()
	spec, _, _ := unstructured.NestedMap(out.Object, "spec")
	for _, field := range []string{"matchConditions", "variables", "auditAnnotations", "paramKind"} {
		delete(spec, field)
	}
	spec["validations"] = []any{map[string]any{"expression": "false"}}
	out.Object["spec"] = spec
	return out
}

// first gives the answer of the first binding that applies, or nil.
func (p nativePolicy) first(ctx context.Context, w *work, only admission.RuleType) (*admission.Response, error) {
	for _, engine := range p.engines {
		answer, err := engine.Evaluate(ctx, w.request(only))
		if err != nil || len(answer.Verdicts) > 0 {
			return answer, err
		}
	}
	return nil, nil
}

// mutateNative gives no response for a policy that does not apply.
func (e *evaluator) mutateNative(ctx context.Context, w *work) error {
	for _, p := range e.mutatingNative {
		answer, err := p.first(ctx, w, admission.Mutate)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		w.add(p.object, answer.Object, rulesFrom(answer.Verdicts)...)
		w.object = answer.Object
	}
	return nil
}

// validateNative gives one verdict for all validations of a policy: that of the first that does not hold.
func (e *evaluator) validateNative(ctx context.Context, w *work) error {
	for _, p := range e.validatingNative {
		answer, err := p.first(ctx, w, admission.Validate)
		if err != nil {
			return err
		}
		if answer == nil {
			w.add(p.object, w.object)
			continue
		}
		rules := rulesFrom(answer.Verdicts)
		verdict := rules[0]
		for _, rule := range rules {
			if rule.status == engineapi.RuleStatusFail || rule.status == engineapi.RuleStatusError {
				verdict = rule
				break
			}
		}
		verdict.name = p.object.GetName()
		if p.fault != nil {
			verdict.status, verdict.message = engineapi.RuleStatusError, p.fault.Error()
		}
		w.add(p.object, w.object, verdict)
	}
	return nil
}
