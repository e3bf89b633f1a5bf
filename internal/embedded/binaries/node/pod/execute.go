package pod

import (
	"context"
	"fmt"
	"io"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
)

// streams are the standard streams of a command; nil ones are empty or discarded.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// execute runs one more command in the environment of the container, until it
// ends, which it is made to when the context or the container does.
func (l *launch) execute(ctx context.Context, command []string, io streams) (int32, error) {
	cmd, err := l.command(command)
	if err != nil {
		return 0, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.stdin, io.stdout, io.stderr
	process, err := l.container.pod.runtime.Starter.Start(cmd)
	if err != nil {
		return 0, err
	}
	select {
	case <-process.Done():
	case <-l.process.Done():
		process.Kill()
	case <-ctx.Done():
		process.Kill()
	}
	return process.Exit().Code, ctx.Err()
}

// Exec runs a command in a running container, for kubectl exec.
func (p *Pod) Exec(ctx context.Context, name string, command []string, stdin io.Reader, stdout, stderr io.Writer) (int32, error) {
	c, err := p.container(name)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	launch := c.current
	p.mu.Unlock()
	if launch == nil {
		return 0, fmt.Errorf("container %s is not running", name)
	}
	return launch.execute(ctx, launch.resolve(command), streams{stdin: stdin, stdout: stdout, stderr: stderr})
}

// Log finds the log of a container's current run, or of the one before, and a
// function that reports whether it may still grow.
func (p *Pod) Log(name string, previous bool) (path string, running func() bool, err error) {
	c, err := p.container(name)
	if err != nil {
		return "", nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	run := c.restarts
	if c.current == nil && c.state.Terminated == nil && c.last.Terminated == nil {
		reason := "has no state"
		if c.state.Waiting != nil {
			reason = "is waiting to start: " + c.state.Waiting.Reason + " " + c.state.Waiting.Message
		}
		return "", nil, errdefs.InvalidInputf("container %s of pod %s %s", name, p.pod.Name, reason)
	}
	if previous && c.state.Waiting == nil {
		if run--; run < 0 {
			return "", nil, errdefs.NotFoundf("container %s of pod %s has no previous run", name, p.pod.Name)
		}
	}
	return c.logPath(run), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return c.current != nil && c.current.restart == run
	}, nil
}

func (p *Pod) container(name string) (*container, error) {
	for _, containers := range [][]*container{p.mains, p.inits} {
		for _, c := range containers {
			if c.spec.Name == name {
				return c, nil
			}
		}
	}
	return nil, errdefs.NotFoundf("pod %s has no container %q", p.spec().Name, name)
}
