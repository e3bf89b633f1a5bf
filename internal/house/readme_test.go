package house_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeShowsTheExample keeps the README's code the one that is tested.
func TestReadmeShowsTheExample(t *testing.T) {
	source, err := os.ReadFile("../../example_test.go")
	require.NoError(t, err)
	_, body, found := strings.Cut(string(source), "func Example() {\n")
	require.True(t, found)
	body, _, found = strings.Cut(body, "\t// Output:")
	require.True(t, found)

	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	shown := strings.ReplaceAll("\n"+strings.TrimRight(body, "\n"), "\n\t", "\n")
	require.Contains(t, string(readme), "```go"+shown+"\n```")
}

// TestEverybodyRunsTheSameTests keeps the README's test command the one that CI
// and the Makefile run.
func TestEverybodyRunsTheSameTests(t *testing.T) {
	const command = "go test -p 1 -timeout 60m ./...\n"
	for _, file := range []string{"README.md", "Makefile", ".ci/run"} {
		text, err := os.ReadFile("../../" + file)
		require.NoError(t, err)
		require.Contains(t, string(text), command, file)
	}
}
