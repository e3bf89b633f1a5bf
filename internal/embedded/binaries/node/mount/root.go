package mount

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Link makes the root directory anew, with a link to its source at every
// mount path. A mount below another one is linked inside the outer one's source.
func (p Paths) Link() error {
	if err := os.RemoveAll(p.root); err != nil {
		return fmt.Errorf("clear the container's root: %w", err)
	}
	if err := os.MkdirAll(p.root, 0o755); err != nil {
		return fmt.Errorf("make the container's root: %w", err)
	}
	for _, mount := range slices.Backward(p.mounts) {
		link := filepath.Join(p.root, mount.Path)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			return fmt.Errorf("make the parent directory of mount path %s: %w", mount.Path, err)
		}
		if target, err := os.Readlink(link); err == nil && target == mount.Source {
			continue // a nested mount of an earlier start
		}
		if err := os.Symlink(mount.Source, link); err != nil {
			return fmt.Errorf("link mount path %s: %w", mount.Path, err)
		}
	}
	return nil
}
