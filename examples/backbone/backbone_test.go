package main_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/controlbackbone/backbone/internal/embedded"
)

const (
	// flowLimit bounds the whole flow with everything built.
	flowLimit = 2 * time.Minute
	// deathBar is how soon everything is gone after the program was killed.
	deathBar = 10 * time.Second
)

// program is the example, built once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "backbone")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestFlow runs the whole flow, looks at the cluster as a user would, and kills
// the program without warning.
func TestFlow(t *testing.T) {
	_, err := embedded.Build(t.Context(), embedded.Components(), func(embedded.Event) {})
	require.NoError(t, err)
	temp := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), flowLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--keep", "--verbose")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())

	output := readUntil(t, out, "the cluster stays up")
	for _, stage := range []string{"cluster", "bootstrap", "repository", "gitops", "policy", "secrets", "drift", "eventing"} {
		require.Regexp(t, `(?m)^`+stage+` +ok `, output)
	}
	path := regexp.MustCompile(`kubeconfig (\S+),`).FindStringSubmatch(output)
	require.NotNil(t, path, output)
	admin := connect(t, path[1])

	t.Run("every component is Running and Ready", func(t *testing.T) {
		pods, err := admin.CoreV1().Pods(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(pods.Items), 10)
		for _, pod := range pods.Items {
			require.Equal(t, corev1.PodRunning, pod.Status.Phase, pod.Name)
			for _, container := range pod.Status.ContainerStatuses {
				require.True(t, container.Ready, "%s/%s", pod.Name, container.Name)
			}
		}
	})
	t.Run("a component has the rights of its ServiceAccount and no other", func(t *testing.T) {
		sensor := connect(t, podKubeconfig(t, filepath.Dir(path[1]), "platform-events", "pushes-sensor-"))
		who, err := sensor.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Equal(t, "system:serviceaccount:platform-events:pushes-sensor", who.Status.UserInfo.Username)
		patch := authorizationv1.ResourceAttributes{Group: "argoproj.io", Resource: "applications", Namespace: "argocd", Name: "cicd-pipeline", Verb: "patch"}
		require.True(t, allowed(t, sensor, patch))
		patch.Name = "security-baseline"
		require.False(t, allowed(t, sensor, patch), "another Application")
		require.False(t, allowed(t, sensor, authorizationv1.ResourceAttributes{Resource: "secrets", Namespace: "argocd", Verb: "list"}))
	})
	t.Run("nothing survives a kill", func(t *testing.T) {
		require.NotEmpty(t, processesNaming(t, temp))
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed, as the test asked
		require.Eventually(t, func() bool { return len(processesNaming(t, temp)) == 0 }, deathBar, 100*time.Millisecond)
	})
}

func TestBadInputEndsWithOneMessage(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()

	for name, input := range map[string]struct {
		arguments []string
		env       []string
		want      string
	}{
		"no git":                  {env: []string{"PATH=" + t.TempDir()}, want: "git is not installed"},
		"an unknown target":       {arguments: []string{"--target", "moon"}, want: `"moon"`},
		"an unknown component":    {arguments: []string{"--components", "argocd,argo"}, want: `"argo"`},
		"an unexpected argument":  {arguments: []string{"up"}, want: `"up"`},
		"a kubeconfig not asked":  {arguments: []string{"--kubeconfig", "x"}, want: "--target kubeconfig"},
		"no kubeconfig":           {arguments: []string{"--target", "kubeconfig", "--kubeconfig", "/does/not/exist"}, want: "/does/not/exist"},
		"a cluster that is mute":  {arguments: []string{"--target", "kubeconfig", "--kubeconfig", kubeconfigFor(t, mute.Addr().String())}, want: mute.Addr().String()},
		"a cluster that is gone":  {arguments: []string{"--target", "kubeconfig", "--kubeconfig", kubeconfigFor(t, "127.0.0.1:1")}, want: "127.0.0.1:1"},
		"a cache that is no dir":  {env: []string{"BACKBONE_CACHE=/dev/null/cache"}, want: "BACKBONE_CACHE"},
		"a full file system":      {env: []string{"TMPDIR=/proc"}, want: "/proc"},
		"a go command too old":    {env: []string{"PATH=" + oldGo(t) + ":" + os.Getenv("PATH"), "BACKBONE_CACHE=" + t.TempDir()}, want: "GOTOOLCHAIN=auto"},
		"a module that is broken": {env: []string{"BACKBONE_CACHE=" + t.TempDir(), "GOMODCACHE=" + t.TempDir(), "GOPROXY=off"}, want: "build kubernetes"},
	} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			cmd := exec.CommandContext(t.Context(), program, input.arguments...)
			cmd.Env = append(append(os.Environ(), "TMPDIR="+temp), input.env...)
			out, err := cmd.CombinedOutput()

			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Equal(t, 1, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), input.want)
			require.Equal(t, 1, strings.Count(string(out), "backbone: "), "one message:\n%s", out)
			require.Empty(t, processesNaming(t, temp))
		})
	}
}

// oldGo is a directory with a go command that refuses the module's language
// version, in the words of the real one.
func oldGo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\n" +
		`case $1 in env) echo go1.20;; *) echo "go: go.mod requires go >= 1.26.0 (running go 1.20; GOTOOLCHAIN=local)" >&2; exit 1;; esac` + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o700))
	return dir
}

func kubeconfigFor(t *testing.T, address string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://%s"}}]
users: [{name: u, user: {}}]
`, address)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// readUntil returns what the program has printed when a line begins with text.
func readUntil(t *testing.T, out interface{ Read([]byte) (int, error) }, text string) string {
	t.Helper()
	var output strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		t.Log(lines.Text())
		output.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), text) {
			return output.String()
		}
	}
	require.NoError(t, errors.Join(lines.Err(), errors.New("the program ended early")), output.String())
	return ""
}

func connect(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func allowed(t *testing.T, client kubernetes.Interface, what authorizationv1.ResourceAttributes) bool {
	t.Helper()
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return review.Status.Allowed
}

// podKubeconfig is the kubeconfig that the local node gave to a pod.
func podKubeconfig(t *testing.T, clusterDir, namespace, prefix string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(clusterDir, "node", "pods", namespace+"_"+prefix+"*", "containers", "*", "kubeconfig"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

// processesNaming are the processes with text in their command line or environment.
func processesNaming(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, dir := range dirs {
		for _, file := range []string{"cmdline", "environ"} {
			content, err := os.ReadFile(filepath.Join(dir, file))
			if err == nil && strings.Contains(string(content), text) {
				found = append(found, dir)
				break
			}
		}
	}
	return found
}
