package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repository is the platform's git repository, in a directory of this machine.
type repository struct{ dir string }

// requireGit reports whether the git command can be run. Argo CD's repo-server
// needs it as much as this program.
func requireGit() error {
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("git is not installed: install it with your system's packages and put it on PATH")
	}
	return nil
}

// newRepository makes a repository that holds the files in its first commit.
func newRepository(ctx context.Context, dir string, files fs.FS) (*repository, error) {
	if err := os.CopyFS(dir, files); err != nil {
		return nil, fmt.Errorf("write the repository's files: %w", err)
	}
	r := &repository{dir: dir}
	if _, err := r.git(ctx, "init", "--quiet", "--initial-branch=main"); err != nil {
		return nil, err
	}
	return r, nil
}

// commit records all files as they are and returns the commit's hash.
func (r *repository) commit(ctx context.Context, message string) (string, error) {
	if _, err := r.git(ctx, "add", "--all"); err != nil {
		return "", err
	}
	// Neither the machine's identity nor its signing key belongs into the demo.
	if _, err := r.git(ctx, "-c", "user.name=Backbone", "-c", "user.email=backbone@example.com", "-c", "commit.gpgSign=false",
		"commit", "--quiet", "--message", message); err != nil {
		return "", err
	}
	return r.git(ctx, "rev-parse", "HEAD")
}

// replace changes a text in a file of the repository.
func (r *repository) replace(path, old, replacement string) error {
	path = filepath.Join(r.dir, filepath.FromSlash(path))
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(content, []byte(old)) {
		return fmt.Errorf("%s does not contain %q", path, old)
	}
	return os.WriteFile(path, bytes.ReplaceAll(content, []byte(old), []byte(replacement)), 0o600)
}

func (r *repository) git(ctx context.Context, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", arguments...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(arguments, " "), err, bytes.TrimSpace(out))
	}
	return strings.TrimSpace(string(out)), nil
}
