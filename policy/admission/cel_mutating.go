package admission

import (
	"context"
	"fmt"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	mpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/mpol/autogen"
	mpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/mpol/compiler"
	mpolengine "github.com/kyverno/kyverno/pkg/cel/policies/mpol/engine"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/admission"
)

// mutatingPolicies are MutatingPolicies that change the object of the request. Those for existing objects are compiled, and
// take no part in admission.
type mutatingPolicies struct{ policies []mutatingPolicy }

type mutatingPolicy struct {
	celPolicy
	// existing says that it changes objects that are in the cluster already, after the request.
	existing bool
	compiled []mpolengine.Policy
}

func (m *mutatingPolicies) add(c *celPolicies, obj *unstructured.Unstructured) error {
	policy := &policiesv1alpha1.MutatingPolicy{}
	if err := decode(obj, policy); err != nil {
		return err
	}
	constraints := policy.GetMatchConstraints()
	common, err := c.common(obj, &constraints)
	if err != nil {
		return err
	}
	out := mutatingPolicy{celPolicy: common}
	out.existing = policy.Spec.MutateExistingEnabled()
	out.idle = out.existing || !policy.Spec.AdmissionEnabled() && !c.options.AsCommandLine
	specs := []policiesv1alpha1.MutatingPolicySpec{policy.Spec}
	generated, err := mpolautogen.Autogen(policy)
	if err != nil {
		return &CompileError{Policy: common.ref, Err: err}
	}
	for _, made := range sortedValues(generated) {
		specs = append(specs, *made.Spec)
	}
	for _, spec := range specs {
		one := policy.DeepCopy()
		one.Spec = spec
		constraints := one.GetMatchConstraints()
		out.constraints = append(out.constraints, &constraints)
		compiled, faults := mpolcompiler.NewCompiler().Compile(one, c.exceptionsFor(common.ref))
		if len(faults) > 0 {
			return compileErrors(common.ref, faults)
		}
		out.compiled = append(out.compiled, mpolengine.Policy{Policy: *one, CompiledPolicy: compiled})
	}
	m.policies = append(m.policies, out)
	return nil
}

// compiledMutations implements Kyverno's provider.
type compiledMutations []mpolengine.Policy

// Fetch implements mpolengine.Provider.
func (m compiledMutations) Fetch(context.Context, bool) ([]mpolengine.Policy, error) { return m, nil }

// MatchesMutateExisting implements mpolengine.Provider.
func (compiledMutations) MatchesMutateExisting(context.Context, admission.Attributes, *corev1.Namespace) []string {
	return nil
}

func (m *mutatingPolicies) evaluate(ctx context.Context, c *celPolicies, work *evaluation) error {
	if work.object == nil {
		return nil
	}
	var w *celWork
	patched, failed := work.object, false
	for _, policy := range m.policies {
		if policy.existing && !c.options.AsCommandLine && policy.mayMatch(work.resource.kind.Group, work.resource.plural()) {
			work.response.add(Verdict{
				Policy: policy.ref, Type: Mutate, Status: Skip, Message: "it changes existing objects after the request: that is not evaluated",
			})
		}
		if !c.concerns(policy.celPolicy, work) {
			continue
		}
		if w == nil {
			var err error
			if w, err = c.begin(work); err != nil {
				return err
			}
		}
		// Kyverno 1.15 admits a request whose mutation fails, unchanged (pkg/webhooks/resource/mpol/handler.go).
		if !w.admits(policy.celPolicy, Mutate, false) {
			continue
		}
		engine := mpolengine.NewEngine(compiledMutations(policy.compiled), w.resolve, c.matcher, c.schemas, w.context)
		response, err := engine.Handle(ctx, w.request, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", policy.ref, err)
		}
		for _, part := range response.Policies {
			for _, rule := range part.Rules {
				verdict := verdictOf(policy.ref, rule)
				verdict.Type = Mutate
				w.settle(&verdict)
				failed = failed || verdict.Status == Error
				work.response.add(verdict)
			}
		}
		if response.PatchedResource != nil {
			patched = response.PatchedResource
			// The policies of one request see what the ones before have changed.
			next := *work
			next.object = patched
			if w.request.Request, err = admissionRequestOf(&next, w.request.Request); err != nil {
				return err
			}
		}
	}
	if !failed {
		work.object = patched
	}
	return nil
}
