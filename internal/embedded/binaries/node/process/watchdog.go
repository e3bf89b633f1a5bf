package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// watchdog is a process that kills process groups when this program dies. The
// parent-death signal reaches only the leader of a group, and not on every system.
type watchdog struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	stdin io.WriteCloser
}

// startWatchdog runs a program that calls Watch on its standard input.
func startWatchdog(command string, args ...string) (*watchdog, error) {
	cmd := exec.Command(command, args...)
	cmd.Stderr = os.Stderr
	// In a group of its own, so that what kills ours leaves it alive.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &watchdog{cmd: cmd, stdin: stdin}, nil
}

func (w *watchdog) add(group int)    { w.write("+%d\n", group) }
func (w *watchdog) remove(group int) { w.write("-%d\n", group) }

// write tells the watchdog about a group. When the watchdog is gone, the
// parent-death signal is what remains.
func (w *watchdog) write(format string, group int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintf(w.stdin, format, group)
}

// close has the watchdog kill what is left and waits for its end.
func (w *watchdog) close() {
	w.mu.Lock()
	_ = w.stdin.Close()
	w.mu.Unlock()
	_ = w.cmd.Wait()
}

// Watch reads which process groups run (+ID) and which have ended (-ID), line
// by line, and kills those that still run when the input ends: the system
// closes the pipe when the writer dies.
func Watch(input io.Reader) {
	running := map[int]bool{}
	for lines := bufio.NewScanner(input); lines.Scan(); {
		var sign rune
		var group int
		if _, err := fmt.Sscanf(lines.Text(), "%c%d", &sign, &group); err == nil {
			running[group] = sign == '+'
			if sign == '-' {
				delete(running, group)
			}
		}
	}
	for group := range running {
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
}
