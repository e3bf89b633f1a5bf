package conformance_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// A webhook that GitHub has signed reaches an operator that asks for a token; one that somebody else has signed does not
// get in, and neither does a sensor with another token.
func TestSecretsProtectBothEndsOfAnEvent(t *testing.T) {
	cluster, c := running(t, embedded.NATS, embedded.ArgoEvents)
	logs, err := eventing.Logs(cluster.Config())
	require.NoError(t, err)
	events := eventing.NewClient(c, eventing.ClientOptions{Logs: logs})
	home := namespace(t, c)
	nats, err := cluster.Port("nats")
	require.NoError(t, err)
	listen, err := cluster.Port("webhook")
	require.NoError(t, err)

	handled := &handledEvents{byNumber: map[int]bool{}, byID: map[string]int{}}
	responder, err := eventing.NewResponder(eventing.ResponderOptions{
		Handle: handled.handle, Authentication: eventing.Bearer{Tokens: eventing.FixedKeys("the-token")},
	})
	require.NoError(t, err)
	operator := httptest.NewServer(responder)
	t.Cleanup(operator.Close)

	require.NoError(t, c.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "github", Namespace: home},
		StringData: map[string]string{"webhook": "the-key", "right": "Bearer the-token", "wrong": "Bearer another"},
	}))
	tell := func(name, key string) eventing.SensorTrigger {
		return eventing.SensorTrigger{Name: name, Retry: &eventing.Retry{Attempts: 1}, Trigger: eventing.HTTPTrigger{
			URL: operator.URL, SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: "github", Key: key}},
			Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "push"}}},
		}}
	}
	var objects []*unstructured.Unstructured
	for _, value := range []interface {
		Build() (*unstructured.Unstructured, error)
	}{
		eventing.EventBus{Namespace: home, Bus: eventing.JetStreamExotic{URL: fmt.Sprintf("nats://127.0.0.1:%d", nats)}},
		eventing.EventSource{Name: "github", Namespace: home, Events: map[string]eventing.Source{"push": eventing.GitHub{
			Listener:     eventing.Listener{Port: int32(listen), Endpoint: "/push"},
			Repositories: map[string][]string{"acme": {"shop"}}, Secret: &eventing.SecretKey{Name: "github", Key: "webhook"},
		}}},
		eventing.Sensor{
			Name: "pushes", Namespace: home,
			Dependencies: []eventing.Dependency{{Name: "push", EventSource: "github", Event: "push"}},
			Triggers:     []eventing.SensorTrigger{tell("right", "right"), tell("wrong", "wrong")},
		},
	} {
		obj, err := value.Build()
		require.NoError(t, err)
		objects = append(objects, obj)
	}
	require.NoError(t, events.Apply(t.Context(), objects...))
	for kind, name := range map[eventing.Kind]string{eventing.EventBusKind: "default", eventing.EventSourceKind: "github", eventing.SensorKind: "pushes"} {
		require.NoError(t, events.WaitReady(t.Context(), kind, client.ObjectKey{Namespace: home, Name: name}))
	}
	watchConsumers(t, fmt.Sprintf("nats://127.0.0.1:%d", nats), 2)

	url := fmt.Sprintf("http://127.0.0.1:%d/push", listen)
	require.Eventually(t, func() bool { return signedPush(t, url, "the-key", `{"number":1}`) == http.StatusOK }, time.Minute, 200*time.Millisecond)
	require.NotEqual(t, http.StatusOK, signedPush(t, url, "another key", `{"number":2}`))
	require.Equal(t, http.StatusOK, signedPush(t, url, "the-key", `{"number":3}`))
	require.Eventually(t, func() bool { return handled.count() == 2 }, time.Minute, 100*time.Millisecond)
	require.Equal(t, map[int]bool{1: true, 3: true}, handled.byNumber)
	require.Eventually(t, func() bool {
		runs, err := events.Failures(t.Context(), home, time.Time{})
		require.NoError(t, err)
		return len(runs) == 2 && runs[0].Trigger == "wrong" && runs[1].Trigger == "wrong"
	}, time.Minute, time.Second)
}

// signedPush sends a push as GitHub does, and returns the status of the answer; 0 without one.
func signedPush(t *testing.T, url, key, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-GitHub-Event", "push")
	request.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
