// Package flowtest runs examples as a user does.
package flowtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// limit bounds a flow with everything built.
const limit = 2 * time.Minute

// Run builds the example in the working directory, runs it on the embedded target, and returns what it printed. Every
// one of the stages must have succeeded.
func Run(t *testing.T, components []embedded.Component, stages ...string) string {
	t.Helper()
	_, err := embedded.Build(t.Context(), components, func(embedded.Event) {})
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "example")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--verbose")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, stage := range stages {
		require.Regexp(t, `(?m)^`+stage+` +ok `, string(out))
	}
	return string(out)
}
