package main_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// timeout is how long a test waits for the cluster.
const timeout = 30 * time.Second

// namespace makes a namespace for the test, with its default ServiceAccount.
func namespace(t *testing.T) string {
	t.Helper()
	created, err := shared.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		now := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
		_ = shared.client.CoreV1().Pods(created.Name).DeleteCollection(context.Background(), now, metav1.ListOptions{})
		_ = shared.client.CoreV1().Namespaces().Delete(context.Background(), created.Name, metav1.DeleteOptions{})
	})
	eventually(t, "the default ServiceAccount exists", func() bool {
		_, err := shared.client.CoreV1().ServiceAccounts(created.Name).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	return created.Name
}

// createPod creates a pod from the YAML of its spec. Without a node selector it
// runs on the node that no test stops.
func createPod(t *testing.T, namespace, name, spec string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}, Annotations: map[string]string{"note": "a b"}}}
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &pod.Spec))
	if pod.Spec.NodeSelector == nil {
		pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "local"}
	}
	created, err := shared.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	return created
}

// awaitPod waits until the pod is as described, and returns it.
func awaitPod(t *testing.T, namespace, name, description string, is func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	deadline := time.Now().Add(timeout)
	for {
		var err error
		pod, err = shared.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err == nil && is(pod) {
			return pod
		}
		if time.Now().After(deadline) {
			status, _ := yaml.Marshal(pod.Status)
			require.Failf(t, "pod is not "+description, "error: %v\nstatus:\n%s", err, status)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// run creates a pod of one container, waits for its end and returns its log.
func runPod(t *testing.T, namespace, name, spec string) string {
	t.Helper()
	createPod(t, namespace, name, spec)
	pod := awaitPod(t, namespace, name, "finished", finished)
	log := readLog(t, namespace, name, &corev1.PodLogOptions{})
	require.Equal(t, corev1.PodSucceeded, pod.Status.Phase, "log:\n%s", log)
	return log
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func running(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }

func ready(pod *corev1.Pod) bool { return condition(pod, corev1.PodReady) == corev1.ConditionTrue }

func condition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}

// waiting reports whether the pod's first container waits for that reason.
func waiting(reason string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool {
		return len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].State.Waiting != nil &&
			pod.Status.ContainerStatuses[0].State.Waiting.Reason == reason
	}
}

// readLog reads a log the way kubectl does: through the API server.
func readLog(t *testing.T, namespace, name string, options *corev1.PodLogOptions) string {
	t.Helper()
	stream, err := shared.client.CoreV1().Pods(namespace).GetLogs(name, options).Stream(t.Context())
	require.NoError(t, err)
	defer stream.Close()
	data, err := io.ReadAll(stream)
	require.NoError(t, err)
	return string(data)
}

// deletePod deletes a pod and waits until its object is gone; it returns how
// long that took.
func deletePod(t *testing.T, namespace, name string, options metav1.DeleteOptions) time.Duration {
	t.Helper()
	began := time.Now()
	require.NoError(t, shared.client.CoreV1().Pods(namespace).Delete(t.Context(), name, options))
	eventually(t, "the pod is gone", func() bool {
		_, err := shared.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	return time.Since(began)
}

func eventually(t *testing.T, description string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, timeout, 20*time.Millisecond, description)
}

// lines splits a log.
func lines(log string) []string { return strings.Split(strings.TrimSpace(log), "\n") }
