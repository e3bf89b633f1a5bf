package main_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createPod(t, ns, "talker", `
containers: [{name: main, image: "shell:1", args: [-c, "echo one; echo two >&2; printf three; echo; until test -f go; do sleep 0.05; done; echo four; sleep 1000"]}]`)
	awaitPod(t, ns, "talker", "running", running)
	eventually(t, "the log has three lines", func() bool { return strings.Contains(readLog(t, ns, "talker", &corev1.PodLogOptions{}), "three\n") })

	two, limit := int64(2), int64(3)
	later := metav1.NewTime(time.Now().Add(time.Hour))
	tests := map[string]struct {
		options corev1.PodLogOptions
		want    []string
	}{
		"all of it":          {corev1.PodLogOptions{}, []string{"one", "three", "two"}},
		"the last lines":     {corev1.PodLogOptions{TailLines: &two}, nil},
		"the first bytes":    {corev1.PodLogOptions{LimitBytes: &limit}, nil},
		"only what is newer": {corev1.PodLogOptions{SinceTime: &later}, []string{""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := readLog(t, ns, "talker", &test.options)
			switch {
			case test.options.TailLines != nil:
				require.Len(t, lines(got), int(two))
			case test.options.LimitBytes != nil:
				require.Len(t, got, int(limit))
			default:
				require.ElementsMatch(t, test.want, lines(got))
			}
		})
	}
	t.Run("with times", func(t *testing.T) {
		for _, line := range lines(readLog(t, ns, "talker", &corev1.PodLogOptions{Timestamps: true})) {
			stamp, _, _ := strings.Cut(line, " ")
			_, err := time.Parse(time.RFC3339Nano, stamp)
			require.NoError(t, err)
		}
	})
	t.Run("as it grows", func(t *testing.T) {
		stream, err := shared.client.CoreV1().Pods(ns).GetLogs("talker", &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
		require.NoError(t, err)
		defer stream.Close()
		_, err = runCommand(t, ns, "talker", nil, "touch", "go")
		require.NoError(t, err)
		var got bytes.Buffer
		for !strings.Contains(got.String(), "four\n") {
			_, err := io.CopyN(&got, stream, 1)
			require.NoError(t, err, "the log ended early: %q", got.String())
		}
	})
}

// runCommand runs a command the way kubectl exec does.
func runCommand(t *testing.T, namespace, pod string, stdin io.Reader, command ...string) (string, error) {
	t.Helper()
	request := shared.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(shared.config, http.MethodGet, request.URL().String())
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer // one each: the streams are read concurrently
	err = executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: stdin, Stdout: &stdout, Stderr: &stderr})
	return stdout.String(), err
}

func TestExec(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createPod(t, ns, "shell", `
containers: [{name: main, image: "shell:1", command: [sleep, "1000"], env: [{name: COLOUR, value: green}], volumeMounts: [{name: v, mountPath: /v}]}]
volumes: [{name: v, emptyDir: {}}]`)
	awaitPod(t, ns, "shell", "running", running)

	out, err := runCommand(t, ns, "shell", nil, "sh", "-c", "echo $COLOUR > /v/x; cat /v/x")
	require.NoError(t, err)
	require.Equal(t, "green\n", out)

	out, err = runCommand(t, ns, "shell", strings.NewReader("hello"), "cat")
	require.NoError(t, err)
	require.Equal(t, "hello", out)

	_, err = runCommand(t, ns, "shell", nil, "sh", "-c", "exit 5")
	var exit utilexec.CodeExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 5, exit.Code)
}

func TestKubeletAPIRefusesStrangers(t *testing.T) {
	t.Parallel()
	node, err := shared.client.CoreV1().Nodes().Get(t.Context(), "local", metav1.GetOptions{})
	require.NoError(t, err)
	url := fmt.Sprintf("https://127.0.0.1:%d/pods", node.Status.DaemonEndpoints.KubeletEndpoint.Port)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Get(url)
	if err == nil {
		response.Body.Close()
	}
	require.ErrorContains(t, err, "certificate required")
}

func hasEvent(t *testing.T, namespace, reason, message string) bool {
	t.Helper()
	list, err := shared.client.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=" + reason})
	require.NoError(t, err)
	for _, event := range list.Items {
		if strings.Contains(event.Message, message) {
			return true
		}
	}
	return false
}

func touch(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o600))
}

func remove(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.Remove(path))
}
