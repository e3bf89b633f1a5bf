package admission

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// RequireDenied fails the test at once unless the engine denies the request. With names of policies, each of them must be
// among those that deny it, and no other may be.
func RequireDenied(t testing.TB, e *Engine, request Request, policies ...string) *Response {
	t.Helper()
	response := evaluateFor(t, e, request)
	if response.Allowed() {
		t.Fatalf("%s is admitted, and must be denied:\n%s", describe(request.subject()), verdictLines(response.Verdicts))
	}
	var names []string
	for _, denial := range response.Denials() {
		names = append(names, denial.Policy.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	wanted := slices.Clone(policies)
	slices.Sort(wanted)
	if len(wanted) > 0 && !slices.Equal(names, slices.Compact(wanted)) {
		t.Fatalf("%s is denied by %s, and must be by %s:\n%s", describe(request.subject()),
			strings.Join(names, ", "), strings.Join(wanted, ", "), verdictLines(response.Denials()))
	}
	return response
}

// RequireAllowed fails the test at once unless the engine admits the request, and no rule ends in an error.
func RequireAllowed(t testing.TB, e *Engine, request Request) *Response {
	t.Helper()
	response := evaluateFor(t, e, request)
	failed := slices.ContainsFunc(response.Verdicts, func(v Verdict) bool { return v.Status == Error })
	if failed || !response.Allowed() {
		t.Fatalf("%s is not admitted:\n%s", describe(request.subject()), verdictLines(response.Verdicts))
	}
	return response
}

func evaluateFor(t testing.TB, e *Engine, request Request) *Response {
	t.Helper()
	response, err := e.Evaluate(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func verdictLines(verdicts []Verdict) string {
	if len(verdicts) == 0 {
		return "no rule matches it"
	}
	lines := make([]string, len(verdicts))
	for i, v := range verdicts {
		lines[i] = fmt.Sprintf("%s %s: %s: %s", v.Policy, v.Rule, v.Status, v.Message)
	}
	return strings.Join(lines, "\n")
}
