package kyvernotest

import (
	"context"
	"fmt"
	"os"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/path"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/resource"
	"github.com/kyverno/kyverno/pkg/autogen"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/policy/admission"
)

// classicPolicy is a ClusterPolicy or Policy with an engine of its own: the command line applies one after the other,
// and values may differ from policy to policy, even in the operation.
type classicPolicy struct {
	policy kyvernov1.PolicyInterface
	object *unstructured.Unstructured
	engine *admission.Engine
}

func (t Test) compileClassic(in *inputs) ([]classicPolicy, error) {
	exceptions, err := in.classicExceptions()
	if err != nil {
		return nil, err
	}
	var compiled []classicPolicy
	for _, policy := range in.policies.Policies {
		object, err := toUnstructured(policy, kyvernov1.SchemeGroupVersion.String(), policy.GetKind())
		if err != nil {
			return nil, err
		}
		sources, err := t.cloneSources(policy)
		if err != nil {
			return nil, err
		}
		engine, err := admission.New([]*unstructured.Unstructured{object}, admission.Options{
			Exceptions: exceptions,
			Data: admission.Data{
				Objects:   append(sources, in.targets...),
				Complete:  targetKinds(policy),
				Variables: in.variablesOf(policy.GetName()),
			},
			AsCommandLine: true,
		})
		if err != nil {
			return nil, err
		}
		compiled = append(compiled, classicPolicy{policy, object, engine})
	}
	return compiled, nil
}

// targetKinds are those of the objects that a policy mutates besides: the suite gives all of them that there are.
func targetKinds(policy kyvernov1.PolicyInterface) []schema.GroupKind {
	var kinds []schema.GroupKind
	for _, rule := range policy.GetSpec().Rules {
		if rule.Mutation == nil {
			continue
		}
		for _, target := range rule.Mutation.Targets {
			kinds = append(kinds, schema.FromAPIVersionAndKind(target.APIVersion, target.Kind).GroupKind())
		}
	}
	return kinds
}

// classicExceptions are the exceptions of kyverno.io.
func (in *inputs) classicExceptions() ([]*unstructured.Unstructured, error) {
	var exceptions []*unstructured.Unstructured
	for _, exception := range in.exceptions.Exceptions {
		object, err := toUnstructured(exception, "kyverno.io/v2", "PolicyException")
		if err != nil {
			return nil, err
		}
		exceptions = append(exceptions, object)
	}
	return exceptions, nil
}

// cloneSources reads the objects that the rules of a policy clone: the first result of a rule names their file.
func (t Test) cloneSources(policy kyvernov1.PolicyInterface) ([]*unstructured.Unstructured, error) {
	var sources []*unstructured.Unstructured
	for _, rule := range autogen.Default.ComputeRules(policy, "") {
		for _, expected := range t.spec.Results {
			if expected.IsValidatingAdmissionPolicy || expected.IsValidatingPolicy || expected.Rule != rule.Name {
				continue
			}
			if rule.HasGenerate() && expected.CloneSourceResource != "" {
				content, err := os.ReadFile(path.GetFullPath(expected.CloneSourceResource, t.dir()))
				if err != nil {
					break // the command line goes on without a source
				}
				objects, err := resource.GetUnstructuredResources(content)
				if err != nil {
					return nil, fmt.Errorf("read the source of clones %s: %w", expected.CloneSourceResource, err)
				}
				sources = append(sources, objects...)
			}
			break
		}
	}
	return sources, nil
}

func (e *evaluator) mutateClassic(ctx context.Context, w *work) error {
	for _, p := range e.classic {
		if !p.policy.GetSpec().HasMutate() {
			continue
		}
		answer, err := p.evaluate(ctx, w, admission.Mutate)
		if err != nil {
			return err
		}
		patched := w.object
		if answer.Object != nil {
			patched = answer.Object
		}
		w.add(p.object, patched, rulesFrom(answer.Verdicts)...)
		w.object = patched
	}
	return nil
}

func (e *evaluator) verifyClassic(ctx context.Context, w *work) error {
	for _, p := range e.classic {
		if !p.policy.GetSpec().HasVerifyImages() {
			continue
		}
		answer, err := p.evaluate(ctx, w, admission.VerifyImage)
		if err != nil {
			return err
		}
		patched := w.object
		if answer.Object != nil {
			patched = answer.Object
		}
		w.add(p.object, patched, rulesFrom(answer.Verdicts)...)
		w.object = patched
	}
	return nil
}

func (e *evaluator) validateClassic(ctx context.Context, w *work) error {
	for _, p := range e.classic {
		if !validates(p.policy) {
			continue
		}
		answer, err := p.evaluate(ctx, w, admission.Validate)
		if err != nil {
			return err
		}
		w.add(p.object, w.object, rulesFrom(answer.Verdicts)...)
	}
	return nil
}

func validates(policy kyvernov1.PolicyInterface) bool {
	for _, rule := range policy.GetSpec().Rules {
		if rule.HasValidate() || rule.HasVerifyImageChecks() {
			return true
		}
	}
	return false
}

// generateClassic gives no response for a policy that does not apply.
func (e *evaluator) generateClassic(ctx context.Context, w *work) error {
	for _, p := range e.classic {
		if !p.policy.GetSpec().HasGenerate() {
			continue
		}
		answer, err := p.evaluate(ctx, w, admission.Generate)
		if err != nil {
			return err
		}
		if len(answer.Verdicts) > 0 {
			w.add(p.object, w.object, rulesFrom(answer.Verdicts)...)
		}
	}
	return nil
}

// evaluate asks for the verdicts of one type of rules.
func (p classicPolicy) evaluate(ctx context.Context, w *work, only admission.RuleType) (*admission.Response, error) {
	request := w.request(only)
	if subresource, ok := w.in.subresource(w.object); ok {
		request.Parent = parentOf(subresource)
		_, request.Subresource, _ = strings.Cut(subresource.Subresource.Name, "/")
	}
	answer, err := p.engine.Evaluate(ctx, request)
	if err != nil {
		return nil, err
	}
	return answer, inject(w.object, w.in.valuesFor(p.policy.GetName(), w.object.GetName()))
}
