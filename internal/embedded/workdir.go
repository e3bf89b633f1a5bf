package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

const (
	workdirPrefix = "backbone-"
	lockName      = "lock"
)

// workdir is the directory of one cluster, locked while its owner lives.
type workdir struct {
	path string
	lock *flock.Flock
}

// newWorkdir makes a directory, after removing those whose owner was killed.
func newWorkdir() (*workdir, error) {
	if err := checkSpace(os.TempDir(), runSpace); err != nil {
		return nil, err
	}
	if err := sweep(); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp("", workdirPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's directory: %w: make it writable, or name another with TMPDIR", err)
	}
	// The lock takes its name only once it is held: another process that sweeps
	// at this moment must not find it free.
	unnamed := filepath.Join(path, lockName+".new")
	w := &workdir{path: path, lock: flock.New(unnamed)}
	if err := w.lock.Lock(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the cluster's directory: %w", err), os.RemoveAll(path))
	}
	if err := os.Rename(unnamed, w.lockPath()); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the cluster's directory: %w", err), w.close(false))
	}
	return w, nil
}

func (w *workdir) lockPath() string { return filepath.Join(w.path, lockName) }

// close removes the directory, or all but its lock when it is to be kept.
func (w *workdir) close(keep bool) error {
	if keep {
		return errors.Join(os.Remove(w.lockPath()), w.lock.Unlock())
	}
	return errors.Join(os.RemoveAll(w.path), w.lock.Unlock())
}

// sweep removes directories that still have a lock file which nobody holds. One
// that is kept on purpose has none.
func sweep() error {
	locks, err := filepath.Glob(filepath.Join(os.TempDir(), workdirPrefix+"*", lockName))
	if err != nil {
		return err
	}
	for _, path := range locks {
		lock := flock.New(path, flock.SetFlag(os.O_RDWR)) // never creates what another sweep has just removed
		locked, err := lock.TryLock()
		if err != nil || !locked {
			continue // another user's, or in use
		}
		err = os.RemoveAll(filepath.Dir(path))
		if err := errors.Join(err, lock.Unlock()); err != nil {
			return fmt.Errorf("remove what a killed cluster left: %w", err)
		}
	}
	return nil
}
