package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/eventing/replay"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// An event is followed from its source, through the bus, to a trigger that fails at first.
func TestATraceTellsTheWayOfAnEvent(t *testing.T) {
	cluster, c := running(t, embedded.NATS, embedded.ArgoEvents)
	logs, err := eventing.Logs(cluster.Config())
	require.NoError(t, err)
	events := eventing.NewClient(c, eventing.ClientOptions{Logs: logs})
	home := namespace(t, c)
	natsPort, err := cluster.Port("nats")
	require.NoError(t, err)
	listen, err := cluster.Port("webhook")
	require.NoError(t, err)
	var answers atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answers.Add(1) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(target.Close)

	for _, value := range []interface {
		Build() (*unstructured.Unstructured, error)
	}{
		eventing.EventBus{Namespace: home, Bus: eventing.JetStreamExotic{URL: fmt.Sprintf("nats://127.0.0.1:%d", natsPort)}},
		eventing.EventSource{Name: "hooks", Namespace: home, Events: map[string]eventing.Source{
			"in": eventing.Webhook{Port: int32(listen), Endpoint: "/in"},
		}},
		eventing.Sensor{
			Name: "tell", Namespace: home,
			Dependencies: []eventing.Dependency{{
				Name: "hook", EventSource: "hooks", Event: "in",
				Filters: eventing.Filters{Data: []eventing.DataFilter{eventing.Bool{Path: "body.tell", Value: true}}},
			}},
			Triggers: []eventing.SensorTrigger{{
				Name: "tell", Retry: &eventing.Retry{Attempts: 3, Pause: 100 * time.Millisecond},
				Trigger: eventing.HTTPTrigger{URL: target.URL},
			}},
		},
	} {
		obj, err := value.Build()
		require.NoError(t, err)
		require.NoError(t, events.Apply(t.Context(), obj))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for kind, name := range map[eventing.Kind]string{eventing.EventBusKind: "default", eventing.EventSourceKind: "hooks", eventing.SensorKind: "tell"} {
		require.NoError(t, events.WaitReady(ctx, kind, client.ObjectKey{Namespace: home, Name: name}))
	}
	connection, err := replay.ConnectionOf(ctx, c, replay.Bus{Namespace: home, Name: "default"})
	require.NoError(t, err)
	server := watchConsumers(t, connection.URL, 1)
	started := time.Now().Add(-time.Second)

	post := func(body string) {
		postUntilTaken(t, fmt.Sprintf("http://127.0.0.1:%d/in", listen), body)
		require.Eventually(t, func() bool { return server.handled("in") }, time.Minute, 20*time.Millisecond)
	}
	post(`{"tell": true}`)
	post(`{"tell": false}`)
	var ids []string
	require.NoError(t, replay.Record(ctx, connection, replay.RecordOptions{Stored: true}, func(event cloudevents.Event) error {
		ids = append(ids, event.ID())
		return nil
	}))
	require.Len(t, ids, 2)

	trace := requireTrace(t, events, home, ids[0], 2)
	require.NotNil(t, trace.Published)
	require.Equal(t, "hooks", trace.Published.EventSource)
	require.Equal(t, "in", trace.Published.Event)
	require.Equal(t, "webhook", trace.Published.Kind)
	failed, succeeded := trace.Runs[0], trace.Runs[1]
	require.Contains(t, failed.Error, "500")
	require.Empty(t, succeeded.Error)
	for _, run := range trace.Runs {
		require.Equal(t, "tell", run.Sensor)
		require.Equal(t, "tell", run.Trigger)
		require.Equal(t, []string{"hook"}, run.Dependencies)
		require.Equal(t, []string{ids[0]}, run.Events)
		require.False(t, run.Time.Before(trace.Published.Time))
	}
	silent := requireTrace(t, events, home, ids[1], 0)
	require.NotNil(t, silent.Published)

	failures, err := events.Failures(ctx, home, started)
	require.NoError(t, err)
	require.Equal(t, []eventing.Run{failed}, failures)
	failures, err = events.Failures(ctx, home, time.Now())
	require.NoError(t, err)
	require.Empty(t, failures)

	// An event that no source has sent goes the same way.
	event, err := replay.NewEvent("webhook", "hooks", "in", "by-hand", time.Now(), []byte(`{"body":{"tell":true}}`))
	require.NoError(t, err)
	require.NoError(t, replay.Publish(ctx, connection, event))
	trace = requireTrace(t, events, home, "by-hand", 1)
	require.Nil(t, trace.Published)
	require.Empty(t, trace.Runs[0].Error)
	require.ErrorAs(t, replay.Publish(ctx, connection, event), new(*replay.DuplicateError))

	_, err = eventing.NewClient(c, eventing.ClientOptions{}).Trace(ctx, home, "by-hand")
	require.ErrorContains(t, err, "ClientOptions.Logs")
}

// requireTrace waits until the logs tell of as many runs.
func requireTrace(t *testing.T, events *eventing.Client, namespace, id string, runs int) *eventing.Trace {
	t.Helper()
	var trace *eventing.Trace
	require.Eventually(t, func() bool {
		var err error
		trace, err = events.Trace(t.Context(), namespace, id)
		require.NoError(t, err)
		return len(trace.Runs) == runs
	}, 20*time.Second, 200*time.Millisecond)
	return trace
}
