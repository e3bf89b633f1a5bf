package admission

import (
	"context"
	"errors"
	"fmt"

	"github.com/kyverno/kyverno/pkg/admissionpolicy"
	celutils "github.com/kyverno/kyverno/pkg/cel/utils"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissionregistrationv1alpha1 "k8s.io/api/admissionregistration/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// mutatingAdmission is a MutatingAdmissionPolicy, compiled as the API server does, with its bindings.
type mutatingAdmission struct {
	ref       PolicyRef
	policy    admissionregistrationv1alpha1.MutatingAdmissionPolicy
	bindings  []admissionregistrationv1alpha1.MutatingAdmissionPolicyBinding
	evaluator mutating.PolicyEvaluator
}

func (n *nativePolicies) compileMutatingAdmission(
	obj *unstructured.Unstructured, bindings []admissionregistrationv1alpha1.MutatingAdmissionPolicyBinding,
) (mutatingAdmission, error) {
	out := mutatingAdmission{ref: refOf(obj)}
	if err := decodeNative(obj, &out.policy); err != nil {
		return out, err
	}
	for _, binding := range bindings {
		if binding.Spec.PolicyName == obj.GetName() {
			out.bindings = append(out.bindings, binding)
		}
	}
	if n.asCommandLine {
		return out, nil // it compiles with each request, and passes over what does not
	}
	return out, out.compile()
}

// apiserver: pkg/admission/plugin/policy/mutating/compilation.go, compilePolicy
func (p *mutatingAdmission) compile() error {
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion(), false))
	if err != nil {
		return &CompileError{Policy: p.ref, Err: err}
	}
	p.evaluator.CompositionEnv = compiler.CompositionEnv
	declared := cel.OptionalVariableDeclarations{HasParams: p.policy.Spec.ParamKind != nil, StrictCost: true}
	for i := range p.policy.Spec.Variables {
		variable := &mutating.Variable{
			Name: p.policy.Spec.Variables[i].Name, Expression: p.policy.Spec.Variables[i].Expression,
		}
		if result := compiler.CompileAndStoreVariable(variable, declared, environment.StoredExpressions); result.Error != nil {
			return &CompileError{Policy: p.ref, Path: fmt.Sprintf("spec.variables[%d].expression", i), Err: result.Error}
		}
	}
	if conditions := p.policy.Spec.MatchConditions; len(conditions) > 0 {
		accessors := make([]cel.ExpressionAccessor, len(conditions))
		for i := range conditions {
			accessors[i] = (*matchconditions.MatchCondition)(&conditions[i])
		}
		compiled := compiler.CompileCondition(accessors, declared, environment.StoredExpressions)
		if faults := compiled.CompilationErrors(); len(faults) > 0 {
			return &CompileError{Policy: p.ref, Path: "spec.matchConditions", Err: errors.Join(faults...)}
		}
		failure := admissionregistrationv1.Fail
		if p.failsOpen() {
			failure = admissionregistrationv1.Ignore
		}
		p.evaluator.Matcher = matchconditions.NewMatcher(compiled, &failure, "policy", "validate", p.ref.Name)
	}
	declared.HasPatchTypes = true
	for i, mutation := range p.policy.Spec.Mutations {
		path := fmt.Sprintf("spec.mutations[%d]", i)
		var compiled cel.MutatingEvaluator
		switch {
		case mutation.JSONPatch != nil:
			path += ".jsonPatch.expression"
			compiled = compiler.CompileMutatingEvaluator(
				&patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression}, declared, environment.StoredExpressions)
			p.evaluator.Mutators = append(p.evaluator.Mutators, patch.NewJSONPatcher(compiled))
		case mutation.ApplyConfiguration != nil:
			path += ".applyConfiguration.expression"
			compiled = compiler.CompileMutatingEvaluator(
				&patch.ApplyConfigurationCondition{Expression: mutation.ApplyConfiguration.Expression}, declared, environment.StoredExpressions)
			p.evaluator.Mutators = append(p.evaluator.Mutators, patch.NewApplyConfigurationPatcher(compiled))
		default:
			return &CompileError{Policy: p.ref, Path: path, Err: errors.New("it needs jsonPatch or applyConfiguration")}
		}
		if faults := compiled.CompilationErrors(); len(faults) > 0 {
			return &CompileError{Policy: p.ref, Path: path, Err: errors.Join(faults...)}
		}
	}
	return nil
}

func (p *mutatingAdmission) failsOpen() bool {
	return p.policy.Spec.FailurePolicy != nil && *p.policy.Spec.FailurePolicy == admissionregistrationv1alpha1.Ignore
}

func (n *nativePolicies) mutate(ctx context.Context, work *evaluation) error {
	if work.object == nil {
		return nil
	}
	for _, policy := range n.mutating {
		w := n.begin(work)
		matches, err := w.matches(converted(policy.policy.Spec.MatchConstraints))
		if err == nil && !matches {
			continue
		}
		for _, binding := range policy.bindings {
			bound := matches
			if err == nil {
				bound, err = w.matches(converted(binding.Spec.MatchResources))
			}
			if err == nil && !bound {
				continue
			}
			if err == nil {
				err = policy.apply(ctx, w, binding)
			}
			if err != nil {
				work.response.add(Verdict{
					Policy: policy.ref, Type: Mutate, Status: Error, Enforced: !policy.failsOpen(), Message: err.Error(), Err: missingIn(err),
				})
				break
			}
			if n.asCommandLine {
				break // the first binding that applies is the only one for the command line
			}
			w = n.begin(work)
		}
	}
	return nil
}

// apply mutates the object for one binding.
func (p *mutatingAdmission) apply(
	ctx context.Context, w *nativeWork, binding admissionregistrationv1alpha1.MutatingAdmissionPolicyBinding,
) error {
	if w.asCommandLine {
		return p.applyAsCommandLine(w)
	}
	params, err := w.params((*admissionregistrationv1.ParamKind)(p.policy.Spec.ParamKind), paramRef(binding.Spec.ParamRef), binding.Name)
	if err != nil {
		return err
	}
	for _, param := range params {
		versioned, err := admission.NewVersionedAttributes(w.attributes, w.attributes.GetKind(), nil)
		if err != nil {
			return err
		}
		verdict := Verdict{Policy: p.ref, Rule: p.ref.Name, Type: Mutate, Status: Pass, Message: "mutation is successfully applied"}
		if p.evaluator.Matcher != nil {
			result := p.evaluator.Matcher.Match(ctx, versioned, param, nil)
			if result.Error != nil {
				return result.Error
			}
			if !result.Matches {
				verdict.Status, verdict.Message = Skip, "match conditions aren't met"
				w.work.response.add(verdict)
				continue
			}
		}
		composed := p.evaluator.CompositionEnv.CreateContext(ctx)
		for _, patcher := range p.evaluator.Mutators {
			versioned.VersionedObject, err = patcher.Patch(composed, patch.Request{
				MatchedResource:     w.attributes.GetResource(),
				VersionedAttributes: versioned,
				ObjectInterfaces:    admission.NewObjectInterfacesFromScheme(runtime.NewScheme()),
				OptionalVariables:   cel.OptionalVariableBindings{VersionedParams: param},
				Namespace:           w.namespace(),
				TypeConverter:       w.schemas.GetTypeConverter(w.attributes.GetKind()),
			}, celconfig.RuntimeCELCostBudget)
			if err != nil {
				return err
			}
			versioned.Dirty = true
		}
		patched, err := celutils.ConvertObjectToUnstructured(versioned.VersionedObject)
		if err != nil {
			return err
		}
		w.work.replace(*patched)
		w.attributes = w.begin(w.work).attributes
		w.work.response.add(verdict)
	}
	return nil
}

// applyAsCommandLine knows no parameters and no schemas, and leaves out what fails.
func (p *mutatingAdmission) applyAsCommandLine(w *nativeWork) error {
	user := userInfo(w.work.request.User)
	response, err := admissionpolicy.Mutate(
		engineapi.NewMutatingAdmissionPolicyData(&p.policy), *w.work.object, w.work.object.GroupVersionKind(), w.attributes.GetResource(),
		map[string]map[string]string{w.work.object.GetNamespace(): w.labels}, nil, &user, true, false)
	if err != nil {
		return nil //nolint:nilerr // it is logged, and no more
	}
	for _, rule := range response.PolicyResponse.Rules {
		verdict := verdictOf(p.ref, rule)
		verdict.Type, verdict.Enforced = Mutate, !p.failsOpen() && verdict.Status == Error
		w.work.response.add(verdict)
	}
	w.work.replace(response.PatchedResource)
	return nil
}

func converted(constraints *admissionregistrationv1alpha1.MatchResources) *admissionregistrationv1.MatchResources {
	if constraints == nil {
		return nil
	}
	return admissionpolicy.ConvertMatchResources(constraints)
}

func paramRef(ref *admissionregistrationv1alpha1.ParamRef) *admissionregistrationv1.ParamRef {
	if ref == nil {
		return nil
	}
	return &admissionregistrationv1.ParamRef{
		Name: ref.Name, Namespace: ref.Namespace, Selector: ref.Selector,
		ParameterNotFoundAction: (*admissionregistrationv1.ParameterNotFoundActionType)(ref.ParameterNotFoundAction),
	}
}
