package bootstrap_test

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
)

// testTime bounds a test that talks to the cluster.
const testTime = time.Minute

// fixture is what an integration test works with: a namespace of its own, and
// bootstrap clients whose requests and events it sees.
type fixture struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	api       client.Client

	mu       sync.Mutex
	events   []bootstrap.Event
	requests []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	t.Cleanup(cancel)
	unlimited := rest.CopyConfig(config(t))
	unlimited.QPS = -1
	api, err := client.New(unlimited, client.Options{})
	require.NoError(t, err)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bootstrap-"}}
	require.NoError(t, api.Create(ctx, namespace))
	t.Cleanup(func() {
		if err := api.Delete(context.WithoutCancel(ctx), namespace); err != nil {
			t.Errorf("delete namespace: %v", err)
		}
	})
	return &fixture{t: t, ctx: ctx, namespace: namespace.Name, api: api}
}

// client makes a client that keeps its inventory in the fixture's namespace.
// Transports see each request, the first one first.
func (f *fixture) client(options bootstrap.Options, transports ...func(http.RoundTripper) http.RoundTripper) *bootstrap.Client {
	f.t.Helper()
	observed := rest.CopyConfig(config(f.t))
	observed.Wrap(f.record)
	for _, transport := range transports {
		observed.Wrap(transport)
	}
	options.Namespace = f.namespace
	progress := options.Progress
	options.Progress = func(event bootstrap.Event) {
		f.mu.Lock()
		f.events = append(f.events, event)
		f.mu.Unlock()
		if progress != nil {
			progress(event)
		}
	}
	c, err := bootstrap.NewClient(observed, options)
	require.NoError(f.t, err)
	return c
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (f *fixture) record(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		f.mu.Lock()
		f.requests = append(f.requests, request.Method+" "+request.URL.Path)
		f.mu.Unlock()
		return next.RoundTrip(request)
	})
}

// seen gives the requests so far that have one of the methods, by name of the
// object, and forgets all requests.
func (f *fixture) seen(methods ...string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []string
	for _, request := range f.requests {
		method, url, _ := strings.Cut(request, " ")
		for _, wanted := range methods {
			if method == wanted {
				found = append(found, path.Base(url))
			}
		}
	}
	f.requests = nil
	return found
}

// eventsOf gives the events of one type so far.
func eventsOf[E bootstrap.Event](f *fixture) []E {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []E
	for _, event := range f.events {
		if typed, ok := event.(E); ok {
			found = append(found, typed)
		}
	}
	return found
}

// versions gives the resourceVersion of each object.
func (f *fixture) versions(objects ...*unstructured.Unstructured) map[string]string {
	f.t.Helper()
	found := map[string]string{}
	for _, wanted := range objects {
		object := f.get(wanted)
		found[object.GetKind()+" "+object.GetName()] = object.GetResourceVersion()
	}
	return found
}

func (f *fixture) get(wanted *unstructured.Unstructured) *unstructured.Unstructured {
	f.t.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(wanted.GroupVersionKind())
	require.NoError(f.t, f.api.Get(f.ctx, client.ObjectKeyFromObject(wanted), live))
	return live
}

// configMaps gives n ConfigMaps, c-0 and so on, in the fixture's namespace.
func (f *fixture) configMaps(n int) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, n)
	for i := range objects {
		objects[i] = configMap(f.namespace, fmt.Sprintf("c-%d", i), map[string]any{"k": "v"})
	}
	return objects
}

// definition gives the CustomResourceDefinition of a namespaced kind in the
// group, which is unique to the fixture.
func (f *fixture) definition(kind string) *unstructured.Unstructured {
	plural := strings.ToLower(kind) + "s"
	u := object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", plural+"."+f.group())
	u.Object["spec"] = map[string]any{
		"group": f.group(), "scope": "Namespaced",
		"names": map[string]any{"kind": kind, "plural": plural, "singular": strings.ToLower(kind), "listKind": kind + "List"},
		"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
			"subresources": map[string]any{"status": map[string]any{}},
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object",
				"properties": map[string]any{
					"spec":   map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
					"status": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
				}}},
		}},
	}
	f.t.Cleanup(func() {
		if err := client.IgnoreNotFound(f.api.Delete(context.WithoutCancel(f.ctx), u.DeepCopy())); err != nil {
			f.t.Errorf("delete definition: %v", err)
		}
	})
	return u
}

func (f *fixture) group() string { return f.namespace + ".example.com" }

func (f *fixture) custom(kind, name string) *unstructured.Unstructured {
	return object(f.group()+"/v1", kind, f.namespace, name)
}

func plan(components ...bootstrap.Component) bootstrap.Plan {
	return bootstrap.Plan{Name: "test", Components: components}
}

func outcomes(result bootstrap.Result) map[string]bootstrap.Outcome {
	found := map[string]bootstrap.Outcome{}
	for _, component := range result.Components {
		found[component.Name] = component.Outcome
	}
	return found
}
