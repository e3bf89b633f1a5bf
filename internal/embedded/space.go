package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// buildSpace is what the largest nested module needs while it is built,
	// outside the Go build cache.
	buildSpace = 1 << 30
	// runSpace is what a cluster's data and logs may grow to.
	runSpace = 512 << 20
)

// SpaceError reports a file system with too little room.
type SpaceError struct {
	// Dir lies on the file system concerned.
	Dir string
	// Free and Needed are bytes.
	Free, Needed uint64
}

func (e *SpaceError) Error() string {
	const mebi = 1 << 20
	return fmt.Sprintf("%s has %d MiB free, %d MiB are needed: free some disk space, or name other directories with %s and TMPDIR",
		e.Dir, e.Free/mebi, e.Needed/mebi, cacheVariable)
}

// checkSpace reports whether the file system of dir, which need not exist yet, has room.
func checkSpace(dir string, needed uint64) error {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < needed {
		return &SpaceError{Dir: dir, Free: free, Needed: needed}
	}
	return nil
}
