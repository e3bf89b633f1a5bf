package embedded

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// edit changes a file of a module that the programs are built from.
type edit struct {
	module, file string
	// old is replaced by new wherever it stands, for paths and ports that upstream fixes: a process on this target has
	// neither a root directory nor a network of its own.
	old, new string
	// target is the file that this one is a link to in upstream's repository, and so no part of the module.
	target string
}

// edited writes copies of the modules that edits change into dir, beside a go.mod that leads to them, whose path it
// returns: none without edits. An edit whose text is not there fails: upstream has changed.
func (m module) edited(ctx context.Context, dir string) (string, error) {
	if len(m.edits) == 0 {
		return "", nil
	}
	source, err := m.dir()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	replaced := map[string]bool{}
	for _, e := range m.edits {
		copied := filepath.Join(dir, filepath.FromSlash(e.module))
		if err := e.apply(ctx, m, copied); err != nil {
			return "", fmt.Errorf("edit %s of %s: %w", e.file, e.module, err)
		}
		if !replaced[e.module] {
			replaced[e.module] = true
			text = fmt.Appendf(text, "\nreplace %s => %q\n", e.module, copied)
		}
	}
	sums, err := os.ReadFile(filepath.Join(source, "go.sum"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "go.mod")
	return path, os.WriteFile(path, text, 0o600)
}

// apply copies the module, unless an earlier edit has, and changes the file.
func (e edit) apply(ctx context.Context, m module, copied string) error {
	if _, err := os.Stat(copied); err != nil {
		original, err := m.dependency(ctx, e.module)
		if err != nil {
			return err
		}
		if err := os.CopyFS(copied, os.DirFS(original)); err != nil {
			return err
		}
	}
	path := filepath.Join(copied, filepath.FromSlash(e.file))
	text, err := os.ReadFile(filepath.Join(copied, filepath.FromSlash(cmp.Or(e.target, e.file))))
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(e.old)) {
		return fmt.Errorf("it does not contain %q", e.old)
	}
	return os.WriteFile(path, bytes.ReplaceAll(text, []byte(e.old), []byte(e.new)), 0o600)
}
