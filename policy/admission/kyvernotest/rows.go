package kyvernotest

import (
	"slices"
	"strings"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/apis/v1alpha1"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/openreports"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The functions of this file give the rows that cmd/cli/kubectl-kyverno/commands/test/output.go gives, whose rules are
// part of what a suite means.

// expect compares an expectation with the outcome, giving a row for each resource it is about and each verdict on it.
func (t Test) expect(expected v1alpha1.TestResult, all outcome) []Row {
	var rows []Row
	for _, resource := range selectResources(expected, all) {
		rows = append(rows, t.expectOn(expected, all, resource)...)
	}
	return rows
}

// selectResources finds the resources that an expectation names, or all of them when it names none that exist. A
// resource that is both trigger and target appears twice.
func selectResources(expected v1alpha1.TestResult, all outcome) []Resource {
	var selected []Resource
	choose := func(chosen func(Resource) bool) {
		for _, subjects := range [][]subject{all.targets, all.triggers} {
			for _, subject := range subjects {
				if chosen(subject.resource) {
					selected = append(selected, subject.resource)
				}
			}
		}
	}
	for _, name := range expected.Resources {
		choose(func(resource Resource) bool { return resource.called(name) })
	}
	// Without names the command line does not look at the specifications either.
	if expected.Resources != nil {
		for _, spec := range expected.ResourceSpecs {
			choose(func(resource Resource) bool { return matchesSpec(resource, spec) })
		}
	}
	if len(selected) == 0 {
		choose(func(Resource) bool { return true })
	}
	return selected
}

// matchesSpec ignores the kind, as the command line does.
func matchesSpec(resource Resource, spec v1alpha1.TestResourceSpec) bool {
	apiVersion := spec.Version
	if spec.Group != "" {
		apiVersion = spec.Group + "/" + spec.Version
	}
	return resource.APIVersion == apiVersion && resource.Namespace == spec.Namespace && resource.Name == spec.Name
}

func (t Test) expectOn(expected v1alpha1.TestResult, all outcome, resource Resource) []Row {
	var rows []Row
	skipped := false // by an expected resource that the file does not hold
	for _, response := range responsesOn(all.triggers, resource) {
		if response.policy.GetName() != policyName(expected) {
			continue
		}
		for _, rule := range rulesOf(expected, response) {
			found, absent := t.judge(expected, response, rule, resource)
			skipped = skipped || absent
			rows = append(rows, found...)
		}
		if len(rows) == 0 && !skipped {
			rows = append(rows, plainRow(expected, resource, true, Excluded))
		}
	}
	for _, response := range responsesOn(all.targets, resource) {
		rule := response.rules[0]
		row := t.compare(expected, response, rule, rule.target, resource)
		row.Passed = row.Passed || isLenient(expected)
		rows = append(rows, row)
	}
	if len(rows) == 0 && !skipped {
		rows = append(rows, plainRow(expected, resource, false, NotFound))
	}
	return rows
}

// judge gives the rows of one verdict, or says that the file of expected resources does not hold the resource.
func (t Test) judge(expected v1alpha1.TestResult, response response, rule ruleResponse, resource Resource) (rows []Row, absent bool) {
	if expected.IsGeneratingPolicy || !isStrict(expected) && rule.kind == engineapi.Generation {
		for _, generated := range rule.generated {
			row := t.compare(expected, response, rule, generated, Resource{Name: generated.GetName()})
			row.Resource = resourceOf(generated)
			row.Passed = row.Passed || isLenient(expected)
			rows = append(rows, row)
		}
		return rows, false
	}
	actual := response.object
	if expected.IsMutatingPolicy || !isStrict(expected) && rule.kind == engineapi.Mutation {
		actual = response.patched
	}
	row := t.compare(expected, response, rule, actual, resource)
	if strings.Contains(row.Message, "not found in manifest") {
		return nil, true
	}
	row.Passed = row.Passed || !isStrict(expected) && isLenient(expected)
	return []Row{row}, false
}

// isStrict tells the kinds of policies whose verdicts must be as expected; for the others see [Row].Passed.
func isStrict(expected v1alpha1.TestResult) bool {
	return expected.IsValidatingAdmissionPolicy || expected.IsValidatingPolicy || expected.IsImageValidatingPolicy ||
		expected.IsDeletingPolicy || expected.IsMutatingPolicy
}

func isLenient(expected v1alpha1.TestResult) bool { return expected.Result == openreports.StatusFail }

// compare compares the expected resource, if there is one, and the verdict.
func (t Test) compare(expected v1alpha1.TestResult, response response, rule ruleResponse, actual *unstructured.Unstructured, resource Resource) Row {
	row := plainRow(expected, resource, true, AsExpected)
	row.Got = response.result(rule)
	row.Message = rule.message
	for _, file := range []string{expected.PatchedResources, expected.GeneratedResource} {
		if file == "" {
			continue
		}
		difference, err := t.compareResource(actual, file)
		switch {
		case err != nil:
			row.Passed, row.Reason, row.Message = false, NoResource, err.Error()
			return row
		case difference != "":
			row.Passed, row.Reason, row.Message = false, OtherResource, difference
			return row
		}
	}
	if row.Got != row.Want {
		row.Passed, row.Reason = false, OtherVerdict
	}
	return row
}

func plainRow(expected v1alpha1.TestResult, resource Resource, passed bool, reason Reason) Row {
	return Row{
		Policy: expected.Policy, Rule: expected.Rule, Resource: resource,
		Passed: passed, Want: string(expected.Result), Reason: reason,
	}
}

func responsesOn(subjects []subject, resource Resource) []response {
	at := slices.IndexFunc(subjects, func(subject subject) bool { return subject.resource == resource })
	if at < 0 {
		return nil
	}
	return subjects[at].responses
}

// policyName is the expected policy without its namespace.
func policyName(expected v1alpha1.TestResult) string {
	return expected.Policy[strings.LastIndex(expected.Policy, "/")+1:]
}

// rulesOf finds the verdicts of the expected rule and of those that Kyverno derives from it for Pod controllers. Kinds
// of policies without named rules give all of theirs.
func rulesOf(expected v1alpha1.TestResult, response response) []ruleResponse {
	if isStrict(expected) || expected.IsMutatingAdmissionPolicy || expected.IsGeneratingPolicy {
		return response.rules
	}
	names := []string{expected.Rule, "autogen-" + expected.Rule, "autogen-cronjob-" + expected.Rule}
	var rules []ruleResponse
	for _, rule := range response.rules {
		if slices.Contains(names, rule.name) {
			rules = append(rules, rule)
		}
	}
	return rules
}
