package kyvernotest

import (
	"context"
	"fmt"
	"slices"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/apis/v1alpha1"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/policy/admission"
)

// evaluator applies the policies of a test one by one, in the order of the command line, which is not quite that of
// admission: cmd/cli/kubectl-kyverno/processor/policy_processor.go and commands/test/test.go.
type evaluator struct {
	in                                                *inputs
	classic                                           []classicPolicy
	mutating                                          []celPolicy
	mutatingNative, validatingNative                  []nativePolicy
	validating, generating, imageValidating, deleting []celPolicy
}

// evaluate applies the policies to the resources and the payload.
func (t Test) evaluate(ctx context.Context, in *inputs) (outcome, error) {
	e, err := t.compile(in)
	if err != nil {
		return outcome{}, err
	}
	var all outcome
	for _, obj := range in.resources {
		responses, err := e.apply(ctx, obj)
		if err != nil {
			return outcome{}, fmt.Errorf("apply the policies to %s: %w", resourceOf(obj), err)
		}
		all.triggers = append(all.triggers, subject{resource: resourceOf(obj), responses: responses})
	}
	if in.payload != nil {
		responses, err := e.applyToPayload(ctx, in.payload)
		if err != nil {
			return outcome{}, fmt.Errorf("apply the policies to the payload %s: %w", t.spec.JSONPayload, err)
		}
		all.triggers = append(all.triggers, subject{resource: Resource{Name: t.spec.JSONPayload}, responses: responses})
	}
	all.targets = targetsOf(in.targets, all.triggers)
	return all, nil
}

// compile compiles the policies of the test.
func (t Test) compile(in *inputs) (*evaluator, error) {
	e := &evaluator{in: in}
	var err error
	if e.classic, err = t.compileClassic(in); err != nil {
		return nil, err
	}
	if err := e.compileNative(); err != nil {
		return nil, err
	}
	return e, e.compileCEL()
}

// apply gives the responses of all policies on one resource.
func (e *evaluator) apply(ctx context.Context, obj *unstructured.Unstructured) ([]response, error) {
	w := &work{in: e.in, object: obj, labels: e.in.namespaceLabels(obj.GetNamespace())}
	for _, step := range []func(context.Context, *work) error{
		e.mutateClassic, e.verifyClassic, e.validateClassic, e.mutateNative, e.mutateCEL, e.validateCEL,
		e.generateCEL, e.generateClassic, e.validateNative, e.verifyCEL, e.deleteCEL,
	} {
		if err := step(ctx, w); err != nil {
			return nil, err
		}
	}
	return w.responses, nil
}

// work is what is done on one resource.
type work struct {
	in *inputs
	// object is the resource as the policies have left it so far.
	object    *unstructured.Unstructured
	labels    map[string]string
	responses []response
}

func (w *work) add(policy *unstructured.Unstructured, patched *unstructured.Unstructured, rules ...ruleResponse) {
	w.responses = append(w.responses, response{policy: policy, object: w.object, patched: patched, rules: rules})
}

// request asks for the creation of the resource, by the user of the suite.
func (w *work) request(only admission.RuleType) admission.Request {
	request := admission.Request{
		Object: w.object, NamespaceLabels: w.labels, Only: []admission.RuleType{only},
	}
	if user := w.in.user; user != nil {
		request.User = admission.User{
			Name: user.AdmissionUserInfo.Username, UID: user.AdmissionUserInfo.UID, Groups: user.AdmissionUserInfo.Groups,
			Roles: user.Roles, ClusterRoles: user.ClusterRoles,
		}
		for key, values := range user.AdmissionUserInfo.Extra {
			if request.User.Extra == nil {
				request.User.Extra = map[string][]string{}
			}
			request.User.Extra[key] = values
		}
	}
	return request
}

// kinds are those of the rule types in Kyverno's engine.
var kinds = map[admission.RuleType]engineapi.RuleType{
	admission.Mutate: engineapi.Mutation, admission.Validate: engineapi.Validation,
	admission.VerifyImage: engineapi.ImageVerify, admission.Generate: engineapi.Generation,
	admission.Cleanup: engineapi.Deletion,
}

func rulesFrom(verdicts []admission.Verdict) []ruleResponse {
	rules := make([]ruleResponse, 0, len(verdicts))
	for _, verdict := range verdicts {
		rules = append(rules, ruleResponse{
			name: verdict.Rule, kind: kinds[verdict.Type], status: engineapi.RuleStatus(verdict.Status),
			message: verdict.Message, generated: verdict.Generated, target: verdict.Target,
		})
	}
	return rules
}

// targetsOf finds the target resources that rules have mutated.
func targetsOf(targets []*unstructured.Unstructured, triggers []subject) []subject {
	var found []subject
	for _, target := range targets {
		wanted := resourceOf(target)
		mutated := subject{resource: wanted}
		for _, trigger := range triggers {
			for _, response := range trigger.responses {
				at := slices.IndexFunc(response.rules, func(rule ruleResponse) bool {
					return rule.target != nil && resourceOf(rule.target) == wanted
				})
				if at >= 0 {
					response.rules = response.rules[at : at+1]
					mutated.responses = append(mutated.responses, response)
				}
			}
		}
		if len(mutated.responses) > 0 {
			found = append(found, mutated)
		}
	}
	return found
}

func parentOf(subresource v1alpha1.Subresource) schema.GroupVersionKind {
	parent := subresource.ParentResource
	return schema.GroupVersionKind{Group: parent.Group, Version: parent.Version, Kind: parent.Kind}
}
