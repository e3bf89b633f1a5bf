package pod

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/kubelet/events"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/probe"
)

// supervise runs the postStart hook and the probes of a started container
// until the context ends. What is sent to unhealthy says why the container has
// to be started again.
func (c *container) supervise(ctx context.Context, launch *launch, unhealthy chan<- string) {
	if c.spec.Lifecycle != nil && c.spec.Lifecycle.PostStart != nil {
		if err := c.hook(ctx, launch, c.spec.Lifecycle.PostStart); err != nil {
			if ctx.Err() == nil {
				c.event(corev1.EventTypeWarning, events.FailedPostStartHook, "PostStart hook failed: %v", err)
				unhealthy <- "failed its postStart hook"
			}
			return
		}
	}
	if c.spec.StartupProbe != nil && !c.awaitStartup(ctx, launch, unhealthy) {
		return
	}
	c.setStarted(launch)
	var workers sync.WaitGroup
	if c.spec.ReadinessProbe != nil {
		workers.Go(func() {
			c.worker(launch, "Readiness", c.spec.ReadinessProbe, func(healthy bool) { c.setReady(launch, healthy) }).Run(ctx)
		})
	}
	if c.spec.LivenessProbe != nil {
		workers.Go(func() {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			c.worker(launch, "Liveness", c.spec.LivenessProbe, func(healthy bool) {
				if !healthy {
					unhealthy <- "failed liveness probe"
					cancel()
				}
			}).Run(ctx)
		})
	}
	workers.Wait()
}

// awaitStartup runs the startup probe until it has succeeded.
func (c *container) awaitStartup(ctx context.Context, launch *launch, unhealthy chan<- string) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := false
	c.worker(launch, "Startup", c.spec.StartupProbe, func(healthy bool) {
		if started = healthy; !healthy {
			unhealthy <- "failed startup probe"
		}
		cancel()
	}).Run(ctx)
	return started
}

// worker prepares a probe of the container. Startup and readiness probes are
// eager: what waits for them should not wait for a period to pass.
func (c *container) worker(launch *launch, name string, spec *corev1.Probe, changed func(healthy bool)) probe.Worker {
	checker := probe.Checker{Host: IP, Container: c.spec, Exec: launch.probe}
	return probe.Worker{
		Probe: spec,
		Eager: name != "Liveness",
		Check: func(ctx context.Context) (bool, string) { return checker.Check(ctx, spec) },
		Failed: func(message string) {
			c.event(corev1.EventTypeWarning, events.ContainerUnhealthy, "%s probe failed: %s", name, message)
		},
		Changed: func(healthy bool, _ string) { changed(healthy) },
	}
}

// probe runs a command of an exec probe.
func (l *launch) probe(ctx context.Context, command []string) (string, int32, error) {
	var output bytes.Buffer
	code, err := l.execute(ctx, l.resolve(command), streams{stdout: &output, stderr: &output})
	return output.String(), code, err
}

// hook runs a postStart or preStop handler.
func (c *container) hook(ctx context.Context, launch *launch, handler *corev1.LifecycleHandler) error {
	switch {
	case handler.Sleep != nil:
		sleep(ctx, time.Duration(handler.Sleep.Seconds)*time.Second)
		return ctx.Err()
	case handler.Exec != nil:
		output, code, err := launch.probe(ctx, handler.Exec.Command)
		if err == nil && code != 0 {
			err = fmt.Errorf("command %q ended with exit code %d: %s", handler.Exec.Command, code, output)
		}
		return err
	case handler.HTTPGet != nil:
		checker := probe.Checker{Host: IP, Container: c.spec}
		ok, message := checker.Check(ctx, &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: handler.HTTPGet}, TimeoutSeconds: int32(hookTimeout / time.Second)})
		if !ok {
			return fmt.Errorf("%s", message)
		}
		return nil
	}
	return fmt.Errorf("this node runs hooks of the kinds exec, httpGet and sleep only")
}

// hookTimeout bounds a hook's HTTP request.
const hookTimeout = 30 * time.Second
