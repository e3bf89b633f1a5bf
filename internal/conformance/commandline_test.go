package conformance_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/policy/admission/kyvernotest"
)

// kyvernoCLI is the path of the command line of the Kyverno in go.mod, built on first use.
var kyvernoCLI = sync.OnceValues(func() (string, error) {
	return embedded.BuildKyvernoCLI(context.Background(), func(event embedded.Event) {
		if event.Kind == embedded.Built {
			fmt.Fprintln(os.Stderr, event)
		}
	})
})

// cliRun is what one run of `kyverno test` printed.
type cliRun struct {
	// rows are those of each suite that ran, by the path of its file.
	rows map[string][]cliRow
	// summary is the last line; empty when the run ended early.
	summary string
	failed  bool
	output  string
}

// cliRow is a row of the command line's table.
type cliRow struct {
	Policy, Rule, Resource, Result, Reason, Message string
}

var cliSuite = regexp.MustCompile(`(?m)^Loading test .*\( (.*) \) \.\.\.$`)

var cliSummary = regexp.MustCompile(`Test Summary: (\d+ tests passed and \d+ tests failed)`)

func runKyvernoTest(t *testing.T, directory string) cliRun {
	t.Helper()
	program, err := kyvernoCLI()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), program, "test", directory, "-o", "json", "--detailed-results")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	var exit *exec.ExitError
	if err != nil {
		require.True(t, errors.As(err, &exit), "run the command line: %v", err)
	}
	run := cliRun{rows: map[string][]cliRow{}, failed: err != nil, output: stdout.String() + stderr.String()}
	if summary := cliSummary.FindStringSubmatch(stdout.String()); summary != nil {
		run.summary = summary[1]
	}
	suites := cliSuite.FindAllStringSubmatchIndex(stdout.String(), -1)
	for i, at := range suites {
		end := stdout.Len()
		if i+1 < len(suites) {
			end = suites[i+1][0]
		}
		suite := stdout.String()[at[2]:at[3]]
		run.rows[suite] = append(run.rows[suite], parseRows(t, stdout.String()[at[1]:end])...)
	}
	return run
}

// parseRows finds the table in what the command line printed about a suite.
func parseRows(t *testing.T, text string) []cliRow {
	t.Helper()
	start := strings.Index(text, "\n[\n")
	if start < 0 {
		return nil
	}
	var rows []cliRow
	require.NoError(t, json.NewDecoder(strings.NewReader(text[start:])).Decode(&rows), text)
	for i, row := range rows {
		switch row.Reason {
		case "Excluded", "Not found":
			// The command line prints parts of such a resource's name in the wrong places.
			rows[i].Resource, rows[i].Message = "", ""
		case "Resource diff", "Resource error":
			rows[i].Message = "" // in words of its own
		}
	}
	return rows
}

// asCommandLine writes a row as the command line does.
func asCommandLine(row kyvernotest.Row) cliRow {
	resource := row.Resource
	out := cliRow{
		Policy: row.Policy, Rule: row.Rule, Result: "Fail", Message: row.Message,
		Resource: path.Join(resource.APIVersion, resource.Kind, resource.Namespace, resource.Name),
	}
	if row.Passed {
		out.Result = "Pass"
	}
	switch row.Reason {
	case kyvernotest.AsExpected:
		out.Reason = "Ok"
	case kyvernotest.Excluded:
		out.Reason, out.Resource, out.Message = "Excluded", "", ""
	case kyvernotest.NotFound:
		out.Reason, out.Resource, out.Message = "Not found", "", ""
	case kyvernotest.OtherVerdict:
		out.Reason = fmt.Sprintf("Want %s, got %s", row.Want, row.Got)
	case kyvernotest.OtherResource:
		out.Reason, out.Message = "Resource diff", ""
	case kyvernotest.NoResource:
		out.Reason, out.Message = "Resource error", ""
	case kyvernotest.AssertionFailed:
		out.Reason, out.Message = row.Message, ""
	case kyvernotest.AssertionHeld:
		out.Reason = "The assertion succeeded but was expected to fail"
	}
	return out
}

func sortRows(rows []cliRow) []cliRow {
	slices.SortFunc(rows, func(a, b cliRow) int {
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	return rows
}

// named says that not more than the name of the resource can be compared: rows of generated resources and of payloads
// hold no more, and those of checks put the namespace first.
func (r cliRow) named() bool {
	return strings.HasPrefix(r.Resource, "/") || strings.HasPrefix(r.Resource, ".") || strings.Count(r.Resource, "/") == 2
}

func onlyNames(rows []cliRow) {
	for i := range rows {
		rows[i].Resource = path.Base(rows[i].Resource)
	}
}

func onlyResults(rows []cliRow) {
	for i := range rows {
		rows[i].Reason, rows[i].Message = "", ""
	}
}
