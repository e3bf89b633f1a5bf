package target_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/target"
)

// webVariable makes the test binary a web server, for pods to run: it answers
// every request with its body and the name of the pod.
const webVariable = "BACKBONE_TEST_LISTEN"

func serveWeb() {
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Getenv(webVariable), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		fmt.Fprint(w, os.Getenv("HOSTNAME"))
	})))
	os.Exit(1)
}

// webImage is the image whose program is this test binary.
const webImage = "test/web:1"

var webLabels = map[string]string{"app": "web"}

func TestEndpointReachesThePodsBehindAService(t *testing.T) {
	c := newClient(t)
	service := target.Service{Namespace: newNamespace(t, c), Name: "web", Port: 80}
	connected := connect(t)

	endpoint, err := connected.Endpoint(t.Context(), service)
	require.NoError(t, err, "the Service need not exist yet")
	require.Equal(t, "web."+service.Namespace+".svc:80", endpoint.InCluster)
	require.Equal(t, 80, endpoint.Listen)
	_, err = ask(t, endpoint, "")
	require.Error(t, err, "there is nothing to connect to")

	createService(t, c, service, webLabels, intstr.FromString("http"))
	port := freePort(t)
	createPod(t, c, service.Namespace, "first", port)
	again, err := connected.Endpoint(t.Context(), service)
	require.NoError(t, err, "a pod that becomes ready is waited for")
	require.Equal(t, endpoint, again)

	answer, err := ask(t, endpoint, "hello ")
	require.NoError(t, err)
	require.Equal(t, "hello first", answer)

	large := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	answer, err = ask(t, endpoint, large)
	require.NoError(t, err)
	require.Equal(t, large+"first", answer)

	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: "first"}}
	require.NoError(t, c.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	require.Eventually(t, func() bool { return !listens(port) }, 10*time.Second, 50*time.Millisecond)
	createPod(t, c, service.Namespace, "second", port)
	answer, err = ask(t, endpoint, "hello ")
	require.NoError(t, err, "a connection waits for the pod that replaces another")
	require.Equal(t, "hello second", answer)

	require.NoError(t, connected.Stop(t.Context()))
	_, err = ask(t, endpoint, "")
	require.ErrorContains(t, err, "connection refused", "the local port ends with the target")
	_, err = connected.Endpoint(t.Context(), service)
	require.ErrorContains(t, err, "stopped")
}

func TestStopEndsOpenConnections(t *testing.T) {
	c := newClient(t)
	service := target.Service{Namespace: newNamespace(t, c), Name: "web", Port: 80}
	createService(t, c, service, webLabels, intstr.FromString("http"))
	createPod(t, c, service.Namespace, "web", freePort(t))
	connected := connect(t)
	endpoint, err := connected.Endpoint(t.Context(), service)
	require.NoError(t, err)

	idle, err := net.Dial("tcp", endpoint.Local)
	require.NoError(t, err)
	defer idle.Close()
	fmt.Fprintf(idle, "GET / HTTP/1.1\r\nHost: web\r\n\r\n")
	_, err = idle.Read(make([]byte, 1))
	require.NoError(t, err, "the connection is established")

	require.NoError(t, connected.Stop(t.Context()))
	require.NoError(t, idle.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = io.Copy(io.Discard, idle)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestEndpointSaysWhyAServiceIsNotReached(t *testing.T) {
	c := newClient(t)
	for name, failure := range map[string]struct {
		labels map[string]string
		port   intstr.IntOrString
		pod    bool
		asked  int
		want   string
	}{
		"a port that the Service does not have": {
			labels: webLabels, port: intstr.FromInt32(8080), asked: 81, want: "it has no port 81, only [80]",
		},
		"a Service without a selector": {
			port: intstr.FromInt32(8080), asked: 80, want: "it selects no pods",
		},
		"a port that the pod does not name": {
			labels: webLabels, port: intstr.FromString("grpc"), pod: true, asked: 80, want: `pod web has no port named "grpc"`,
		},
		"no ready pod": {
			labels: webLabels, port: intstr.FromInt32(8080), asked: 80, want: "no ready pod within 10s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			service := target.Service{Namespace: newNamespace(t, c), Name: "web", Port: 80}
			createService(t, c, service, failure.labels, failure.port)
			if failure.pod {
				createPod(t, c, service.Namespace, "web", freePort(t))
			}
			service.Port = failure.asked
			_, err := connect(t).Endpoint(t.Context(), service)
			require.ErrorContains(t, err, failure.want)
			require.ErrorContains(t, err, service.String())
		})
	}
}

func TestEndpointNamesWhatThePodsWaitFor(t *testing.T) {
	c := newClient(t)
	service := target.Service{Namespace: newNamespace(t, c), Name: "web", Port: 80}
	createService(t, c, service, webLabels, intstr.FromInt32(8080))
	pod := webPod(service.Namespace, "web", 8080)
	pod.Spec.Containers[0].Image = "test/unknown:1"
	require.NoError(t, c.Create(t.Context(), pod))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := connect(t).Endpoint(ctx, service)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "container web of pod web waits: ErrImageNeverPull")
	require.ErrorContains(t, err, "test/unknown:1")
}

// ask sends a body to the web server, over a connection of its own.
func ask(t *testing.T, endpoint target.Endpoint, body string) (string, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).
		Post("http://"+endpoint.Local, "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return string(answer), err
}

func listens(port int) bool {
	connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func createService(t *testing.T, c client.Client, service target.Service, selector map[string]string, to intstr.IntOrString) {
	t.Helper()
	require.NoError(t, c.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name},
		Spec: corev1.ServiceSpec{
			Selector: selector,
			Ports:    []corev1.ServicePort{{Port: int32(service.Port), TargetPort: to}},
		},
	}))
}

func createPod(t *testing.T, c client.Client, namespace, name string, port int) {
	t.Helper()
	require.NoError(t, c.Create(t.Context(), webPod(namespace, name, port)))
}

func webPod(namespace, name string, port int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: webLabels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:  "web",
			Image: webImage,
			Env:   []corev1.EnvVar{{Name: webVariable, Value: fmt.Sprintf("127.0.0.1:%d", port)}},
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: int32(port)}},
			ReadinessProbe: &corev1.Probe{
				ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}},
				PeriodSeconds: 1,
			},
		}}},
	}
}
