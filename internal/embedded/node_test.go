package embedded_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// TestLocalNode runs the tests of the local node, which is a module of its own,
// on the control plane of this one.
func TestLocalNode(t *testing.T) {
	dirs, err := embedded.Build(t.Context(), nil, func(embedded.Event) {})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "go", "test", "./...")
	cmd.Dir = filepath.Join("binaries", "node")
	cmd.Env = append(os.Environ(), "GOWORK=off", "BACKBONE_KUBERNETES_BINARY="+filepath.Join(dirs["kubernetes"], "kubernetes"))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}
