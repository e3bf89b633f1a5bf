package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	ivpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/ivpol/autogen"
	eval "github.com/kyverno/kyverno/pkg/imageverification/evaluator"
	"github.com/kyverno/kyverno/pkg/imageverification/imagedataloader"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// imagePolicies are ImageValidatingPolicies. They ask registries for signatures, which Data cannot hold: on an object with
// images that they are about, the verdict is Error.
type imagePolicies struct{ policies []imagePolicy }

// imagePolicy is one with the policies that Kyverno makes of it for pod controllers.
type imagePolicy struct {
	celPolicy
	denies bool
	json   bool
	parts  []imagePolicyPart
}

type imagePolicyPart struct {
	policy     *policiesv1alpha1.ImageValidatingPolicy
	exceptions []*policiesv1alpha1.PolicyException
}

func (i *imagePolicies) add(c *celPolicies, obj *unstructured.Unstructured) error {
	policy := &policiesv1alpha1.ImageValidatingPolicy{}
	if err := decode(obj, policy); err != nil {
		return err
	}
	common, err := c.common(obj, policy.Spec.MatchConstraints)
	if err != nil {
		return err
	}
	common.idle = !policy.Spec.AdmissionEnabled() && !c.options.AsCommandLine
	out := imagePolicy{celPolicy: common, json: policy.Spec.EvaluationMode() == policiesv1alpha1.EvaluationModeJSON}
	for _, action := range policy.Spec.ValidationActions() {
		out.denies = out.denies || action == admissionregistrationv1.Deny
	}
	out.parts = append(out.parts, imagePolicyPart{policy, c.exceptionsFor(common.ref)})
	generated, err := ivpolautogen.Autogen(policy)
	if err != nil {
		return &CompileError{Policy: common.ref, Err: err}
	}
	for _, made := range sortedValues(generated) {
		// Kyverno 1.15 knows no exceptions from these (pkg/cel/policies/ivpol/engine/provider.go).
		one := policy.DeepCopy()
		one.Spec = *made.Spec
		out.constraints = append(out.constraints, one.Spec.MatchConstraints)
		out.parts = append(out.parts, imagePolicyPart{policy: one})
	}
	for _, part := range out.parts {
		if _, faults := eval.NewCompiler(nil, nil, nil).Compile(part.policy, part.exceptions); len(faults) > 0 {
			return compileErrors(common.ref, faults)
		}
	}
	i.policies = append(i.policies, out)
	return nil
}

func (i *imagePolicies) evaluate(ctx context.Context, c *celPolicies, work *evaluation) error {
	if !slices.ContainsFunc(i.policies, func(policy imagePolicy) bool { return c.concerns(policy.celPolicy, work) }) {
		return nil
	}
	w, err := c.begin(work)
	if err != nil {
		return err
	}
	if err := w.load(); err != nil {
		return err
	}
	request := w.request.Request
	for _, policy := range i.policies {
		if !c.concerns(policy.celPolicy, work) || !w.admits(policy.celPolicy, VerifyImage, policy.denies) {
			continue
		}
		for _, part := range policy.parts {
			constraints := part.policy.Spec.MatchConstraints
			if constraints == nil {
				continue
			}
			matches, err := c.matcher.Match(&matching.MatchCriteria{Constraints: constraints}, w.attributes, w.namespace)
			if err != nil {
				w.addVerified(policy, nil, fmt.Errorf("failed to execute matching: %w", err))
				continue
			}
			if !matches {
				continue
			}
			compiled, faults := eval.NewCompiler(offline{w.context}, nil, request.RequestResource).Compile(part.policy, part.exceptions)
			if len(faults) > 0 {
				return compileErrors(policy.ref, faults)
			}
			result, err := compiled.Evaluate(ctx, offline{w.context}, w.attributes, &request, w.namespace, true, w.context)
			w.addVerified(policy, result, err)
		}
	}
	return nil
}

// addVerified adds the verdict of a policy, as Kyverno's engine words it; none if match conditions leave the object out.
// kyverno: pkg/cel/policies/ivpol/engine/engine.go, handleMutation
func (w *celWork) addVerified(policy imagePolicy, result *eval.EvaluationResult, err error) {
	verdict := Verdict{Policy: policy.ref, Rule: policy.ref.Name, Type: VerifyImage, Status: Fail, Enforced: policy.denies}
	switch {
	case err != nil:
		verdict.Rule, verdict.Status, verdict.Message = "evaluation", Error, "failed to evaluate policy: "+err.Error()
	case result == nil:
		return
	case len(result.Exceptions) > 0:
		for _, exception := range result.Exceptions {
			verdict.Exceptions = append(verdict.Exceptions, exception.GetNamespace()+"/"+exception.GetName())
		}
		verdict.Rule, verdict.Status = "exception", Skip
		verdict.Message = "rule is skipped due to policy exception: " + strings.Join(verdict.Exceptions, ", ")
	case result.Error != nil:
		verdict.Status, verdict.Message = Error, "error: "+result.Error.Error()
	case result.Result:
		verdict.Status, verdict.Message = Pass, "success"
	default:
		verdict.Message = result.Message
	}
	w.settle(&verdict)
	w.work.response.add(verdict)
}

// offline is what Kyverno gets in place of registries: it knows no image.
type offline struct{ *celContext }

// AddImages implements imagedataloader.ImageContext.
func (o offline) AddImages(_ context.Context, images []string, _ ...imagedataloader.Option) error {
	if len(images) == 0 {
		return nil
	}
	return o.unknown(images[0])
}

// Get implements imagedataloader.ImageContext.
func (o offline) Get(_ context.Context, image string, _ ...imagedataloader.Option) (*imagedataloader.ImageData, error) {
	return nil, o.unknown(image)
}

func (o offline) unknown(image string) error {
	return o.missing.record(&MissingContextError{
		What: "the signatures of image " + image, Supply: "a registry: they cannot be given",
	})
}
