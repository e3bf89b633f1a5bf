package admission

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// CompileError says that a policy cannot be evaluated.
type CompileError struct {
	Policy PolicyRef
	// Path of the field at fault, such as "spec.validations[0].expression"; empty when it is the policy as a whole.
	Path string
	Err  error
}

func (e *CompileError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: %v", e.Policy, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Policy, e.Path, e.Err)
}

func (e *CompileError) Unwrap() error { return e.Err }

// Engine evaluates requests against policies. It is safe for concurrent use.
type Engine struct {
	options Options
	cluster *cluster
	classic *classicPolicies
	cel     *celPolicies
	native  *nativePolicies
}

// New compiles policies, which may come with the ClusterRoles of policy.Build. Objects of other kinds are an error, as is a policy that Kyverno would refuse: the error joins a
// *CompileError for each fault.
func New(policies []*unstructured.Unstructured, options Options) (*Engine, error) {
	cluster, err := newCluster(options.Data)
	if err != nil {
		return nil, err
	}
	sorted, err := sortPolicies(policies, options.Exceptions)
	if err != nil {
		return nil, err
	}
	e := &Engine{options: options, cluster: cluster}
	var errs [3]error
	e.classic, errs[0] = compileClassic(sorted, cluster, options)
	e.cel, errs[1] = compileCEL(sorted, cluster, options)
	e.native, errs[2] = compileNative(sorted, cluster, options)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return e, nil
}

// evaluation is the work on one request.
type evaluation struct {
	request Request
	// object is the one of the request as it is now: mutations replace it. It is nil for Delete.
	object   *unstructured.Unstructured
	resource resource
	response *Response
}

// phase is a part of admission, done by one family of policies.
type phase struct {
	of  RuleType
	run func(context.Context, *evaluation) error
	// filtered says that Kyverno's configuration may keep requests from it.
	filtered bool
}

// phases are in the order of admission.
func (e *Engine) phases() []phase {
	return []phase{
		{Mutate, e.classic.mutate, true}, {Mutate, e.native.mutate, false}, {Mutate, e.cel.mutate, true},
		{VerifyImage, e.classic.verifyImages, true}, {VerifyImage, e.cel.verifyImages, true},
		{Validate, e.classic.validate, true}, {Validate, e.native.validate, false}, {Validate, e.cel.validate, true},
		{Generate, e.cel.generate, true}, {Generate, e.classic.generate, true}, {Cleanup, e.classic.cleanup, false}, {Cleanup, e.cel.delete, false},
	}
}

// Evaluate returns what the policies say about a request. An error means that there is no answer: the request is not one,
// or the context has ended.
func (e *Engine) Evaluate(ctx context.Context, request Request) (response *Response, err error) {
	if err := request.validate(); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	name := "the payload"
	if request.Payload == nil {
		name = describe(request.subject())
	}
	defer func() {
		// Kyverno's engine is not proof against all that may be in an object.
		if fault := recover(); fault != nil {
			response, err = nil, fmt.Errorf("evaluate %s: the engine failed: %v", name, fault)
		}
	}()
	if request.Payload != nil {
		return e.cel.evaluatePayload(ctx, request)
	}
	if !e.options.AsCommandLine {
		request = request.withoutNulls()
	}
	work := &evaluation{request: request, response: &Response{}}
	if request.Object != nil {
		work.object = request.Object.DeepCopy()
		work.response.original = request.Object
	}
	if work.resource, err = e.cluster.resourceOf(request); err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", name, err)
	}
	filtered := e.classic.filters(work)
	for _, part := range e.phases() {
		if filtered && part.filtered || !request.wants(part.of) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("evaluate %s: %w", name, context.Cause(ctx))
		}
		if err := part.run(ctx, work); err != nil {
			return nil, fmt.Errorf("evaluate %s: %w", name, err)
		}
	}
	work.response.Object = work.object
	return work.response, nil
}

func describe(obj *unstructured.Unstructured) string {
	if namespace := obj.GetNamespace(); namespace != "" {
		return obj.GetKind() + " " + namespace + "/" + obj.GetName()
	}
	return obj.GetKind() + " " + obj.GetName()
}
