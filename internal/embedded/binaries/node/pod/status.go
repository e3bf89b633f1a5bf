package pod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/apis/core/v1/helper/qos"
	"k8s.io/kubernetes/pkg/kubelet/status"
)

// Status is what the API server should know of the pod. It holds only the
// conditions that a node decides.
func (p *Pod) Status() corev1.PodStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	startTime := metav1.NewTime(p.startTime)
	next := corev1.PodStatus{
		StartTime: &startTime,
		HostIP:    IP, HostIPs: []corev1.HostIP{{IP: IP}},
		PodIP: IP, PodIPs: []corev1.PodIP{{IP: IP}},
		QOSClass:              qos.ComputePodQOS(p.pod),
		InitContainerStatuses: statuses(p.inits),
		ContainerStatuses:     statuses(p.mains),
		Conditions:            slices.Clone(p.status.Conditions),
		ObservedGeneration:    p.pod.Generation,
	}
	next.Phase = p.phase()
	if p.failed != nil {
		next.Phase, next.Reason, next.Message = corev1.PodFailed, p.failed.reason, p.failed.message
	}
	all := slices.Concat(next.InitContainerStatuses, next.ContainerStatuses)
	for _, condition := range []corev1.PodCondition{
		status.GeneratePodInitializedCondition(p.pod, &p.status, all, next.Phase),
		status.GenerateContainersReadyCondition(p.pod, &p.status, all, next.Phase),
		// Readiness gates are conditions that others set.
		status.GeneratePodReadyCondition(p.pod, &p.status, p.pod.Status.Conditions, all, next.Phase),
	} {
		podutil.UpdatePodCondition(&next, &condition)
	}
	next.Conditions = slices.DeleteFunc(next.Conditions, func(c corev1.PodCondition) bool {
		return c.Type != corev1.PodInitialized && c.Type != corev1.ContainersReady && c.Type != corev1.PodReady
	})
	p.status = next
	return *next.DeepCopy()
}

func statuses(containers []*container) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for _, c := range containers {
		started := c.started
		s := corev1.ContainerStatus{
			Name: c.spec.Name, Image: c.spec.Image, ImageID: c.spec.Image,
			State: c.state, LastTerminationState: c.last,
			Ready: c.ready, Started: &started, RestartCount: c.restarts,
		}
		switch {
		case c.current != nil:
			s.ContainerID = c.current.id()
		case c.state.Terminated != nil:
			s.ContainerID = c.state.Terminated.ContainerID
		}
		if ended := c.state.Terminated; ended != nil && c.isInit() && !c.sidecar {
			// An init container that succeeded counts as ready.
			s.Ready = ended.ExitCode == 0
		}
		out = append(out, *s.DeepCopy())
	}
	return out
}

// phase sums the containers up (kubernetes: pkg/kubelet/kubelet_pods.go,
// getPhase). A pod that is done has failed unless its work was done.
func (p *Pod) phase() corev1.PodPhase {
	done := p.isDone()
	restarts := func(c *container) bool { return !done && c.restartable(c.state.Terminated.ExitCode) }
	pending := corev1.PodPending
	if done {
		pending = corev1.PodFailed
	}
	for _, c := range p.inits {
		ended := c.state.Terminated
		switch {
		case c.sidecar && !c.hasEverRun():
			return pending
		case c.sidecar || ended != nil && ended.ExitCode == 0:
		case ended != nil && !restarts(c):
			return corev1.PodFailed
		default:
			return pending
		}
	}
	succeeded, stopped := 0, 0
	for _, c := range p.mains {
		switch ended := c.state.Terminated; {
		case ended == nil && !c.hasEverRun():
			return pending
		case ended == nil || restarts(c):
			continue
		case ended.ExitCode == 0:
			succeeded++
		}
		stopped++
	}
	switch {
	case stopped < len(p.mains) && !done:
		return corev1.PodRunning
	case succeeded == len(p.mains):
		return corev1.PodSucceeded
	}
	return corev1.PodFailed
}

// hasEverRun reports whether the container runs or has run before.
func (c *container) hasEverRun() bool {
	return c.state.Running != nil || c.state.Terminated != nil || c.last.Terminated != nil
}
