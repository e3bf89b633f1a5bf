package house_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/finding"
	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

// checks are the rules of every package that checks a set of objects.
var checks = []struct {
	name  string
	rules []finding.Rule
}{
	{"gitops.Check", gitops.Rules()},
	{"policy.Check", policy.CheckRules()},
	{"admission.Check", admission.CheckRules()},
	{"eventing.Check", eventing.CheckRules()},
}

// TestChecksDocumentIsWhatTheCodeChecks keeps docs/checks.md; make generate writes it.
func TestChecksDocumentIsWhatTheCodeChecks(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Checks\n\nWritten by `make generate` from the rules in the code. A code keeps its meaning and is never used again. " +
		"An error is something that is rejected, ignored or cannot work; a warning is something that works and may surprise.\n")
	for _, check := range checks {
		fmt.Fprintf(&b, "\n## %s\n\n| code | severity | what is wrong | what to do | source |\n|---|---|---|---|---|\n", check.name)
		for _, rule := range check.rules {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", rule.Code, rule.Severity, cell(rule.Summary), cell(rule.Fix), cell(rule.Source))
		}
	}
	golden.Text(t, "../../docs/checks.md", b.String())
}

func TestChecksHaveCodesOfTheirOwnAndSayEverything(t *testing.T) {
	seen := map[string]bool{}
	for _, check := range checks {
		for _, rule := range check.rules {
			require.False(t, seen[rule.Code], "%s is used twice", rule.Code)
			seen[rule.Code] = true
			require.Contains(t, []finding.Severity{finding.Error, finding.Warning}, rule.Severity, rule.Code)
			for _, text := range []string{rule.Summary, rule.Fix, rule.Source} {
				require.NotEmpty(t, text, rule.Code)
			}
		}
	}
}

// cell keeps a text inside its cell of a Markdown table, and literally.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "\n", " ").Replace(text)
}
