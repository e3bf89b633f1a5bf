package kyvernotest

import (
	"fmt"
	"strings"
)

// Report holds the results of tests, in their order.
type Report struct {
	Tests []Result `json:"tests"`
}

// Result is what one test gave.
type Result struct {
	// Path is the file of the suite.
	Path string `json:"path"`
	// Name is the test's name; empty for many.
	Name string `json:"name,omitempty"`
	// Rows are the expectations, each for one resource.
	Rows []Row `json:"rows,omitempty"`
	// Warnings name what the test refers to and the command line passes over in silence: files and documents that
	// cannot be read, policies that Kyverno would not admit, resources given twice.
	Warnings []string `json:"warnings,omitempty"`
	// Err says why the test could not be run; nil when it was.
	Err error `json:"-"`
}

// Row is one expectation for one resource.
type Row struct {
	// Policy and Rule are those of the expectation, or of the verdict for an assertion under `checks`.
	Policy string `json:"policy"`
	Rule   string `json:"rule,omitempty"`
	// Resource is what the verdict is on; for a generated resource, that one.
	Resource Resource `json:"resource"`
	// Passed says that the command line counts the row as passed. For policies of the kinds ClusterPolicy, Policy,
	// GeneratingPolicy and MutatingAdmissionPolicy it does so whatever the verdict if Want is fail.
	Passed bool `json:"passed"`
	// Want is the expected verdict: pass, fail, skip, warn or error. Got is the verdict; empty when there is none.
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	// Reason says why the row passed or failed.
	Reason Reason `json:"reason"`
	// Message is the verdict's own, or says what differs from the expected resource or assertion.
	Message string `json:"message,omitempty"`
}

// Resource names an object. A test may leave all but the name empty.
type Resource struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// Reason is why a row passed or failed.
type Reason string

const (
	// AsExpected is a verdict, resource or assertion that is as expected.
	AsExpected Reason = "as expected"
	// Excluded is a policy that has no verdict of the rule on the resource, which passes.
	Excluded Reason = "excluded"
	// NotFound is a policy or resource that the test does not have.
	NotFound Reason = "not found"
	// OtherVerdict is a verdict other than expected.
	OtherVerdict Reason = "other verdict"
	// OtherResource is a mutated or generated resource that differs from the expected one.
	OtherResource Reason = "other resource"
	// NoResource is an expected resource that cannot be read.
	NoResource Reason = "resource error"
	// AssertionFailed is an assertion under `checks` that does not hold.
	AssertionFailed Reason = "assertion failed"
	// AssertionHeld is an assertion under `checks` that holds and should not.
	AssertionHeld Reason = "assertion held"
)

// Passed counts the rows that passed.
func (r *Report) Passed() int { return r.count(true) }

// Failed counts the rows that failed.
func (r *Report) Failed() int { return r.count(false) }

func (r *Report) count(passed bool) int {
	count := 0
	for _, result := range r.Tests {
		for _, row := range result.Rows {
			if row.Passed == passed {
				count++
			}
		}
	}
	return count
}

// OK says that every test could be run and every row passed.
func (r *Report) OK() bool {
	for _, result := range r.Tests {
		if result.Err != nil {
			return false
		}
	}
	return r.Failed() == 0
}

// Text lists the tests with what failed in them, and ends with the counts.
func (r *Report) Text() string {
	var b strings.Builder
	for _, result := range r.Tests {
		fmt.Fprintln(&b, result.Path)
		for _, warning := range result.Warnings {
			fmt.Fprintf(&b, "  warning: %s\n", warning)
		}
		if result.Err != nil {
			fmt.Fprintf(&b, "  error: %v\n", result.Err)
		}
		for _, row := range result.Rows {
			if !row.Passed {
				fmt.Fprintf(&b, "  fail: %s\n", row)
			}
		}
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed\n", r.Passed(), r.Failed())
	return b.String()
}

// String puts the row into one line.
func (r Row) String() string {
	subject := r.Policy
	if r.Rule != "" {
		subject += ", rule " + r.Rule
	}
	line := fmt.Sprintf("%s on %s: %s", subject, r.Resource, r.Reason)
	if r.Reason == OtherVerdict {
		line += fmt.Sprintf(": want %s, got %s", r.Want, r.Got)
	}
	if r.Message != "" {
		line += ": " + r.Message
	}
	return line
}

// String names the resource as kind, namespace and name.
func (r Resource) String() string {
	var parts []string
	for _, part := range []string{r.Namespace, r.Name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.TrimSpace(r.Kind + " " + strings.Join(parts, "/"))
}
