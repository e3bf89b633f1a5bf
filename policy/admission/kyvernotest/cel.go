package kyvernotest

import (
	"context"
	"errors"
	"slices"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	mpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/mpol/autogen"
	vpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/vpol/autogen"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/policy/admission"
)

// celPolicy is a policy of policies.kyverno.io with an engine of its own.
type celPolicy struct {
	object *unstructured.Unstructured
	engine *admission.Engine
	// derived says that Kyverno makes further policies of it for Pod controllers.
	derived bool
}

// compileCEL compiles the policies of policies.kyverno.io into the evaluator.
func (e *evaluator) compileCEL() error {
	in := e.in
	exceptions, err := in.celExceptions()
	if err != nil {
		return err
	}
	for i := range in.policies.ValidatingPolicies {
		policy := &in.policies.ValidatingPolicies[i]
		derived, err := vpolautogen.Autogen(policy)
		if err != nil {
			return err
		}
		if err := e.add(&e.validating, policy, "ValidatingPolicy", exceptions, len(derived) > 0); err != nil {
			return err
		}
	}
	for i := range in.policies.MutatingPolicies {
		policy := &in.policies.MutatingPolicies[i]
		if policy.Spec.MutateExistingEnabled() {
			continue // the command line has no targets for it
		}
		derived, err := mpolautogen.Autogen(policy)
		if err != nil {
			return err
		}
		// The command line knows no exceptions from these.
		if err := e.add(&e.mutating, policy, "MutatingPolicy", nil, len(derived) > 0); err != nil {
			return err
		}
	}
	for i := range in.policies.ImageValidatingPolicies {
		err := e.add(&e.imageValidating, &in.policies.ImageValidatingPolicies[i], "ImageValidatingPolicy", exceptions, false)
		if err != nil && !errors.As(err, new(*admission.CompileError)) { // one that does not compile says nothing
			return err
		}
	}
	for i := range in.policies.GeneratingPolicies {
		if err := e.add(&e.generating, &in.policies.GeneratingPolicies[i], "GeneratingPolicy", exceptions, false); err != nil {
			return err
		}
	}
	for i := range in.policies.DeletingPolicies {
		if err := e.add(&e.deleting, &in.policies.DeletingPolicies[i], "DeletingPolicy", exceptions, false); err != nil {
			return err
		}
	}
	return nil
}

func (e *evaluator) add(
	to *[]celPolicy, policy any, kind string, exceptions []*unstructured.Unstructured, derived bool,
) error {
	object, err := toUnstructured(policy, policiesv1alpha1.SchemeGroupVersion.String(), kind)
	if err != nil {
		return err
	}
	if controllers := controllersOf(policy); controllers != nil && controllers.Controllers != nil {
		// An empty list, which the encoding leaves out, stands for no controller.
		if err := unstructured.SetNestedStringSlice(object.Object, controllers.Controllers, "spec", "autogen", "podControllers", "controllers"); err != nil {
			return err
		}
	}
	namespaces, err := e.in.namespaces()
	if err != nil {
		return err
	}
	engine, err := admission.New([]*unstructured.Unstructured{object}, admission.Options{
		Exceptions:    exceptions,
		Data:          admission.Data{Objects: append(namespaces, e.in.context...)},
		AsCommandLine: true,
	})
	if err != nil {
		return err
	}
	*to = append(*to, celPolicy{object, engine, derived})
	return nil
}

// controllersOf are the controllers of pods that a policy names, nil if it names none.
func controllersOf(policy any) *policiesv1alpha1.PodControllersGenerationConfiguration {
	switch policy := policy.(type) {
	case *policiesv1alpha1.ValidatingPolicy:
		if policy.Spec.AutogenConfiguration != nil {
			return policy.Spec.AutogenConfiguration.PodControllers
		}
	case *policiesv1alpha1.MutatingPolicy:
		if policy.Spec.AutogenConfiguration != nil {
			return policy.Spec.AutogenConfiguration.PodControllers
		}
	case *policiesv1alpha1.ImageValidatingPolicy:
		if policy.Spec.AutogenConfiguration != nil {
			return policy.Spec.AutogenConfiguration.PodControllers
		}
	}
	return nil
}

// celExceptions are the exceptions of policies.kyverno.io.
func (in *inputs) celExceptions() ([]*unstructured.Unstructured, error) {
	var exceptions []*unstructured.Unstructured
	for _, exception := range in.exceptions.CELExceptions {
		object, err := toUnstructured(exception, policiesv1alpha1.SchemeGroupVersion.String(), "PolicyException")
		if err != nil {
			return nil, err
		}
		exceptions = append(exceptions, object)
	}
	return exceptions, nil
}

// mutateCEL lets every policy see the resource as it was before all of them; the last one that applies wins.
func (e *evaluator) mutateCEL(ctx context.Context, w *work) error {
	before := len(w.responses)
	patched := w.object
	for _, p := range e.mutating {
		answer, err := p.engine.Evaluate(ctx, w.celRequest(admission.Mutate))
		if err != nil {
			return err
		}
		rules := rulesFrom(answer.Verdicts)
		if slices.ContainsFunc(rules, func(rule ruleResponse) bool { return rule.status == engineapi.RuleStatusPass }) {
			patched = answer.Object
		}
		w.respond(p, rules)
	}
	for i := range w.responses[before:] {
		w.responses[before+i].patched = patched
	}
	w.object = patched
	return nil
}

func (e *evaluator) validateCEL(ctx context.Context, w *work) error {
	for _, p := range e.validating {
		answer, err := p.engine.Evaluate(ctx, w.celRequest(admission.Validate))
		if err != nil {
			return err
		}
		w.respond(p, rulesFrom(answer.Verdicts))
	}
	return nil
}

// celRequest is a request that knows the labels of the namespace only if the suite gives them.
func (w *work) celRequest(only admission.RuleType) admission.Request {
	request := w.request(only)
	if w.in.namespace(w.object.GetNamespace()) == nil {
		request.NamespaceLabels = nil
	}
	if subresource, found := w.in.subresource(w.object); found && (only == admission.Validate || only == admission.Mutate || only == admission.Generate) {
		request.Parent = parentOf(subresource)
	}
	return request
}

// respond adds the responses of a policy and of those that are derived from it: on a Pod controller the policy itself
// has nothing to say.
func (w *work) respond(p celPolicy, rules []ruleResponse) {
	if p.derived && len(rules) > 0 && w.object.GetKind() != "Pod" {
		w.add(p.object, w.object)
	}
	w.add(p.object, w.object, rules...)
}

// generateCEL gives no response for a policy that does not apply.
func (e *evaluator) generateCEL(ctx context.Context, w *work) error {
	return e.applying(ctx, w, e.generating, admission.Generate)
}

// verifyCEL gives no response for a policy that does not apply.
func (e *evaluator) verifyCEL(ctx context.Context, w *work) error {
	return e.applying(ctx, w, e.imageValidating, admission.VerifyImage)
}

func (e *evaluator) applying(ctx context.Context, w *work, policies []celPolicy, only admission.RuleType) error {
	for _, p := range policies {
		answer, err := p.engine.Evaluate(ctx, w.celRequest(only))
		if err != nil {
			return err
		}
		if rules := rulesFrom(answer.Verdicts); len(rules) > 0 {
			w.add(p.object, w.object, rules...)
		}
	}
	return nil
}

// deleteCEL says of every resource whether a policy would delete it.
func (e *evaluator) deleteCEL(ctx context.Context, w *work) error {
	for _, p := range e.deleting {
		answer, err := p.engine.Evaluate(ctx, w.celRequest(admission.Cleanup))
		if err != nil {
			return err
		}
		w.add(p.object, w.object, rulesFrom(answer.Verdicts)...)
	}
	return nil
}
