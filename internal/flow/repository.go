package flow

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

// Repository is the platform's git repository, in a directory of this machine.
type Repository struct{ dir string }

// Dir is its working tree.
func (r *Repository) Dir() string { return r.dir }

// requireGit reports whether the git command can be run. Argo CD's repo-server
// needs it as much as this program.
func requireGit() error {
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("git is not installed: install it with your system's packages and put it on PATH")
	}
	return nil
}

// newRepository makes a repository of the files, which are not committed yet.
func newRepository(ctx context.Context, dir string, files fs.FS) (*Repository, error) {
	if err := os.CopyFS(dir, files); err != nil {
		return nil, fmt.Errorf("write the repository's files: %w", err)
	}
	r := &Repository{dir: dir}
	if _, err := r.git(ctx, "init", "--quiet", "--initial-branch=main"); err != nil {
		return nil, err
	}
	return r, nil
}

// commit records all files as they are and returns the commit's hash.
func (r *Repository) commit(ctx context.Context, message string) (string, error) {
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

// Replace changes a text, wherever it occurs in a file of the repository. The file must contain it.
func (r *Repository) Replace(path, old, replacement string) error {
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

// CreateRepository makes the repository with the files in its first commit, and publishes it.
func (f *Flow) CreateRepository(ctx context.Context, files fs.FS, message string) error {
	var err error
	if f.Repository, err = newRepository(ctx, filepath.Join(f.workDir, "platform"), files); err != nil {
		return err
	}
	return f.Publish(ctx, message)
}

// Publish commits what has changed and lets the cluster see it.
func (f *Flow) Publish(ctx context.Context, message string) error {
	commit, err := f.Repository.commit(ctx, message)
	if err != nil {
		return err
	}
	url, err := f.Target.Publish(ctx, f.Repository.dir)
	if err != nil {
		return fmt.Errorf("publish the repository: %w", err)
	}
	f.Commit, f.RepositoryURL = commit, url
	return nil
}

func (r *Repository) git(ctx context.Context, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", arguments...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(arguments, " "), err, bytes.TrimSpace(out))
	}
	return strings.TrimSpace(string(out)), nil
}
