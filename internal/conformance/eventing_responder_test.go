package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/controlbackbone/backbone/eventing"
)

// replica is a Responder that shares what it knows with others of its namespace.
type replica struct {
	*eventing.Responder
	url string
}

func startReplica(t *testing.T, c client.Client, home string, options eventing.ResponderOptions) replica {
	t.Helper()
	options.Authentication = eventing.NoAuthentication{}
	options.Store = eventing.KubernetesStore{Client: c, Namespace: home, Name: "ops"}
	options.DeadLetters = eventing.KubernetesDeadLetters{Client: c, Namespace: home, Name: "ops", MaxLetters: 2}
	made, err := eventing.NewResponder(options)
	require.NoError(t, err)
	server := httptest.NewServer(made)
	t.Cleanup(server.Close)
	return replica{Responder: made, url: server.URL}
}

// post sends an event, and returns the status and the text of the answer. It may run in a goroutine of its own.
func (r replica) post(id string) (int, string) {
	request, err := http.NewRequest(http.MethodPost, r.url, strings.NewReader(`{"password":"hunter2"}`))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("ce-id", id)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

func requireAnswer(t *testing.T, r replica, id string, status int, result string) {
	t.Helper()
	got, text := r.post(id)
	require.Equal(t, status, got, text)
	require.Contains(t, text, `"result":"`+result+`"`)
}

func TestReplicasOfAResponderHandleAnEventOnce(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	var runs atomic.Int32
	open := make(chan struct{})
	options := eventing.ResponderOptions{Workers: 8, Queue: 40, Handle: func(context.Context, eventing.Event) error {
		runs.Add(1)
		<-open
		return nil
	}}
	one, two := startReplica(t, c, home, options), startReplica(t, c, home, options)
	statuses := make(chan int, 40)
	var senders sync.WaitGroup
	for i := range 40 {
		senders.Go(func() {
			status, _ := []replica{one, two}[i%2].post("push/1")
			statuses <- status
		})
	}
	for range 39 {
		require.Equal(t, 503, <-statuses)
	}
	close(open)
	require.Equal(t, 200, <-statuses)
	senders.Wait()
	requireAnswer(t, one, "push/1", 200, "duplicate")
	requireAnswer(t, two, "push/1", 200, "duplicate")
	// A process that starts later knows as well.
	requireAnswer(t, startReplica(t, c, home, options), "push/1", 200, "duplicate")
	require.EqualValues(t, 1, runs.Load())

	var leases coordinationv1.LeaseList
	require.NoError(t, c.List(t.Context(), &leases, client.InNamespace(home)))
	require.Len(t, leases.Items, 1)
	require.Nil(t, leases.Items[0].Spec.HolderIdentity)
	require.Equal(t, map[string]string{"eventing.backbone.dev/event": "push/1", "eventing.backbone.dev/outcome": "handled"}, leases.Items[0].Annotations)
}

func TestReplicasShareAttemptsAndDeadLetters(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	fails := true
	options := eventing.ResponderOptions{MaxAttempts: 2, Handle: func(context.Context, eventing.Event) error {
		if fails {
			return errors.New("no luck")
		}
		return nil
	}}
	one, two := startReplica(t, c, home, options), startReplica(t, c, home, options)
	requireAnswer(t, one, "a", 500, "failed")
	requireAnswer(t, two, "a", 200, "dead-lettered")
	requireAnswer(t, one, "a", 200, "duplicate")
	requireAnswer(t, one, "b", 500, "failed")
	requireAnswer(t, one, "b", 200, "dead-lettered")
	requireAnswer(t, one, "c", 500, "failed")
	requireAnswer(t, one, "c", 503, "unavailable") // there is room for two

	letters, err := one.DeadLetters(t.Context())
	require.NoError(t, err)
	var got []string
	for _, letter := range letters {
		got = append(got, fmt.Sprint(letter.Event.ID, letter.Event.Attempt, letter.Reason, string(letter.Event.Body), letter.Event.Header))
	}
	if diff := cmp.Diff([]string{`a2no luck{"password":"hunter2"}map[Ce-Id:[a]]`, `b2no luck{"password":"hunter2"}map[Ce-Id:[b]]`}, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	var secrets corev1.SecretList
	require.NoError(t, c.List(t.Context(), &secrets, client.InNamespace(home)))
	require.Len(t, secrets.Items, 2)
	for _, secret := range secrets.Items {
		require.EqualValues(t, "eventing.backbone.dev/dead-letter", secret.Type)
		require.True(t, *secret.Immutable)
		require.NotContains(t, fmt.Sprint(secret.ObjectMeta, string(secret.Data["letter"])), "hunter2")
	}

	require.EqualError(t, one.Replay(t.Context(), "a"), "no luck")
	fails = false
	require.NoError(t, two.Replay(t.Context(), "a"))
	require.ErrorIs(t, one.Replay(t.Context(), "a"), eventing.ErrNoDeadLetter)
	require.NoError(t, one.Discard(t.Context(), "b"))
	require.ErrorIs(t, two.Discard(t.Context(), "b"), eventing.ErrNoDeadLetter)
	requireAnswer(t, one, "a", 200, "duplicate")
	letters, err = two.DeadLetters(t.Context())
	require.NoError(t, err)
	require.Empty(t, letters)
}

func TestAReplicaThatCannotWaitGivesItsEventsUp(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	entered := make(chan struct{})
	one := startReplica(t, c, home, eventing.ResponderOptions{Handle: func(ctx context.Context, _ eventing.Event) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}})
	answered := make(chan int, 1)
	go func() {
		status, _ := one.post("1")
		answered <- status
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, one.Shutdown(ctx), context.Canceled)
	require.Equal(t, 500, <-answered)
	two := startReplica(t, c, home, eventing.ResponderOptions{Handle: func(context.Context, eventing.Event) error { return nil }})
	requireAnswer(t, two, "1", 200, "handled")
}

func TestAnAPIServerThatRefusesKeepsTheEventWithItsSender(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	options := eventing.ResponderOptions{Handle: func(context.Context, eventing.Event) error {
		t.Error("the event is not claimed")
		return nil
	}}
	status, text := startReplica(t, as(t, home, "nobody"), home, options).post("1")
	require.Equal(t, 503, status)
	require.Contains(t, text, `"result":"unavailable"`)
	require.NotContains(t, text, "nobody", "what the API server says is for the log")

	// It may claim, but keep no letters.
	grant(t, c, home, "half", nil, storeOf(home).RBAC)
	waitAllowed(t, c, home, "half", leaseRights(home)...)
	var tried atomic.Int32
	options.Handle = func(context.Context, eventing.Event) error {
		tried.Add(1)
		return eventing.Permanent(errors.New("never"))
	}
	half := startReplica(t, as(t, home, "half"), home, options)
	_, err := half.DeadLetters(t.Context())
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	requireAnswer(t, half, "1", 503, "unavailable")
	require.EqualValues(t, 1, tried.Load())
	requireAnswer(t, startReplica(t, c, home, options), "1", 200, "dead-lettered")
}

func TestAManagerRunsAResponderWithItsOwnClient(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	grant(t, c, home, "operator", nil, storeOf(home).RBAC, lettersOf(home).RBAC)
	config := shared.cluster.Config()
	config.Impersonate.UserName = "system:serviceaccount:" + home + ":operator"
	mgr, err := manager.New(config, manager.Options{Metrics: server.Options{BindAddress: "0"}})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	made, err := eventing.NewResponder(eventing.ResponderOptions{
		Authentication: eventing.NoAuthentication{}, Listener: listener,
		// There is no right to watch, so a read through the manager's cache would fail.
		Store:       eventing.KubernetesStore{Client: mgr.GetClient(), Namespace: home, Name: "ops"},
		DeadLetters: eventing.KubernetesDeadLetters{Client: mgr.GetClient(), Namespace: home, Name: "ops"},
		Handle:      func(context.Context, eventing.Event) error { return nil },
	})
	require.NoError(t, err)
	require.NoError(t, mgr.Add(made))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	r := replica{Responder: made, url: "http://" + listener.Addr().String()}
	require.Eventually(t, func() bool {
		status, _ := r.post("1")
		return status == 200
	}, soon, 50*time.Millisecond)
	requireAnswer(t, r, "1", 200, "duplicate")
	cancel()
	require.NoError(t, <-ended)
	status, _ := r.post("2")
	require.Zero(t, status, "nobody listens any more")
}
