package process

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes puts a child into a process group of its own and has the kernel
// kill it when the thread that started it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// finish waits for the child and ends what it leaves behind in its group, while
// the child still holds its process id: so the group cannot be mistaken for a
// newer one, and output pipes close without delay.
func finish(cmd *exec.Cmd, killGroup func()) {
	for errors.Is(unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
	killGroup()
	_ = cmd.Wait() // the process state tells how it ended
}
