// Package process starts processes that cannot outlive this program.
package process

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Starter starts processes, each in a process group of its own.
//
// Two things end a process when this program dies, however it dies: the kernel
// kills the group's leader (Linux), and the watchdog kills the whole group.
type Starter struct {
	starts   chan func()
	watchdog *watchdog
	closed   sync.Once
}

// NewStarter starts the watchdog, with the given command line, and returns a
// starter. The watchdog's program must call Watch.
func NewStarter(command string, args ...string) (*Starter, error) {
	watchdog, err := startWatchdog(command, args...)
	if err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	s := &Starter{starts: make(chan func()), watchdog: watchdog}
	go func() {
		// The kernel sends the parent-death signal when the thread that
		// started the child ends (prctl(2), PR_SET_PDEATHSIG): all children
		// are started by one thread, which is never given back.
		runtime.LockOSThread()
		for start := range s.starts {
			start()
		}
	}()
	return s, nil
}

// Close ends what is still running and the watchdog. No start may follow.
func (s *Starter) Close() {
	s.closed.Do(func() {
		close(s.starts)
		s.watchdog.close()
	})
}

// Process is a started process and everything in its process group.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	// state is set before done is closed.
	exit Exit
}

// Exit says how a process ended.
type Exit struct {
	// Code is the exit code; 128 plus the signal when a signal ended it.
	Code int32
	// Signal is the signal that ended it, or zero.
	Signal int32
}

// Start starts cmd, whose SysProcAttr it sets.
func (s *Starter) Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	// Output pipes that a stray descendant holds open must not keep Wait waiting.
	cmd.WaitDelay = time.Second
	started := make(chan error, 1)
	s.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	s.watchdog.add(cmd.Process.Pid)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		// As the processes of a container end with its first, so do those of
		// the group with its leader.
		finish(cmd, func() { p.signal(syscall.SIGKILL) })
		s.watchdog.remove(cmd.Process.Pid)
		p.exit = exitOf(cmd)
		close(p.done)
	}()
	return p, nil
}

// PID is the process id of the group's leader, and the id of the group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit waits for the end of the process and says how it ended.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Stop ends the process group: politely until the context ends, then by force.
// It returns once the process has ended.
func (p *Process) Stop(ctx context.Context) {
	if ctx.Err() == nil {
		p.signal(syscall.SIGTERM)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
	}
}

// Kill ends the process group by force and returns once the process has ended.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal reaches the whole process group, unless the process has ended: then
// its id may belong to another.
func (p *Process) signal(signal syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, signal)
	}
}

func exitOf(cmd *exec.Cmd) Exit {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return Exit{Code: 128 + int32(status.Signal()), Signal: int32(status.Signal())}
	}
	return Exit{Code: int32(cmd.ProcessState.ExitCode())}
}
