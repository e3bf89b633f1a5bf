package flow

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// evidenceLines is how much of each unready pod's log is shown.
	evidenceLines = 8
	// evidenceEvents is how many of the newest warnings are shown.
	evidenceEvents = 10
)

// printEvidence shows what a reader would ask the cluster for after a failure:
// the pods that are not ready, with the end of their logs, and the newest
// warnings. What cannot be had is said, and nothing else fails for it.
func printEvidence(ctx context.Context, client kubernetes.Interface, out io.Writer) {
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		fmt.Fprintf(out, "evidence: list the pods: %v\n", err)
		return
	}
	for _, pod := range pods.Items {
		if !podReady(&pod) {
			printPod(ctx, client, out, &pod)
		}
	}
	warnings, err := client.CoreV1().Events(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		fmt.Fprintf(out, "evidence: list the warnings: %v\n", err)
		return
	}
	slices.SortFunc(warnings.Items, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	for _, event := range warnings.Items[max(0, len(warnings.Items)-evidenceEvents):] {
		object := event.InvolvedObject
		fmt.Fprintf(out, "warning: %s %s/%s: %s: %s\n", object.Kind, object.Namespace, object.Name, event.Reason, event.Message)
	}
}

func printPod(ctx context.Context, client kubernetes.Interface, out io.Writer, pod *corev1.Pod) {
	fmt.Fprintf(out, "pod %s/%s is %s and not ready\n", pod.Namespace, pod.Name, pod.Status.Phase)
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if waiting := container.State.Waiting; waiting != nil {
			fmt.Fprintf(out, "  container %s waits: %s: %s\n", container.Name, waiting.Reason, waiting.Message)
		}
		lines := int64(evidenceLines)
		log, err := client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: container.Name, TailLines: &lines, Previous: container.State.Waiting != nil && container.RestartCount > 0,
		}).DoRaw(ctx)
		if err != nil || len(log) == 0 {
			continue // a container that never ran has no log
		}
		fmt.Fprintf(out, "  container %s logged last:\n    %s\n", container.Name, strings.ReplaceAll(strings.TrimSpace(string(log)), "\n", "\n    "))
	}
}

// podReady reports whether a pod is Ready or has done its work.
func podReady(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
