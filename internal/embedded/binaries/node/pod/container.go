package pod

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/kubelet/events"
)

// The reasons for which a container waits.
const (
	reasonCreating     = "ContainerCreating"
	reasonInitializing = "PodInitializing"
	reasonConfigError  = "CreateContainerConfigError"
	reasonNoImage      = "ErrImageNeverPull"
	reasonCrashLoop    = "CrashLoopBackOff"
)

// waitingError says why a container cannot start yet.
type waitingError struct {
	reason string
	err    error
}

func (e *waitingError) Error() string { return e.err.Error() }
func (e *waitingError) Unwrap() error { return e.err }

// container is one container of a pod, through all its restarts.
type container struct {
	pod     *Pod
	spec    *corev1.Container
	dir     string
	tempDir string
	// sidecar is true for an init container that keeps running.
	sidecar bool
	// waitsFor is the reason for which it waits before its turn to start.
	waitsFor string
	// hasStarted is closed when the container has started for the first time.
	hasStarted chan struct{}
	once       sync.Once

	// What follows is guarded by the pod's mu.

	state, last    corev1.ContainerState
	restarts       int32
	started, ready bool
	// current is what runs, or nil.
	current *launch
}

func newContainer(p *Pod, spec *corev1.Container, index int) *container {
	waitsFor := reasonCreating
	if len(p.pod.Spec.InitContainers) > 0 && index > 0 {
		waitsFor = reasonInitializing
	}
	return &container{
		pod: p, spec: spec,
		dir:        filepath.Join(p.dir, "containers", spec.Name),
		tempDir:    filepath.Join(p.runtime.tempDir(p.pod), fmt.Sprint(index)),
		sidecar:    podutil.IsRestartableInitContainer(spec),
		hasStarted: make(chan struct{}), waitsFor: waitsFor,
		state: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: waitsFor}},
	}
}

// run starts the container, and starts it again as its restart policy says,
// until it has ended for good (then ended is true and code its exit code) or
// stop ends, which stops it.
func (c *container) run(stop, kill context.Context) (code int32, ended bool) {
	backOff := BackOff{}
	for restart := int32(0); ; restart++ {
		launch, ok := c.prepare(stop, restart)
		if !ok {
			return 0, false
		}
		began := time.Now()
		code := c.runOnce(stop, kill, launch)
		if stop.Err() != nil {
			return code, false
		}
		if !c.restartable(code) {
			return code, true
		}
		delay := backOff.Next(time.Since(began))
		c.setBackOff(delay)
		if !sleep(stop, delay) {
			c.settle()
			return code, false
		}
	}
}

// restartable reports whether the container is started again after that exit code.
func (c *container) restartable(code int32) bool {
	if c.isInit() && !c.sidecar && c.spec.RestartPolicy == nil && code == 0 {
		// An init container that succeeded has done its work, even in a pod
		// that restarts its containers always.
		return false
	}
	return podutil.ContainerShouldRestart(*c.spec, corev1.PodSpec{RestartPolicy: c.pod.restartPolicy}, code)
}

func (c *container) isInit() bool {
	return slices.Contains(c.pod.inits, c)
}

// prepare gathers all that a start needs, waiting for what is missing. It
// reports false when stop ended before.
func (c *container) prepare(stop context.Context, restart int32) (*launch, bool) {
	for delay := firstRetry; stop.Err() == nil; delay = min(2*delay, lastRetry) {
		launch, err := newLaunch(stop, c, restart)
		if err == nil {
			return launch, true
		}
		waiting := &waitingError{reason: reasonConfigError, err: err}
		_ = errors.As(err, &waiting)
		if stop.Err() == nil && c.setWaiting(waiting.reason, err.Error()) {
			c.event(corev1.EventTypeWarning, events.FailedToCreateContainer, "%v", err)
		}
		sleep(stop, delay)
	}
	return nil, false
}

// runOnce runs the container's process to its end and returns its exit code.
func (c *container) runOnce(stop, kill context.Context, launch *launch) int32 {
	if err := launch.start(); err != nil {
		c.event(corev1.EventTypeWarning, events.FailedToStartContainer, "%v", err)
		now := metav1.Now()
		return c.setTerminated(launch, &corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: now, FinishedAt: now})
	}
	c.setRunning(launch)
	c.event(corev1.EventTypeNormal, events.StartedContainer, "Started container %s as process %d", c.spec.Name, launch.process.PID())

	// Probes end with the process, with stop, and when one of them gives it up.
	probing, stopProbing := context.WithCancel(stop)
	unhealthy := make(chan string, 3)
	go c.supervise(probing, launch, unhealthy)

	select {
	case <-launch.process.Done():
	case reason := <-unhealthy:
		c.event(corev1.EventTypeNormal, events.KillingContainer, "Container %s %s, will be restarted", c.spec.Name, reason)
		c.end(kill, launch, c.livenessGrace())
	case <-stop.Done():
		c.event(corev1.EventTypeNormal, events.KillingContainer, "Stopping container %s", c.spec.Name)
		c.end(kill, launch, c.pod.grace())
	}
	stopProbing()
	exit := launch.process.Exit()
	launch.close()

	terminated := &corev1.ContainerStateTerminated{
		ExitCode: exit.Code, Signal: exit.Signal, Reason: "Completed",
		StartedAt: metav1.NewTime(launch.began), FinishedAt: metav1.Now(),
		ContainerID: launch.id(),
	}
	if exit.Code != 0 {
		terminated.Reason = "Error"
	}
	return c.setTerminated(launch, terminated)
}

// end runs the container's preStop hook and stops its process, both within grace.
func (c *container) end(kill context.Context, launch *launch, grace time.Duration) {
	ctx, cancel := context.WithTimeout(kill, grace)
	defer cancel()
	if c.spec.Lifecycle != nil && c.spec.Lifecycle.PreStop != nil {
		if err := c.hook(ctx, launch, c.spec.Lifecycle.PreStop); err != nil {
			c.event(corev1.EventTypeWarning, events.FailedPreStopHook, "PreStop hook failed: %v", err)
		}
	}
	launch.process.Stop(ctx)
}

// livenessGrace is how long a container that failed a probe may take to stop.
func (c *container) livenessGrace() time.Duration {
	for _, probe := range []*corev1.Probe{c.spec.LivenessProbe, c.spec.StartupProbe} {
		if probe != nil && probe.TerminationGracePeriodSeconds != nil {
			return time.Duration(*probe.TerminationGracePeriodSeconds) * time.Second
		}
	}
	return c.pod.grace()
}

// event records an event of the container.
func (c *container) event(kind, reason, format string, args ...any) {
	c.pod.event(kind, reason, format, args...)
}
