package flow

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// errParentGone is why the flow ends when its `go run` was killed.
var errParentGone = errors.New("the go command that ran this program is gone")

// withGoRun ends with the go command when this program is run by `go run`: whoever
// kills that means the flow, but the signal does not reach it.
func withGoRun(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	executable, err := os.Executable()
	if err != nil || !strings.Contains(filepath.ToSlash(executable), "/go-build") {
		return ctx, cancel
	}
	parent := os.Getppid()
	go func() {
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if os.Getppid() != parent {
					cancel(errParentGone)
					return
				}
			}
		}
	}()
	return ctx, cancel
}
