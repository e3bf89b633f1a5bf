package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// handledEvents is the work of a Responder: it counts what it is asked to do.
type handledEvents struct {
	mu       sync.Mutex
	byNumber map[int]bool
	byID     map[string]int
}

func (h *handledEvents) handle(_ context.Context, event eventing.Event) error {
	var whole v1alpha1.Event
	if err := json.Unmarshal(event.Body, &whole); err != nil {
		return eventing.Permanent(err)
	}
	var data struct {
		Body struct {
			Number int `json:"number"`
		} `json:"body"`
	}
	if err := json.Unmarshal(whole.Data, &data); err != nil {
		return eventing.Permanent(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byNumber[data.Body.Number] = true
	h.byID[event.ID]++
	return nil
}

func (h *handledEvents) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byNumber)
}

// 1,000 events reach the operator, each of them once, while the sensor is killed three times and the bus once.
func TestNoEventIsLostAndNoneIsHandledTwiceWhileProcessesAreKilled(t *testing.T) {
	const number = 1000
	cluster, c := running(t, embedded.NATS, embedded.ArgoEvents)
	events := eventing.NewClient(c, eventing.ClientOptions{})
	home := namespace(t, c)
	natsPort, err := cluster.Port("nats")
	require.NoError(t, err)
	listen, err := cluster.Port("webhook")
	require.NoError(t, err)

	handled := &handledEvents{byNumber: map[int]bool{}, byID: map[string]int{}}
	responder, err := eventing.NewResponder(eventing.ResponderOptions{Handle: handled.handle, Authentication: eventing.NoAuthentication{}})
	require.NoError(t, err)
	operator := httptest.NewServer(responder)
	t.Cleanup(operator.Close)

	for _, value := range []interface {
		Build() (*unstructured.Unstructured, error)
	}{
		eventing.EventBus{Namespace: home, Bus: eventing.JetStreamExotic{URL: fmt.Sprintf("nats://127.0.0.1:%d", natsPort)}},
		eventing.EventSource{Name: "hooks", Namespace: home, Events: map[string]eventing.Source{
			"orders": eventing.Webhook{Port: int32(listen), Endpoint: "/orders"},
		}},
		eventing.Sensor{
			Name: "orders", Namespace: home,
			Dependencies: []eventing.Dependency{{Name: "order", EventSource: "hooks", Event: "orders"}},
			Triggers: []eventing.SensorTrigger{{
				Name: "tell", Retry: &eventing.Retry{Attempts: 10, Pause: 100 * time.Millisecond},
				Trigger: eventing.HTTPTrigger{URL: operator.URL, Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "order"}}}},
			}},
		},
	} {
		obj, err := value.Build()
		require.NoError(t, err)
		require.NoError(t, events.Apply(t.Context(), obj))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for kind, name := range map[eventing.Kind]string{eventing.EventBusKind: "default", eventing.EventSourceKind: "hooks", eventing.SensorKind: "orders"} {
		require.NoError(t, events.WaitReady(ctx, kind, client.ObjectKey{Namespace: home, Name: name}))
	}
	watchConsumers(t, fmt.Sprintf("nats://127.0.0.1:%d", natsPort), 1)

	kills := map[int]func(){
		200: func() { killSensor(t, c, home) },
		400: func() { killSensor(t, c, home) },
		600: func() {
			killProcess(t, func(arguments, _ string) bool {
				return strings.Contains(arguments, fmt.Sprintf("--port=%d\x00", natsPort))
			})
		},
		800: func() { killSensor(t, c, home) },
	}
	began := time.Now()
	again := 0
	for i := range number {
		if kill := kills[i]; kill != nil {
			kill()
		}
		again += postUntilTaken(t, fmt.Sprintf("http://127.0.0.1:%d/orders", listen), fmt.Sprintf(`{"number":%d}`, i))
	}
	sent := time.Since(began)
	require.Eventually(t, func() bool { return handled.count() == number }, 5*time.Minute, 200*time.Millisecond, "%d of %d events arrived", handled.count(), number)
	require.EqualValues(t, 3, restarts(t, c, home, client.MatchingLabels{"controller": "sensor-controller"}))
	require.EqualValues(t, 1, restarts(t, c, "nats", client.MatchingLabels{}))
	for id, times := range handled.byID {
		require.Equal(t, 1, times, "event %s", id)
	}
	t.Logf("%d events sent in %s, %d requests repeated; all handled after %s", number, sent.Round(time.Second), again, time.Since(began).Round(time.Second))
}

// restarts is how often containers of pods have ended and started again.
func restarts(t *testing.T, c client.Client, namespace string, labels client.MatchingLabels) int32 {
	t.Helper()
	var pods corev1.PodList
	require.NoError(t, c.List(t.Context(), &pods, client.InNamespace(namespace), labels))
	var count int32
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			count += status.RestartCount
		}
	}
	return count
}

// killSensor kills the process of the sensor's pod, once it runs.
func killSensor(t *testing.T, c client.Client, namespace string) {
	t.Helper()
	var pods corev1.PodList
	require.NoError(t, c.List(t.Context(), &pods, client.InNamespace(namespace), client.MatchingLabels{"controller": "sensor-controller"}))
	require.Len(t, pods.Items, 1)
	killProcess(t, func(_, environment string) bool {
		return strings.Contains(environment, "POD_NAME="+pods.Items[0].Name+"\x00")
	})
}

// killProcess waits for the process of this target that is meant, and kills it.
func killProcess(t *testing.T, meant func(arguments, environment string) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		directories, err := filepath.Glob("/proc/[0-9]*")
		require.NoError(t, err)
		for _, directory := range directories {
			arguments, err := os.ReadFile(filepath.Join(directory, "cmdline"))
			if err != nil {
				continue
			}
			environment, err := os.ReadFile(filepath.Join(directory, "environ"))
			if err != nil || !meant(string(arguments), string(environment)) {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(directory))
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			return true
		}
		return false
	}, 2*time.Minute, 100*time.Millisecond, "there is no such process")
}
