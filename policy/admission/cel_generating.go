package admission

import (
	"context"
	"fmt"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	gpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/gpol/compiler"
	gpolengine "github.com/kyverno/kyverno/pkg/cel/policies/gpol/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// generatingPolicies are GeneratingPolicies.
type generatingPolicies struct{ policies []generatingPolicy }

type generatingPolicy struct {
	celPolicy
	compiled gpolengine.Policy
}

func (g *generatingPolicies) add(c *celPolicies, obj *unstructured.Unstructured) error {
	policy := &policiesv1alpha1.GeneratingPolicy{}
	if err := decode(obj, policy); err != nil {
		return err
	}
	common, err := c.common(obj, policy.Spec.MatchConstraints)
	if err != nil {
		return err
	}
	compiled, faults := gpolcompiler.NewCompiler().Compile(policy, c.exceptionsFor(common.ref))
	if len(faults) > 0 {
		return compileErrors(common.ref, faults)
	}
	g.policies = append(g.policies, generatingPolicy{common, gpolengine.Policy{Policy: *policy, CompiledPolicy: compiled}})
	return nil
}

func (g *generatingPolicies) evaluate(_ context.Context, c *celPolicies, work *evaluation) error {
	for _, policy := range g.policies {
		if !c.concerns(policy.celPolicy, work) {
			continue
		}
		w, err := c.begin(work)
		if err != nil {
			return err
		}
		if !w.admits(policy.celPolicy, Generate, false) {
			continue
		}
		response, err := gpolengine.NewEngine(w.resolve, c.matcher).Handle(w.request, policy.compiled, false)
		if err != nil {
			return fmt.Errorf("%s: %w", policy.ref, err)
		}
		for _, part := range response.Policies {
			if part.Result == nil {
				continue
			}
			verdict := verdictOf(policy.ref, *part.Result)
			verdict.Type = Generate
			w.settle(&verdict)
			work.response.add(verdict)
		}
	}
	return nil
}
