package kyvernotest

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/policy/admission"
)

// applyToPayload gives the responses of all policies on a JSON document. Classic policies have nothing to say about it.
func (e *evaluator) applyToPayload(ctx context.Context, payload *unstructured.Unstructured) ([]response, error) {
	if len(e.validatingNative)+len(e.mutatingNative) > 0 {
		return nil, errors.New("a ValidatingAdmissionPolicy or MutatingAdmissionPolicy cannot judge it: test it in a suite of its own")
	}
	w := &work{in: e.in, object: payload}
	for _, p := range e.classic {
		if validates(p.policy) {
			w.add(p.object, payload)
		}
	}
	judge := func(p celPolicy, only admission.RuleType) error {
		answer, err := p.engine.Evaluate(ctx, admission.Request{Payload: payload.Object, Only: []admission.RuleType{only}})
		if err != nil {
			return err
		}
		w.add(p.object, payload, rulesFrom(answer.Verdicts)...)
		return nil
	}
	for _, p := range e.validating {
		if err := judge(p, admission.Validate); err != nil {
			return nil, err
		}
	}
	for _, p := range e.imageValidating {
		if err := judge(p, admission.VerifyImage); err != nil {
			return nil, err
		}
	}
	for _, p := range e.deleting {
		if err := judge(p, admission.Cleanup); err != nil {
			return nil, err
		}
	}
	return w.responses, nil
}
