package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// running starts a cluster of the test's own in which the components run.
func running(t *testing.T, components ...embedded.Component) (*embedded.Cluster, client.WithWatch) {
	t.Helper()
	cluster, err := startWith(components...)
	if cluster != nil {
		t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	}
	require.NoError(t, err)
	return cluster, newClient(t, cluster)
}

var applicationKind = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}

// The real controller and pods of Argo Events do what the objects say, with the
// rights of RBAC and no others, and WaitReady knows when.
func TestAWebhookEventReachesAnApplication(t *testing.T) {
	cluster, c := running(t, embedded.NATS, embedded.ArgoEvents)
	install(t, c, argoCDModule, "manifests/crds/application-crd.yaml")
	events := eventing.NewClient(c, eventing.ClientOptions{})
	home, target := namespace(t, c), namespace(t, c)
	nats, err := cluster.Port("nats")
	require.NoError(t, err)
	listen, err := cluster.Port("webhook")
	require.NoError(t, err)

	application := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"project":     "default",
		"source":      map[string]any{"repoURL": "https://git.example.com/shop.git", "path": "."},
		"destination": map[string]any{"server": "https://kubernetes.default.svc"},
	}}}
	application.SetGroupVersionKind(applicationKind)
	application.SetNamespace(target)
	application.SetName("shop")
	require.NoError(t, c.Create(t.Context(), application))

	sensor := eventing.Sensor{
		Name: "sync-shop", Namespace: home,
		Dependencies: []eventing.Dependency{{
			Name: "push", EventSource: "git", Event: "push",
			Filters: eventing.Filters{Data: []eventing.DataFilter{eventing.StringIn{Path: "body.ref", Values: []string{"refs/heads/main"}}}},
		}},
		Triggers: []eventing.SensorTrigger{{
			Name: "sync",
			Trigger: eventing.ArgoCDTrigger{
				Application: "shop", Namespace: target,
				Parameters: []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.after"}, To: "operation.sync.revision"}},
			},
		}},
	}
	rights, err := sensor.RBAC()
	require.NoError(t, err)
	require.NoError(t, events.Apply(t.Context(), rights...))
	for _, value := range []interface {
		Build() (*unstructured.Unstructured, error)
	}{
		eventing.EventBus{Namespace: home, Bus: eventing.JetStreamExotic{URL: fmt.Sprintf("nats://127.0.0.1:%d", nats)}},
		eventing.EventSource{Name: "git", Namespace: home, Events: map[string]eventing.Source{
			"push": eventing.Webhook{Port: int32(listen), Endpoint: "/push"},
		}},
		sensor,
	} {
		obj, err := value.Build()
		require.NoError(t, err)
		require.NoError(t, events.Apply(t.Context(), obj))
	}
	requireDeployed(t, events, home)

	endpoint := fmt.Sprintf("http://127.0.0.1:%d/push", listen)
	requireRevision(t, c, application, endpoint, "refs/heads/main", "abc")

	// A changed spec is ready only when the pods of the change run.
	sensor.Dependencies[0].Filters.Data = []eventing.DataFilter{eventing.StringMatches{Path: "body.ref", Pattern: "^refs/heads/release-"}}
	obj, err := sensor.Build()
	require.NoError(t, err)
	require.NoError(t, events.Apply(t.Context(), obj))
	requireDeployed(t, events, home)
	requireRevision(t, c, application, endpoint, "refs/heads/release-1", "def")
}

func requireDeployed(t *testing.T, events *eventing.Client, namespace string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	started := time.Now()
	for _, object := range []struct {
		kind eventing.Kind
		name string
	}{{eventing.EventBusKind, "default"}, {eventing.EventSourceKind, "git"}, {eventing.SensorKind, "sync-shop"}} {
		require.NoError(t, events.WaitReady(ctx, object.kind, client.ObjectKey{Namespace: namespace, Name: object.name}))
		t.Logf("%s ready after %s", object.kind, time.Since(started).Round(time.Millisecond))
	}
}

// requireRevision sends a push until the Application is asked to sync to it: a
// sensor does not learn of events from before it subscribed.
func requireRevision(t *testing.T, c client.Client, application *unstructured.Unstructured, endpoint, ref, revision string) {
	t.Helper()
	require.Eventually(t, func() bool {
		send(endpoint, ref, revision)
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(application), application))
		got, _, _ := unstructured.NestedString(application.Object, "operation", "sync", "revision")
		return got == revision
	}, time.Minute, 200*time.Millisecond, "no event asked for revision %s", revision)
}

// send posts a push. A refused one is sent again by the caller.
func send(endpoint, ref, revision string) {
	body := fmt.Sprintf(`{"ref":%q,"after":%q}`, ref, revision)
	response, err := http.Post(endpoint, "application/json", strings.NewReader(body))
	if err == nil {
		response.Body.Close()
	}
}
