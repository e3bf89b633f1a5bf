package admission

import (
	"context"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	dpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/dpol/compiler"
	dpolengine "github.com/kyverno/kyverno/pkg/cel/policies/dpol/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// deletingPolicies are DeletingPolicies. They act on a schedule, not on requests: their verdict is Pass for an object that
// they would delete and Fail for one that they would keep.
type deletingPolicies struct{ policies []deletingPolicy }

type deletingPolicy struct {
	celPolicy
	compiled dpolengine.Policy
}

func (d *deletingPolicies) add(c *celPolicies, obj *unstructured.Unstructured) error {
	policy := &policiesv1alpha1.DeletingPolicy{}
	if err := decode(obj, policy); err != nil {
		return err
	}
	common, err := c.common(obj, policy.Spec.MatchConstraints)
	if err != nil {
		return err
	}
	compiled, faults := dpolcompiler.NewCompiler().Compile(policy, c.exceptionsFor(common.ref))
	if len(faults) > 0 {
		return compileErrors(common.ref, faults)
	}
	d.policies = append(d.policies, deletingPolicy{common, dpolengine.Policy{Policy: *policy, CompiledPolicy: compiled}})
	return nil
}

func (d *deletingPolicies) evaluate(ctx context.Context, c *celPolicies, work *evaluation) error {
	if work.object == nil {
		return nil
	}
	w, err := c.begin(work)
	if err != nil {
		return err
	}
	for _, policy := range d.policies {
		if policy.only != "" && policy.only != work.object.GetNamespace() {
			continue
		}
		concerned := c.concerns(policy.celPolicy, work)
		if concerned && !w.admits(policy.celPolicy, Cleanup, false) {
			continue
		}
		if !concerned && !c.options.AsCommandLine {
			w.addDeletion(policy, dpolengine.EngineResponse{}, nil)
			continue
		}
		engine := dpolengine.NewEngine(w.resolve, c.cluster.mapper, w.context, c.matcher)
		response, err := engine.Handle(ctx, policy.compiled, *work.object.DeepCopy())
		w.addDeletion(policy, response, err)
	}
	return nil
}

func (w *celWork) addDeletion(policy deletingPolicy, response dpolengine.EngineResponse, err error) {
	verdict := Verdict{Policy: policy.ref, Rule: policy.ref.Name, Type: Cleanup, Status: Fail, Message: "resource did not match"}
	switch {
	case err != nil:
		verdict.Status, verdict.Message = Error, err.Error()
	case response.Match:
		verdict.Status, verdict.Message = Pass, "resource matched"
	}
	w.settle(&verdict)
	w.work.response.add(verdict)
}
