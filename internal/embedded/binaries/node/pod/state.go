package pod

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/kubelet/events"
)

// update changes the state of the container and has it reported.
func (c *container) update(change func()) {
	c.pod.mu.Lock()
	change()
	c.pod.mu.Unlock()
	c.pod.changed()
}

// setWaiting says why the container does not run, and reports whether that is new.
func (c *container) setWaiting(reason, message string) bool {
	news := false
	c.update(func() {
		waiting := corev1.ContainerStateWaiting{Reason: reason, Message: message}
		news = c.state.Waiting == nil || *c.state.Waiting != waiting
		c.state = corev1.ContainerState{Waiting: &waiting}
	})
	return news
}

// setAllWaiting says it of all containers.
func (p *Pod) setAllWaiting(reason, message string) bool {
	news := false
	for _, c := range slices.Concat(p.inits, p.mains) {
		news = c.setWaiting(reason, message) || news
	}
	return news
}

// resetWaiting takes back what setAllWaiting said.
func (p *Pod) resetWaiting() {
	for _, c := range slices.Concat(p.inits, p.mains) {
		c.setWaiting(c.waitsFor, "")
	}
}

// setRunning says that the container's process has started.
func (c *container) setRunning(launch *launch) {
	c.update(func() {
		c.current, c.restarts = launch, launch.restart
		c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(launch.began)}}
	})
}

// setStarted says that the startup probe and the postStart hook are done.
func (c *container) setStarted(launch *launch) {
	c.updateCurrent(launch, func() {
		c.started = true
		c.ready = c.spec.ReadinessProbe == nil
	})
	c.once.Do(func() { close(c.hasStarted) })
}

// setReady says what the readiness probe has found.
func (c *container) setReady(launch *launch, ready bool) {
	c.updateCurrent(launch, func() { c.ready = ready })
}

// updateCurrent changes the state if launch is still what runs: a probe may
// answer after the container's end.
func (c *container) updateCurrent(launch *launch, change func()) {
	c.update(func() {
		if c.current == launch {
			change()
		}
	})
}

// setTerminated says how the container's process ended; it returns the exit code.
func (c *container) setTerminated(launch *launch, terminated *corev1.ContainerStateTerminated) int32 {
	c.update(func() {
		c.current, c.restarts, c.started, c.ready = nil, launch.restart, false, false
		c.state = corev1.ContainerState{Terminated: terminated}
	})
	return terminated.ExitCode
}

// setBackOff says that the container, which has ended, will be started again.
func (c *container) setBackOff(delay time.Duration) {
	message := fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s", delay, c.spec.Name, c.pod.spec().Name, c.pod.spec().Namespace)
	c.update(func() {
		c.last = c.state
		c.state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reasonCrashLoop, Message: message}}
	})
	c.event(corev1.EventTypeWarning, events.BackOffStartContainer, "%s", message)
}

// settle says that the container will not be started again after all.
func (c *container) settle() { c.update(func() { c.state = c.last }) }
