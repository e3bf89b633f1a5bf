package preview

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// GitIn runs git in a folder, free of the configuration of whoever runs the tests.
func GitIn(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := TryGitIn(t, dir, args...)
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSuffix(out, "\n")
}

// TryGitIn is GitIn for what may fail: it returns what git says then.
func TryGitIn(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", append([]string{
		"-c", "user.name=preview", "-c", "user.email=preview@example.com", "-c", "init.defaultBranch=main",
		"-c", "protocol.file.allow=always", "-c", "commit.gpgSign=false", "-c", "gc.auto=0"}, args...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return stderr.String(), err
	}
	return string(out), nil
}

// WriteFiles puts files into a folder: content by path.
func WriteFiles(t testing.TB, dir string, contents map[string]string) {
	t.Helper()
	for name, content := range contents {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
}

// GitRepository makes a repository of one commit that holds the files.
func GitRepository(t testing.TB, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	GitIn(t, dir, "init", "--quiet")
	WriteFiles(t, dir, contents)
	Commit(t, dir, "first")
	return dir
}

// Commit commits all that is in a working tree, and returns the commit.
func Commit(t testing.TB, dir, message string) string {
	t.Helper()
	GitIn(t, dir, "add", "--all", "--force")
	GitIn(t, dir, "commit", "--quiet", "--allow-empty", "--message", message)
	return GitIn(t, dir, "rev-parse", "HEAD")
}

// PipeToGit runs git in a folder with an input, and returns what it prints.
func PipeToGit(t testing.TB, dir, input string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir, command.Stdin = dir, strings.NewReader(input)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSuffix(string(out), "\n")
}
