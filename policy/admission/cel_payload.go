package admission

import (
	"context"
	"fmt"

	celengine "github.com/kyverno/kyverno/pkg/cel/engine"
	dpolengine "github.com/kyverno/kyverno/pkg/cel/policies/dpol/engine"
	vpolengine "github.com/kyverno/kyverno/pkg/cel/policies/vpol/engine"
	eval "github.com/kyverno/kyverno/pkg/imageverification/evaluator"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// evaluatePayload judges a JSON document. No resource rules match it: the policies for JSON apply to all.
func (c *celPolicies) evaluatePayload(ctx context.Context, request Request) (*Response, error) {
	payload := &unstructured.Unstructured{Object: request.Payload}
	work := &evaluation{request: request, response: &Response{}}
	w := &celWork{celPolicies: c, work: work, context: &celContext{cluster: c.cluster, missing: &recorder{}}}
	w.request = celengine.RequestFromJSON(w.context, payload)
	if request.wants(Validate) {
		for _, policy := range c.validating.policies {
			if !policy.json && !c.options.AsCommandLine || !w.admits(policy.celPolicy, Validate, policy.denies) {
				continue
			}
			compiled := policy.compiled
			provider := vpolengine.ProviderFunc(func(context.Context) ([]vpolengine.Policy, error) { return compiled, nil })
			response, err := vpolengine.NewEngine(provider, nil, nil).Handle(ctx, w.request, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", policy.ref, err)
			}
			for _, part := range response.Policies {
				w.addValidated(policy, part.Rules)
			}
		}
	}
	if request.wants(VerifyImage) {
		for _, policy := range c.images.policies {
			if !policy.json || !w.admits(policy.celPolicy, VerifyImage, policy.denies) {
				continue
			}
			compiled, faults := eval.NewCompiler(offline{w.context}, nil, nil).Compile(policy.parts[0].policy, policy.parts[0].exceptions)
			if len(faults) > 0 {
				return nil, compileErrors(policy.ref, faults)
			}
			result, err := compiled.Evaluate(ctx, offline{w.context}, nil, payload.Object, nil, false, nil)
			w.addVerified(policy, result, err)
		}
	}
	// Only the command line has deleting policies judge what is no object of a cluster.
	if request.wants(Cleanup) && c.options.AsCommandLine {
		engine := dpolengine.NewEngine(w.resolve, c.cluster.mapper, w.context, c.matcher)
		for _, policy := range c.deleting.policies {
			if !w.admits(policy.celPolicy, Cleanup, false) {
				continue
			}
			response, err := engine.Handle(ctx, policy.compiled, *payload.DeepCopy())
			w.addDeletion(policy, response, err)
		}
	}
	return work.response, nil
}
