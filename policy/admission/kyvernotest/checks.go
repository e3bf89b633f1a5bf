package kyvernotest

import (
	"context"
	"fmt"

	"github.com/kyverno/kyverno-json/pkg/apis/policy/v1alpha1"
	"github.com/kyverno/kyverno-json/pkg/engine/assert"
	cli "github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/apis/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// check evaluates an assertion on the verdicts of all rules, policies and resources that it matches.
func (t Test) check(ctx context.Context, check cli.CheckResult, all outcome) ([]Row, error) {
	var rows []Row
	for _, subject := range all.triggers {
		for _, response := range subject.responses {
			matched, err := matchesAll(ctx,
				match{check.Match.Resource, response.object.Object},
				match{check.Match.Policy, response.policy.Object})
			if err != nil {
				return nil, err
			}
			if !matched {
				continue
			}
			for _, rule := range response.rules {
				found, err := checkRule(ctx, check, response, rule)
				if err != nil {
					return nil, err
				}
				rows = append(rows, found...)
			}
		}
	}
	return rows, nil
}

func checkRule(ctx context.Context, check cli.CheckResult, response response, rule ruleResponse) ([]Row, error) {
	matched, err := matchesAll(ctx, match{check.Match.Rule, map[string]any{"name": rule.name}})
	if err != nil || !matched {
		return nil, err
	}
	row := Row{
		Policy: response.policy.GetName(), Rule: rule.name, Resource: resourceOf(response.object),
		Got: response.result(rule), Message: rule.message,
	}
	verdict := map[string]any{
		"name":              rule.name,
		"ruleType":          rule.kind,
		"message":           rule.message,
		"status":            string(rule.status),
		"podSecurityChecks": rule.podSecurity,
		"exceptions":        rule.exceptions,
	}
	var rows []Row
	if check.Assert.Value != nil {
		faults, err := evaluate(ctx, check.Assert, verdict)
		if err != nil {
			return nil, err
		}
		row := row
		if row.Passed, row.Reason = len(faults) == 0, AsExpected; !row.Passed {
			row.Reason, row.Message = AssertionFailed, faults.ToAggregate().Error()
		}
		rows = append(rows, row)
	}
	if check.Error.Value != nil {
		faults, err := evaluate(ctx, check.Error, verdict)
		if err != nil {
			return nil, err
		}
		row := row
		if row.Passed, row.Reason = len(faults) != 0, AsExpected; !row.Passed {
			row.Reason = AssertionHeld
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// match is an assertion that must hold for a check to apply; without one it applies.
type match struct {
	assertion *v1alpha1.Any
	value     any
}

func matchesAll(ctx context.Context, matches ...match) (bool, error) {
	for _, match := range matches {
		if match.assertion == nil {
			continue
		}
		faults, err := evaluate(ctx, *match.assertion, match.value)
		if err != nil || len(faults) > 0 {
			return false, err
		}
	}
	return true, nil
}

func evaluate(ctx context.Context, assertion v1alpha1.Any, value any) (field.ErrorList, error) {
	faults, err := assert.Assert(ctx, nil, assert.Parse(ctx, assertion.Value), value, nil)
	if err != nil {
		return nil, fmt.Errorf("evaluate an assertion of checks: %w", err)
	}
	return faults, nil
}
