package bootstrap_test

import (
	"context"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
)

func TestRunKeepsOrderAndRunsIndependentComponentsTogether(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	with := func(name string, dependsOn ...string) bootstrap.Component {
		return bootstrap.Component{Name: name, Version: "1", DependsOn: dependsOn,
			Source: bootstrap.Objects(configMap(f.namespace, name, nil))}
	}
	// The objects of left and right are held back until both are under way.
	var both sync.WaitGroup
	both.Add(2)
	together := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if name := path.Base(request.URL.Path); request.Method == http.MethodPatch && (name == "left" || name == "right") {
				both.Done()
				both.Wait()
			}
			return next.RoundTrip(request)
		})
	}
	c := f.client(bootstrap.Options{}, together)
	result, err := c.Run(f.ctx, plan(with("top", "left", "right"), with("left", "base"), with("right", "base"), with("base")))
	require.NoError(t, err)
	for _, component := range result.Components {
		require.Equal(t, bootstrap.OutcomeInstalled, component.Outcome, component.Name)
		require.Equal(t, 1, component.Objects)
		require.Positive(t, component.Duration)
	}
	patched := slices.DeleteFunc(f.seen(http.MethodPatch), func(name string) bool { return strings.HasPrefix(name, "backbone-") })
	require.Len(t, patched, 4)
	require.Equal(t, "base", patched[0])
	require.Equal(t, "top", patched[3])
	var started []string
	for _, event := range eventsOf[bootstrap.ComponentStarted](f) {
		started = append(started, event.Component)
	}
	require.Equal(t, "base", started[0])
	require.Equal(t, "top", started[3])
}

func TestRunAppliesDefinitionsAndNamespacesFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	inner := f.namespace + "-inner"
	namespace := object("v1", "Namespace", "", inner)
	t.Cleanup(func() {
		if err := f.api.Delete(context.WithoutCancel(f.ctx), namespace.DeepCopy()); err != nil {
			t.Error(err)
		}
	})
	first := []*unstructured.Unstructured{f.custom("Widget", "w"), configMap(inner, "c", nil), namespace, f.definition("Widget")}
	second := []*unstructured.Unstructured{f.custom("Gadget", "g"), f.definition("Gadget")}
	result, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(
		bootstrap.Component{Name: "first", Source: bootstrap.Objects(first...)},
		// Another kind of a group and version that discovery knows by then.
		bootstrap.Component{Name: "second", DependsOn: []string{"first"}, Source: bootstrap.Objects(second...)},
	))
	require.NoError(t, err)
	require.Equal(t, map[string]bootstrap.Outcome{"first": bootstrap.OutcomeInstalled, "second": bootstrap.OutcomeInstalled}, outcomes(result))
	require.Len(t, f.versions(append(first, second...)...), 6)
}

func TestRunSendsOnePatchForEachObject(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.client(bootstrap.Options{})
	_, err := c.Run(f.ctx, plan(bootstrap.Component{Name: "many", Source: bootstrap.Objects(f.configMaps(50)...)}))
	require.NoError(t, err)
	f.mu.Lock()
	requests := slices.Clone(f.requests)
	f.mu.Unlock()
	counts := map[string]int{}
	for _, request := range requests {
		method, url, _ := strings.Cut(request, " ")
		if strings.HasPrefix(path.Base(url), "c-") {
			counts[method]++
		}
	}
	if diff := cmp.Diff(map[string]int{http.MethodPatch: 50}, counts); diff != "" {
		t.Errorf("requests for the objects (-want +got):\n%s", diff)
	}
	progress := eventsOf[bootstrap.ObjectsApplied](f)
	require.Len(t, progress, 50)
	require.Equal(t, bootstrap.ObjectsApplied{Component: "many", Done: 50, Total: 50}, progress[49])
}

func TestSecondRunWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	objects := append(f.configMaps(5), f.definition("Widget"), f.custom("Widget", "w"))
	p := plan(bootstrap.Component{Name: "a", Version: "1", Source: bootstrap.Objects(objects...)},
		bootstrap.Component{Name: "b", Version: "1", DependsOn: []string{"a"}, Source: bootstrap.Objects(configMap(f.namespace, "b", nil))})
	c := f.client(bootstrap.Options{})
	_, err := c.Run(f.ctx, p)
	require.NoError(t, err)
	watched := append(objects, configMap(f.namespace, "b", nil), configMap(f.namespace, "backbone-test", nil))
	before := f.versions(watched...)
	f.seen()

	result, err := c.Run(f.ctx, p)
	require.NoError(t, err)
	require.Equal(t, map[string]bootstrap.Outcome{"a": bootstrap.OutcomeUnchanged, "b": bootstrap.OutcomeUnchanged}, outcomes(result))
	require.Empty(t, f.seen(http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodDelete), "only reads")
	if diff := cmp.Diff(before, f.versions(watched...)); diff != "" {
		t.Errorf("resource versions (-before +after):\n%s", diff)
	}
	require.Len(t, eventsOf[bootstrap.ComponentUnchanged](f), 2)
}

func TestCancelledRunIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	objects := f.configMaps(40)
	p := plan(bootstrap.Component{Name: "a", Version: "1", Source: bootstrap.Objects(objects...)},
		bootstrap.Component{Name: "b", DependsOn: []string{"a"}, Source: bootstrap.Objects(configMap(f.namespace, "b", nil))})

	ctx, cancel := context.WithCancel(f.ctx)
	interrupted := f.client(bootstrap.Options{Concurrency: 2, Progress: func(event bootstrap.Event) {
		if applied, ok := event.(bootstrap.ObjectsApplied); ok && applied.Done == 10 {
			cancel()
		}
	}})
	result, err := interrupted.Run(ctx, p)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, map[string]bootstrap.Outcome{"a": bootstrap.OutcomeFailed, "b": bootstrap.OutcomeSkipped}, outcomes(result))
	inventory, err := interrupted.Inventory(f.ctx, "test")
	require.NoError(t, err)
	require.Equal(t, bootstrap.Applying, inventory.Components["a"].State)
	require.Len(t, inventory.Components["a"].Objects, 40)

	applied := map[string]string{}
	for _, object := range objects {
		live := object.DeepCopy()
		if f.api.Get(f.ctx, client.ObjectKeyFromObject(object), live) == nil {
			applied[live.GetKind()+" "+live.GetName()] = live.GetResourceVersion()
		}
	}
	require.GreaterOrEqual(t, len(applied), 10)
	require.Less(t, len(applied), 40)

	c := f.client(bootstrap.Options{})
	result, err = c.Run(f.ctx, p)
	require.NoError(t, err)
	require.Equal(t, map[string]bootstrap.Outcome{"a": bootstrap.OutcomeInstalled, "b": bootstrap.OutcomeInstalled}, outcomes(result))
	now := f.versions(objects...)
	for name, version := range applied {
		require.Equal(t, version, now[name], "%s was complete, so applying it again wrote nothing", name)
	}
	inventory, err = c.Inventory(f.ctx, "test")
	require.NoError(t, err)
	require.Equal(t, bootstrap.Ready, inventory.Components["a"].State)
	require.Equal(t, bootstrap.Ready, inventory.Components["b"].State)
}

func TestRunLeavesNoGoroutineBehind(t *testing.T) {
	f := newFixture(t)
	widget := bootstrap.Component{Name: "a", Source: bootstrap.Objects(f.definition("Widget"), f.custom("Widget", "w")),
		Ready: bootstrap.Readiness{Conditions: []bootstrap.Condition{{GroupKind: schema.GroupKind{Group: f.group(), Kind: "Widget"}, Type: "Ready"}}}}
	ctx, cancel := context.WithCancel(f.ctx)
	c := f.client(bootstrap.Options{Progress: func(event bootstrap.Event) {
		if waiting, ok := event.(bootstrap.Waiting); ok && waiting.Unready[0].Kind == "Widget" {
			time.AfterFunc(200*time.Millisecond, cancel)
		}
	}})
	before := runtime.NumGoroutine()
	_, err := c.Run(ctx, plan(widget))
	require.ErrorIs(t, err, context.Canceled)
	unready := &bootstrap.NotReadyError{}
	require.ErrorAs(t, err, &unready)
	require.Eventually(t, func() bool {
		// The transport keeps one connection with two goroutines.
		return runtime.NumGoroutine() <= before+2
	}, 10*time.Second, 50*time.Millisecond, "%d goroutines before", before)
}

func TestRunPlacesObjectsInTheComponentsNamespace(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	role := object("rbac.authorization.k8s.io/v1", "ClusterRole", f.namespace, f.namespace)
	t.Cleanup(func() {
		if err := f.api.Delete(context.WithoutCancel(f.ctx), object("rbac.authorization.k8s.io/v1", "ClusterRole", "", f.namespace)); err != nil {
			t.Error(err)
		}
	})
	c := f.client(bootstrap.Options{})
	p := plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(configMap("", "c", nil), object("v1", "Secret", "", "s"))})
	_, err := c.Run(f.ctx, p)
	require.ErrorContains(t, err, "component a: ConfigMap c is namespaced, but neither it nor its component names a namespace")
	require.ErrorContains(t, err, "component a: Secret s is namespaced")

	p.Components[0].Namespace = f.namespace
	p.Components[0].Source = bootstrap.Objects(configMap("", "c", nil), role, f.definition("Widget"), object(f.group()+"/v1", "Widget", "", "w"))
	_, err = c.Run(f.ctx, p)
	require.NoError(t, err)
	f.versions(configMap(f.namespace, "c", nil), f.custom("Widget", "w"))
	inventory, err := c.Inventory(f.ctx, "test")
	require.NoError(t, err)
	want := []bootstrap.ObjectRef{
		{Version: "v1", Kind: "ConfigMap", Namespace: f.namespace, Name: "c"},
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition", Name: "widgets." + f.group()},
		{Group: f.group(), Version: "v1", Kind: "Widget", Namespace: f.namespace, Name: "w"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole", Name: f.namespace},
	}
	if diff := cmp.Diff(want, inventory.Components["a"].Objects); diff != "" {
		t.Errorf("inventory (-want +got):\n%s", diff)
	}
}

func TestRunReportsTheServersWarnings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{
		Name: "old", Source: bootstrap.Objects(object("v1", "Endpoints", f.namespace, "e"))}))
	require.NoError(t, err)
	warnings := eventsOf[bootstrap.Warning](f)
	require.NotEmpty(t, warnings)
	require.Equal(t, "old", warnings[0].Component)
	require.Contains(t, warnings[0].Text, "Endpoints")
}
