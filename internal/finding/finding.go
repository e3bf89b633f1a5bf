// Package finding describes what the cross-object checks of the packages report: findings, and the rules behind them.
package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a finding means for the platform.
type Severity string

const (
	// Error is something that will be rejected, or will not work.
	Error Severity = "error"
	// Warning is something that works and may surprise.
	Warning Severity = "warning"
)

// Rule is what a check looks for.
type Rule struct {
	// Code is stable: it never changes its meaning and is never used again.
	Code     string
	Severity Severity
	// Summary says in one sentence what is wrong.
	Summary string
	// Fix says what to do about it.
	Fix string
	// Source is where the rule comes from: a file of the upstream project.
	Source string
}

// Finding is one place that breaks a rule.
type Finding struct {
	Code     string
	Severity Severity
	// Object is the one at fault: "Kind namespace/name".
	Object string
	// Path of the field in the object, such as "spec.destination.namespace".
	Path string
	// Message says what is wrong there.
	Message string
	// Fix says what to do about it.
	Fix string
}

// String returns the finding in one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s %s: %s: %s: %s (%s)", f.Severity, f.Code, f.Object, f.Path, f.Message, f.Fix)
}

// At returns a finding of the rule.
func (r Rule) At(object, path, message string) Finding {
	return Finding{Code: r.Code, Severity: r.Severity, Object: object, Path: path, Message: message, Fix: r.Fix}
}

// Sort orders findings by object, path and code, so that the same objects always give the same report.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			strings.Compare(a.Object, b.Object),
			strings.Compare(a.Path, b.Path),
			strings.Compare(a.Code, b.Code),
			strings.Compare(a.Message, b.Message),
		)
	})
}
