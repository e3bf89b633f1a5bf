package admission

import (
	"context"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/kyverno/kyverno/pkg/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/mutate/patch"
	"github.com/kyverno/kyverno/pkg/logging"
	jsonutils "github.com/kyverno/kyverno/pkg/utils/json"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// mutate applies the mutate rules, each policy to what the ones before have left.
func (c *classicPolicies) mutate(ctx context.Context, work *evaluation) error {
	wanted := func(p classicPolicy) bool { return p.mutates && p.isCalledToChange(work.request) || p.existing }
	return c.each(ctx, work, wanted, func(ctx context.Context, kyverno engineapi.Engine, policy classicPolicy, policyContext *engine.PolicyContext) error {
		if !policy.mutates || !policy.isCalledToChange(work.request) {
			// The background controller changes existing objects, after the request.
			policyContext = policyContext.WithAdmissionOperation(false)
		}
		response := kyverno.Mutate(ctx, policyContext)
		c.add(work, policy, response)
		if response.IsSuccessful() || c.options.AsCommandLine {
			work.replace(response.PatchedResource)
		}
		return nil
	})
}

// verifyImages applies the rules on images, which may write digests and annotations.
func (c *classicPolicies) verifyImages(ctx context.Context, work *evaluation) error {
	return c.each(ctx, work, func(p classicPolicy) bool { return p.verifies && p.isCalledToChange(work.request) },
		func(ctx context.Context, kyverno engineapi.Engine, policy classicPolicy, policyContext *engine.PolicyContext) error {
			response, verified := kyverno.VerifyAndPatchImages(ctx, policyContext)
			c.add(work, policy, response)
			patched := response.PatchedResource
			if !verified.IsEmpty() {
				annotated, err := annotate(patched, verified)
				if err != nil {
					return fmt.Errorf("policy %s: annotate the verified images: %w", policy.ref.Name, err)
				}
				patched = annotated
			}
			if response.IsSuccessful() || c.options.AsCommandLine {
				work.replace(patched)
			}
			return nil
		})
}

// annotate records verified images on the object, as the webhook does, so that the check of the same policy finds them.
func annotate(obj unstructured.Unstructured, verified engineapi.ImageVerificationMetadata) (unstructured.Unstructured, error) {
	operations, err := verified.Patches(len(obj.GetAnnotations()) != 0, logging.GlobalLogger())
	if err != nil || len(operations) == 0 {
		return obj, err
	}
	decoded, err := jsonpatch.DecodePatch(jsonutils.JoinPatches(patch.ConvertPatches(operations...)...))
	if err != nil {
		return obj, err
	}
	raw, err := obj.MarshalJSON()
	if err != nil {
		return obj, err
	}
	options := jsonpatch.NewApplyOptions()
	options.AllowMissingPathOnRemove, options.EnsurePathExistsOnAdd = true, true
	if raw, err = decoded.ApplyWithOptions(raw, options); err != nil {
		return obj, err
	}
	var out unstructured.Unstructured
	return out, out.UnmarshalJSON(raw)
}

// validate applies the validate rules and the checks of images.
func (c *classicPolicies) validate(ctx context.Context, work *evaluation) error {
	return c.each(ctx, work, func(p classicPolicy) bool { return p.judges },
		func(ctx context.Context, kyverno engineapi.Engine, policy classicPolicy, policyContext *engine.PolicyContext) error {
			c.add(work, policy, kyverno.Validate(ctx, policyContext))
			return nil
		})
}

// replace makes a mutated object the one that later phases see.
func (e *evaluation) replace(obj unstructured.Unstructured) {
	if e.object != nil && obj.Object != nil {
		e.object = &obj
	}
}

// add turns an engine's response into verdicts.
func (c *classicPolicies) add(work *evaluation, policy classicPolicy, response engineapi.EngineResponse) {
	enforces := response.GetValidationFailureAction().Enforce()
	warns := policy.GetSpec().EmitWarning != nil && *policy.GetSpec().EmitWarning
	scored := policy.GetAnnotations()["policies.kyverno.io/scored"] != "false"
	for _, rule := range response.PolicyResponse.Rules {
		verdict := verdictOf(policy.ref, rule)
		switch verdict.Status {
		case Fail:
			// A mutation that fails, and a violation of an enforcing policy, deny the request.
			verdict.Enforced = enforces
			if !scored {
				verdict.Status = Warn
			}
		case Error:
			verdict.Enforced = !policy.failOpen && (enforces || verdict.Type != Validate)
		}
		if rule.EmitWarning() || warns && verdict.Status != Skip && verdict.Type != Generate {
			work.response.Warnings = append(work.response.Warnings,
				fmt.Sprintf("policy %s.%s: %s", policy.GetName(), rule.Name(), rule.Message()))
		}
		work.response.add(verdict)
	}
}

var ruleTypes = map[engineapi.RuleType]RuleType{
	engineapi.Validation: Validate, engineapi.Mutation: Mutate, engineapi.ImageVerify: VerifyImage,
	engineapi.Generation: Generate, engineapi.Deletion: Cleanup,
}

// verdictOf is what any of Kyverno's engines says about one rule.
func verdictOf(policy PolicyRef, rule engineapi.RuleResponse) Verdict {
	verdict := Verdict{
		Policy: policy, Rule: rule.Name(), Type: ruleTypes[rule.RuleType()], Status: Status(rule.Status()),
		Message: rule.Message(), Path: pathIn(rule.Message()), Properties: rule.Properties(),
	}
	for _, exception := range rule.Exceptions() {
		verdict.Exceptions = append(verdict.Exceptions, exception.GetNamespace()+"/"+exception.GetName())
	}
	for _, obj := range rule.GeneratedResources() {
		verdict.Generated = append(verdict.Generated, redecoded(obj))
	}
	verdict.Target, _, _ = rule.PatchedTarget()
	return verdict
}

// redecoded returns the object as a client reads it, with whole numbers as integers.
func redecoded(obj *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	raw, err := obj.MarshalJSON()
	if err != nil || out.UnmarshalJSON(raw) != nil {
		return obj // it lacks a kind, say; it is shown as it is
	}
	return out
}
