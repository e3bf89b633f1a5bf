package admission

import (
	"context"
	"fmt"
	"strings"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	vpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/vpol/autogen"
	vpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/vpol/compiler"
	vpolengine "github.com/kyverno/kyverno/pkg/cel/policies/vpol/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/handlers"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/cache"
)

// validatingPolicies are ValidatingPolicies.
type validatingPolicies struct{ policies []validatingPolicy }

// validatingPolicy is one with the policies that Kyverno makes of it for pod controllers.
type validatingPolicy struct {
	celPolicy
	compiled []vpolengine.Policy
	denies   bool
	warns    bool
	json     bool
}

func (v *validatingPolicies) add(c *celPolicies, obj *unstructured.Unstructured) error {
	policy := &policiesv1alpha1.ValidatingPolicy{}
	if err := decode(obj, policy); err != nil {
		return err
	}
	common, err := c.common(obj, policy.Spec.MatchConstraints)
	if err != nil {
		return err
	}
	actions := sets.New(policy.Spec.ValidationActions()...)
	out := validatingPolicy{
		celPolicy: common, denies: actions.Has(admissionregistrationv1.Deny), warns: actions.Has(admissionregistrationv1.Warn),
		json: policy.Spec.EvaluationMode() == policiesv1alpha1.EvaluationModeJSON,
	}
	out.idle = !policy.Spec.AdmissionEnabled() && !c.options.AsCommandLine
	specs := []policiesv1alpha1.ValidatingPolicySpec{policy.Spec}
	generated, err := vpolautogen.Autogen(policy)
	if err != nil {
		return &CompileError{Policy: common.ref, Err: err}
	}
	for _, made := range sortedValues(generated) {
		specs = append(specs, *made.Spec)
	}
	for _, spec := range specs {
		common.constraints = append(common.constraints, spec.MatchConstraints)
		one := policy.DeepCopy()
		one.Spec = spec
		compiled, faults := vpolcompiler.NewCompiler().Compile(one, c.exceptionsFor(common.ref))
		if len(faults) > 0 {
			return compileErrors(common.ref, faults)
		}
		out.compiled = append(out.compiled, vpolengine.Policy{Actions: actions, Policy: *one, CompiledPolicy: compiled})
	}
	out.constraints = common.constraints
	v.policies = append(v.policies, out)
	return nil
}

func (v *validatingPolicies) evaluate(ctx context.Context, c *celPolicies, work *evaluation) error {
	var w *celWork
	for _, policy := range v.policies {
		if policy.json && !c.options.AsCommandLine || !c.concerns(policy.celPolicy, work) {
			continue
		}
		if w == nil {
			var err error
			if w, err = c.begin(work); err != nil {
				return err
			}
			w.wholeNamespace = true
			if err = w.load(); err != nil {
				return err
			}
		}
		if !w.admits(policy.celPolicy, Validate, policy.denies) {
			continue
		}
		for _, part := range policy.compiled {
			w.addValidated(policy, w.judge(ctx, part))
		}
	}
	return nil
}

// judge is what Kyverno's engine does with each policy. The engine reads the object again for each call, and could not
// tell which of several policies asked for what is missing.
// kyverno: pkg/cel/policies/vpol/engine/engine.go, handlePolicy
func (w *celWork) judge(ctx context.Context, part vpolengine.Policy) []engineapi.RuleResponse {
	if part.Policy.Spec.MatchConstraints == nil {
		return nil
	}
	criteria := &matching.MatchCriteria{Constraints: part.Policy.Spec.MatchConstraints}
	matches, err := w.matcher.Match(criteria, w.attributes, w.namespace)
	if err != nil {
		return handlers.WithResponses(engineapi.RuleError("match", engineapi.Validation, "failed to execute matching", err, nil))
	}
	if !matches {
		return nil
	}
	result, err := part.CompiledPolicy.Evaluate(ctx, nil, w.attributes, &w.request.Request, w.namespace, w.context)
	switch {
	case err != nil:
		return handlers.WithResponses(engineapi.RuleError("evaluation", engineapi.Validation, "failed to load context", err, nil))
	case result == nil:
		return handlers.WithResponses(engineapi.RuleSkip("", engineapi.Validation, "skip", nil))
	case len(result.Exceptions) > 0:
		exceptions := make([]engineapi.GenericException, len(result.Exceptions))
		keys := make([]string, len(result.Exceptions))
		for i, exception := range result.Exceptions {
			exceptions[i] = engineapi.NewCELPolicyException(exception)
			keys[i] = cache.MetaObjectToName(exception).String()
		}
		message := "rule is skipped due to policy exception: " + strings.Join(keys, ", ")
		return handlers.WithResponses(engineapi.RuleSkip("exception", engineapi.Validation, message, nil).WithExceptions(exceptions))
	case result.Error != nil:
		return handlers.WithResponses(engineapi.RuleError("", engineapi.Validation, "error", nil, nil))
	case result.Result:
		return handlers.WithResponses(engineapi.RulePass("", engineapi.Validation, "success", nil))
	default:
		return handlers.WithResponses(engineapi.RuleFail("", engineapi.Validation, result.Message, result.AuditAnnotations))
	}
}

func (w *celWork) addValidated(policy validatingPolicy, rules []engineapi.RuleResponse) {
	for _, rule := range rules {
		verdict := verdictOf(policy.ref, rule)
		verdict.Type, verdict.Enforced = Validate, policy.denies
		w.settle(&verdict)
		// kyverno: pkg/webhooks/resource/vpol/handler.go, admissionResponse
		if policy.warns && (verdict.Status == Fail || verdict.Status == Error) {
			kind := map[Status]string{Fail: "failed", Error: "error"}[verdict.Status]
			w.work.response.Warnings = append(w.work.response.Warnings,
				fmt.Sprintf("Policy %s %s: %s", policy.ref.Name, kind, verdict.Message))
		}
		w.work.response.add(verdict)
	}
}
