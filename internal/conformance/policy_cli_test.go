package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/policy/admission/kyvernotest"
)

// wordedSuites ask for what is not there: a registry, or an object without its kind. Every such row is an error for
// both, or a failure for the command line where a key could not be fetched, and each says in words of its own what is
// missing.
var wordedSuites = []string{
	"lookups",
	"checks",               // the command line gives the words of assertions as reasons
	"native-not-compiling", // the command line gives the position of the fault as a drawing
	"registry",
	"test-image-validating-policy/sample-policy",
	"test-image-validating-policy/with-cel-exceptions",
	"test/container_reorder",
	"test/images/signatures",
	"test/images/verify-signature",
}

func TestSuitesOfKyvernoGiveTheRowsOfItsCommandLine(t *testing.T) {
	directory := t.TempDir()
	upstream := filepath.Join(moduleDir(t, "github.com/kyverno/kyverno"), "test/cli")
	require.NoError(t, os.CopyFS(directory, os.DirFS(upstream)))
	compareWithCommandLine(t, directory)
}

func TestOwnSuitesGiveTheRowsOfTheCommandLine(t *testing.T) {
	entries, err := os.ReadDir("testdata/kyvernotest")
	require.NoError(t, err)
	for _, entry := range entries {
		t.Run(entry.Name(), func(t *testing.T) {
			compareWithCommandLine(t, filepath.Join("testdata", "kyvernotest", entry.Name()))
		})
	}
}

// compareWithCommandLine runs the suites below a directory with the command line and with kyvernotest, and requires the
// same rows.
func compareWithCommandLine(t *testing.T, directory string) {
	t.Helper()
	want := runKyvernoTest(t, directory)
	tests, err := kyvernotest.Load(directory)
	if err != nil {
		require.True(t, want.failed, "only kyvernotest rejects the suites: %v", err)
		require.Empty(t, want.rows)
		return
	}
	report := kyvernotest.Run(t.Context(), tests)
	require.Equal(t, want.failed, !report.OK(), "%s\n%s", want.output, report.Text())
	got := map[string][]cliRow{}
	for _, result := range report.Tests {
		if result.Err == nil {
			for _, row := range result.Rows {
				got[result.Path] = append(got[result.Path], asCommandLine(row))
			}
		}
	}
	differing := 0
	for suite, rows := range want.rows {
		if slices.ContainsFunc(wordedSuites, func(name string) bool { return strings.HasSuffix(filepath.Dir(suite), "/"+name) }) {
			onlyResults(rows)
			onlyResults(got[suite])
		}
		if slices.ContainsFunc(rows, cliRow.named) {
			onlyNames(rows)
			onlyNames(got[suite])
		}
		if difference := cmp.Diff(sortRows(rows), sortRows(got[suite]), cmpopts.EquateEmpty()); difference != "" {
			differing++
			t.Errorf("%s: rows of the command line (-) and of kyvernotest (+):\n%s", suite, difference)
		}
	}
	// A test that cannot be run ends the command line, which then gives no summary.
	if want.summary != "" {
		require.Equal(t, want.summary, fmt.Sprintf("%d tests passed and %d tests failed", report.Passed(), report.Failed()))
	}
	t.Logf("%d suites, %d differ; %d rows passed, %d failed", len(want.rows), differing, report.Passed(), report.Failed())
}
