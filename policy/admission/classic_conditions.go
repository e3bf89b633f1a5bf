package admission

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
)

// callConditions are the match conditions of a policy's webhook, by which the API server decides whether it asks Kyverno.
type callConditions struct {
	matcher matchconditions.Matcher
	// authorizes says that they ask what the user may do, which cannot be given.
	authorizes bool
}

// compileConditions returns nil for a policy without conditions.
// kubernetes: staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/accessors.go
func compileConditions(ref PolicyRef, spec *kyvernov1.Spec, failOpen bool) (*callConditions, error) {
	conditions := spec.GetMatchConditions()
	if len(conditions) == 0 {
		return nil, nil //nolint:nilnil // there are none, and it is no error
	}
	out := &callConditions{}
	expressions := make([]cel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		expressions[i] = (*matchconditions.MatchCondition)(&conditions[i])
		out.authorizes = out.authorizes || strings.Contains(conditions[i].Expression, "authorizer")
	}
	compiler := cel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion(), true))
	compiled := compiler.CompileCondition(expressions,
		cel.OptionalVariableDeclarations{HasAuthorizer: true, StrictCost: true}, environment.StoredExpressions)
	if faults := compiled.CompilationErrors(); len(faults) > 0 {
		return nil, &CompileError{Policy: ref, Path: "spec.webhookConfiguration.matchConditions", Err: errors.Join(faults...)}
	}
	failure := admissionregistrationv1.Fail
	if failOpen {
		failure = admissionregistrationv1.Ignore
	}
	out.matcher = matchconditions.NewMatcher(compiled, &failure, "webhook", "admit", ref.Name)
	return out, nil
}

// authorizes reports whether the expressions of a policy's rules ask what the user may do.
func authorizes(spec *kyvernov1.Spec) bool {
	return slices.ContainsFunc(spec.Rules, func(rule kyvernov1.Rule) bool {
		if !rule.HasValidateCEL() {
			return false
		}
		text, err := json.Marshal([]any{rule.Validation.CEL, rule.CELPreconditions})
		return err == nil && strings.Contains(string(text), "authorizer.")
	})
}

// calls reports whether Kyverno is asked about a request.
func (c *classicPolicies) calls(ctx context.Context, policy classicPolicy, work *evaluation) (bool, error) {
	if c.options.AsCommandLine {
		return true, nil
	}
	if policy.authorizes || policy.conditions != nil && policy.conditions.authorizes {
		return false, &MissingContextError{What: "what the user may do", Supply: "a cluster: it cannot be given"}
	}
	if policy.conditions == nil {
		return true, nil
	}
	attributes := (&nativePolicies{cluster: c.cluster}).begin(work).attributes
	result := policy.conditions.matcher.Match(ctx, &admission.VersionedAttributes{
		Attributes: attributes, VersionedKind: attributes.GetKind(),
		VersionedObject: attributes.GetObject(), VersionedOldObject: attributes.GetOldObject(),
	}, nil, nil)
	return result.Matches, result.Error
}
