package main_test

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestPhaseOfAPodThatEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec     string
		phase    corev1.PodPhase
		restarts int32
		code     int32
	}{
		"succeeded when its command did":         {"restartPolicy: Never\ncontainers: [{name: main, image: 'shell:1', args: [-c, exit 0]}]", corev1.PodSucceeded, 0, 0},
		"failed when its command did":            {"restartPolicy: Never\ncontainers: [{name: main, image: 'shell:1', args: [-c, exit 7]}]", corev1.PodFailed, 0, 7},
		"failed when its command does not exist": {"restartPolicy: Never\ncontainers: [{name: main, image: 'shell:1', command: [no-such-program]}]", corev1.PodFailed, 0, 128},
		"failed when its init container did": {`
restartPolicy: Never
initContainers: [{name: init, image: 'shell:1', args: [-c, exit 1]}]
containers: [{name: main, image: 'shell:1', args: [-c, exit 0]}]`, corev1.PodFailed, 0, -1},
		"succeeded after a restart on failure": {`
restartPolicy: OnFailure
containers: [{name: main, image: 'shell:1', args: [-c, "test -f /scratch/x && exit 0; touch /scratch/x; exit 1"], volumeMounts: [{name: scratch, mountPath: /scratch}]}]
volumes: [{name: scratch, emptyDir: {}}]`, corev1.PodSucceeded, 1, 0},
		"succeeded while its sidecar still ran": {`
restartPolicy: Never
initContainers: [{name: sidecar, image: 'shell:1', restartPolicy: Always, args: [-c, "touch /scratch/up; sleep 1000"], startupProbe: {exec: {command: [test, -f, /scratch/up]}}, volumeMounts: [{name: scratch, mountPath: /scratch}]}]
containers: [{name: main, image: 'shell:1', args: [-c, test -f /scratch/up], volumeMounts: [{name: scratch, mountPath: /scratch}]}]
volumes: [{name: scratch, emptyDir: {}}]`, corev1.PodSucceeded, 0, 0},
		"failed when its deadline passed": {`
restartPolicy: Never
activeDeadlineSeconds: 1
containers: [{name: main, image: 'shell:1', command: [sleep, "1000"]}]`, corev1.PodFailed, 0, 143},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t)
			createPod(t, ns, "pod", test.spec)
			pod := awaitPod(t, ns, "pod", "finished", finished)
			require.Equal(t, test.phase, pod.Status.Phase)
			status := pod.Status.ContainerStatuses[0]
			require.Equal(t, test.restarts, status.RestartCount)
			if test.code >= 0 {
				require.NotNil(t, status.State.Terminated)
				require.Equal(t, test.code, status.State.Terminated.ExitCode)
			}
			require.False(t, ready(pod))
		})
	}
}

func TestContainerThatKeepsFailing(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createPod(t, ns, "crash", `containers: [{name: main, image: 'shell:1', args: [-c, "echo attempt; exit 3"]}]`)
	pod := awaitPod(t, ns, "crash", "backing off a second time", func(pod *corev1.Pod) bool {
		return waiting("CrashLoopBackOff")(pod) && pod.Status.ContainerStatuses[0].RestartCount == 1
	})
	status := pod.Status.ContainerStatuses[0]
	require.Contains(t, status.State.Waiting.Message, "back-off 2s")
	require.NotNil(t, status.LastTerminationState.Terminated)
	require.Equal(t, int32(3), status.LastTerminationState.Terminated.ExitCode)
	require.Equal(t, "Error", status.LastTerminationState.Terminated.Reason)
	require.Equal(t, corev1.PodRunning, pod.Status.Phase)
	require.Equal(t, "attempt\n", readLog(t, ns, "crash", &corev1.PodLogOptions{Previous: true}))
}

func TestImageThatTheTableDoesNotHave(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createPod(t, ns, "unknown", `containers: [{name: main, image: "example.com/none:v1"}]`)
	pod := awaitPod(t, ns, "unknown", "waiting for its image", waiting("ErrImageNeverPull"))
	require.Contains(t, pod.Status.ContainerStatuses[0].State.Waiting.Message, `image "example.com/none:v1" is not among the images`)
	require.Contains(t, pod.Status.ContainerStatuses[0].State.Waiting.Message, "images.json")
	require.Equal(t, corev1.PodPending, pod.Status.Phase)
	require.Less(t, deletePod(t, ns, "unknown", metav1.DeleteOptions{}), 5*time.Second)
}

func TestProbes(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	port, err := freePort()
	require.NoError(t, err)
	createPod(t, ns, "web", `
terminationGracePeriodSeconds: 1
containers:
- name: main
  image: programs:1
  command: [web]
  env: [{name: PORT, value: "`+strconv.Itoa(port)+`"}, {name: DIR, value: /www}]
  ports: [{name: http, containerPort: `+strconv.Itoa(port)+`}]
  volumeMounts: [{name: www, mountPath: /www}]
  startupProbe: {tcpSocket: {port: http}, periodSeconds: 1}
  readinessProbe: {httpGet: {port: http, path: /ready}, periodSeconds: 1, failureThreshold: 1}
  livenessProbe: {exec: {command: [test, "!", -f, /www/dead]}, periodSeconds: 1, failureThreshold: 2}
volumes: [{name: www, emptyDir: {}}]
`)
	pod := awaitPod(t, ns, "web", "started", func(pod *corev1.Pod) bool {
		return running(pod) && pod.Status.ContainerStatuses[0].Started != nil && *pod.Status.ContainerStatuses[0].Started
	})
	require.False(t, ready(pod), "ready before its readiness probe can have succeeded")

	www := filepath.Join(shared.nodeDir("local"), "pods", ns+"_web_"+string(pod.UID), "volumes", "www")
	touch(t, filepath.Join(www, "ready"))
	awaitPod(t, ns, "web", "ready", ready)
	remove(t, filepath.Join(www, "ready"))
	awaitPod(t, ns, "web", "not ready", func(pod *corev1.Pod) bool { return !ready(pod) })

	touch(t, filepath.Join(www, "ready"))
	touch(t, filepath.Join(www, "dead"))
	awaitPod(t, ns, "web", "waiting to be started again", waiting("CrashLoopBackOff"))
	remove(t, filepath.Join(www, "dead"))
	pod = awaitPod(t, ns, "web", "ready after a restart", func(pod *corev1.Pod) bool {
		return ready(pod) && pod.Status.ContainerStatuses[0].RestartCount == 1
	})
	require.NotNil(t, pod.Status.ContainerStatuses[0].LastTerminationState.Terminated)
	eventually(t, "an event tells of the failed probe", func() bool { return hasEvent(t, ns, "Unhealthy", "Liveness probe failed") })
}

func TestStartOfADeployment(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	const pods = 15
	began := time.Now()
	for i := range pods {
		createPod(t, ns, "pod-"+strconv.Itoa(i), `
containers: [{name: main, image: "shell:1", command: [sleep, "1000"], readinessProbe: {exec: {command: ["true"]}, periodSeconds: 10}}]`)
	}
	for i := range pods {
		awaitPod(t, ns, "pod-"+strconv.Itoa(i), "ready", ready)
	}
	t.Logf("%d pods were ready after %v", pods, time.Since(began).Round(time.Millisecond))
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestPodThatIsReplacedUnderItsName(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	spec := `
automountServiceAccountToken: false
terminationGracePeriodSeconds: 5
containers: [{name: main, image: "shell:1", args: [-c, "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done"]}]`
	first := createPod(t, ns, "same", spec)
	awaitPod(t, ns, "same", "running", running)
	// A forced deletion removes the object at once, while the process still stops.
	require.NoError(t, shared.client.CoreV1().Pods(ns).Delete(t.Context(), "same", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	second := createPod(t, ns, "same", spec)
	require.NotEqual(t, first.UID, second.UID)
	pod := awaitPod(t, ns, "same", "running again", running)
	require.Equal(t, second.UID, pod.UID)
}

func TestConditionsThatOthersSetAreKept(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createPod(t, ns, "gated", `
readinessGates: [{conditionType: example.com/open}]
containers: [{name: main, image: "shell:1", command: [sleep, "1000"]}]`)
	awaitPod(t, ns, "gated", "running", running)
	require.False(t, ready(awaitPod(t, ns, "gated", "with ready containers", func(pod *corev1.Pod) bool {
		return condition(pod, corev1.ContainersReady) == corev1.ConditionTrue
	})))
	_, err := shared.client.CoreV1().Pods(ns).Patch(t.Context(), "gated", types.StrategicMergePatchType,
		[]byte(`{"status":{"conditions":[{"type":"example.com/open","status":"True"}]}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	pod := awaitPod(t, ns, "gated", "ready", ready)
	require.Equal(t, corev1.ConditionTrue, condition(pod, "example.com/open"))
	require.Equal(t, corev1.ConditionTrue, condition(pod, corev1.PodScheduled))
}
