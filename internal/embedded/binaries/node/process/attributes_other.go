//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// attributes puts a child into a process group of its own. Only the watchdog
// ends it when this program dies.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// finish waits for the child, then ends what it leaves behind in its group.
func finish(cmd *exec.Cmd, killGroup func()) {
	_ = cmd.Wait() // the process state tells how it ended
	killGroup()
}
