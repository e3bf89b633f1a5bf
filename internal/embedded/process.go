package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is one command line of the control plane or the local node.
type program struct {
	name string
	path string
	args []string
	env  []string
}

// process is a running program.
type process struct {
	program
	logPath string
	cmd     *exec.Cmd
	// done is closed when the program has ended; err then says how.
	done chan struct{}
	err  error
}

// ExitError reports a program of the target that ended before it was asked to.
type ExitError struct {
	// Program is the name of the program, such as "kube-apiserver".
	Program string
	// LogPath is the file that holds everything the program printed.
	LogPath string
	// LogTail is the end of that file.
	LogTail string
	// Err says how the program ended.
	Err error
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("%s ended: %v; its log %s closes with:\n%s", e.Program, e.Err, e.LogPath, e.LogTail)
}

func (e *ExitError) Unwrap() error { return e.Err }

// starter starts programs that must not outlive this process.
//
// The kernel sends the parent-death signal when the thread that started the
// child ends (prctl(2), PR_SET_PDEATHSIG), so every start happens on one
// thread that lives as long as the starter.
type starter struct {
	logDir string
	starts chan func()
	closed sync.Once
}

func newStarter(logDir string) *starter {
	s := &starter{logDir: logDir, starts: make(chan func())}
	go func() {
		// Never unlocked: the thread ends with this goroutine, which ends
		// whatever it started and is still alive.
		runtime.LockOSThread()
		for start := range s.starts {
			start()
		}
	}()
	return s
}

// close ends the starter's thread. No start may follow.
func (s *starter) close() { s.closed.Do(func() { close(s.starts) }) }

// start runs p in a process group of its own, with its output in a log file
// that a restart appends to.
func (s *starter) start(p program) (*process, error) {
	logPath := filepath.Join(s.logDir, p.name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	defer log.Close() // the child holds its own descriptor

	proc := &process{program: p, logPath: logPath, done: make(chan struct{})}
	proc.cmd = exec.Command(p.path, p.args...)
	proc.cmd.Env = p.env
	proc.cmd.Stdout, proc.cmd.Stderr = log, log
	proc.cmd.SysProcAttr = childAttributes()

	started := make(chan error, 1)
	s.starts <- func() { started <- proc.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		proc.err = proc.cmd.Wait()
		if proc.err == nil {
			proc.err = errors.New("exit status 0")
		}
		close(proc.done)
	}()
	return proc, nil
}

// exited describes how the process ended. Call it only after done is closed.
func (p *process) exited() *ExitError {
	return &ExitError{Program: p.name, LogPath: p.logPath, LogTail: tail(p.logPath, 15), Err: p.err}
}

// stop ends the process group: politely for up to grace, then by force.
func (p *process) stop(ctx context.Context, grace time.Duration) {
	if grace > 0 {
		p.signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(grace):
		case <-ctx.Done():
		}
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal reaches the whole process group. A group that is gone is no error.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// tail returns the last lines of a file, as far as they lie in its last 16 KiB.
func tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const window = 16 << 10
	if info, err := f.Stat(); err == nil && info.Size() > window {
		_, _ = f.Seek(-window, io.SeekEnd)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	all := strings.Split(string(bytes.TrimSpace(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
