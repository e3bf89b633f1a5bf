package main_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// processes lists the processes whose environment holds the text.
func processes(t *testing.T, text string) []int {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	var found []int
	for _, entry := range entries {
		data, err := os.ReadFile(entry)
		if err != nil || !bytes.Contains(data, []byte(text)) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(entry, "/")[2])
		require.NoError(t, err)
		found = append(found, pid)
	}
	return found
}

func TestDeletionEndsAllProcesses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script   string
		grace    int64
		min, max time.Duration
	}{
		"at once when they obey SIGTERM":                           {"sleep 1000 & sleep 1000", 20, 0, 5 * time.Second},
		"when the grace period has passed and they ignore SIGTERM": {"trap '' TERM; sleep 1000 & while :; do sleep 1; done", 2, 2 * time.Second, 8 * time.Second},
		"also those that the first process leaves behind":          {"sleep 1000 & exec sleep 1000", 20, 0, 5 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t)
			createPod(t, ns, "pod", `
terminationGracePeriodSeconds: `+strconv.FormatInt(test.grace, 10)+`
containers:
- name: main
  image: shell:1
  args: [-c, "`+test.script+`"]
  env: [{name: MARK, value: "`+ns+`"}]`)
			awaitPod(t, ns, "pod", "running", running)
			eventually(t, "both processes run", func() bool { return len(processes(t, "MARK="+ns)) >= 2 })
			took := deletePod(t, ns, "pod", metav1.DeleteOptions{})
			require.Empty(t, processes(t, "MARK="+ns))
			require.GreaterOrEqual(t, took, test.min)
			require.Less(t, took, test.max)
		})
	}
}

func TestHooksOfAContainer(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	dir := t.TempDir()
	createPod(t, ns, "hooks", `
containers:
- name: main
  image: shell:1
  command: [sleep, "1000"]
  volumeMounts: [{name: out, mountPath: /out}]
  lifecycle:
    postStart: {exec: {command: [touch, /out/started]}}
    preStop: {exec: {command: [touch, /out/stopping]}}
volumes: [{name: out, hostPath: {path: `+dir+`}}]`)
	awaitPod(t, ns, "hooks", "ready", ready)
	require.FileExists(t, filepath.Join(dir, "started"))
	require.NoFileExists(t, filepath.Join(dir, "stopping"))
	deletePod(t, ns, "hooks", metav1.DeleteOptions{})
	require.FileExists(t, filepath.Join(dir, "stopping"))
}

func TestDeathOfTheNodeEndsAllProcesses(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	require.NoError(t, shared.startNode("doomed"))
	createPod(t, ns, "pod", `
nodeSelector: {kubernetes.io/hostname: doomed}
containers:
- name: main
  image: shell:1
  args: [-c, "sleep 1000 & (sleep 1000 & wait) & wait"]
  env: [{name: MARK, value: "`+ns+`"}]`)
	awaitPod(t, ns, "pod", "running", running)
	eventually(t, "all processes run", func() bool { return len(processes(t, "MARK="+ns)) >= 4 })
	began := time.Now()
	shared.kill("node-doomed")
	require.Eventually(t, func() bool { return len(processes(t, "MARK="+ns)) == 0 }, 10*time.Second, 10*time.Millisecond)
	t.Logf("all processes had ended %v after SIGKILL", time.Since(began).Round(time.Millisecond))

	// A new life of the node starts the pod again.
	require.NoError(t, shared.startNode("doomed"))
	eventually(t, "the processes run again", func() bool { return len(processes(t, "MARK="+ns)) >= 4 })
	awaitPod(t, ns, "pod", "running", running)
	shared.kill("node-doomed")
	require.NoError(t, shared.client.CoreV1().Nodes().Delete(t.Context(), "doomed", metav1.DeleteOptions{}))
}

func TestStopOfTheNodeEndsContainersPolitely(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	dir := t.TempDir()
	require.NoError(t, shared.startNode("leaving"))
	createPod(t, ns, "pod", `
nodeSelector: {kubernetes.io/hostname: leaving}
containers:
- name: polite
  image: shell:1
  args: [-c, "trap 'touch /out/asked; exit 0' TERM; while :; do sleep 0.1; done"]
  env: [{name: MARK, value: "`+ns+`"}]
  volumeMounts: [{name: out, mountPath: /out}]
- name: deaf
  image: shell:1
  args: [-c, "trap '' TERM; while :; do sleep 0.1; done"]
  env: [{name: MARK, value: "`+ns+`"}]
volumes: [{name: out, hostPath: {path: `+dir+`}}]`)
	awaitPod(t, ns, "pod", "ready", ready)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	began := time.Now()
	shared.process("node-leaving").Stop(ctx)
	require.Zero(t, shared.process("node-leaving").Exit())
	require.Less(t, time.Since(began), 5*time.Second)
	require.FileExists(t, filepath.Join(dir, "asked"))
	require.Empty(t, processes(t, "MARK="+ns))
	require.NoError(t, shared.client.CoreV1().Nodes().Delete(t.Context(), "leaving", metav1.DeleteOptions{}))
}

// Not parallel: while it runs there is no API server for others.
func TestContainersOutliveTheAPIServer(t *testing.T) {
	ns := namespace(t)
	dir := t.TempDir()
	createPod(t, ns, "pod", `
restartPolicy: Never
containers:
- name: main
  image: shell:1
  args: [-c, "until test -f /flag/end; do sleep 0.1; done"]
  env: [{name: MARK, value: "`+ns+`"}]
  volumeMounts: [{name: flag, mountPath: /flag}]
volumes: [{name: flag, hostPath: {path: `+dir+`}}]`)
	awaitPod(t, ns, "pod", "running", running)
	before := processes(t, "MARK="+ns)
	require.NotEmpty(t, before)

	shared.kill("kube-apiserver")
	time.Sleep(2 * time.Second)
	require.Contains(t, processes(t, "MARK="+ns), before[0])
	touch(t, filepath.Join(dir, "end")) // it ends while no one can be told
	eventually(t, "the process ends", func() bool { return len(processes(t, "MARK="+ns)) == 0 })
	require.NoError(t, shared.startAPIServer(t.Context()))

	pod := awaitPod(t, ns, "pod", "finished", finished)
	require.Equal(t, corev1.PodSucceeded, pod.Status.Phase)
	require.Zero(t, pod.Status.ContainerStatuses[0].RestartCount)
	// And new pods run.
	require.Equal(t, "ok\n", runPod(t, ns, "next", `{restartPolicy: Never, containers: [{name: main, image: "shell:1", args: [-c, echo ok]}]}`))
}
