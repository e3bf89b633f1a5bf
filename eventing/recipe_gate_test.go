package eventing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
)

var gateRecipe = eventing.GateSync{
	Name: "gate", Namespace: "argo-events", Selector: "sync=gated",
	Responder: eventing.HTTPTrigger{URL: "https://responder.platform:8443/", SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: "gate", Key: "responder"}}},
}

// comparison is one that the sensor sends, of an hour.
type comparison struct {
	name, uid, revision, status string
	revisions                   []string
	at                          int
	path                        string
	automated, operation, gone  bool
	// started and ended are those of the last operation.
	started, ended int
	phase          string
}

func hour(at int) string { return fmt.Sprintf("2026-03-02T%02d:00:00Z", at) }

func (c comparison) data(t *testing.T) []byte {
	t.Helper()
	app := map[string]any{
		"metadata": map[string]any{"name": c.name, "namespace": "argocd", "uid": c.uid, "deletionTimestamp": nil},
		"spec":     map[string]any{"source": map[string]any{"path": c.path}, "revisionHistoryLimit": 3},
		"status": map[string]any{
			"sync":         map[string]any{"status": "OutOfSync", "revision": c.revision, "revisions": c.revisions},
			"reconciledAt": hour(c.at), "operationState": nil,
		},
	}
	if c.name == "" {
		app["metadata"].(map[string]any)["name"] = "shop"
	}
	if c.status != "" {
		app["status"].(map[string]any)["sync"].(map[string]any)["status"] = c.status
	}
	if c.automated {
		app["spec"].(map[string]any)["syncPolicy"] = map[string]any{"automated": map[string]any{}}
	}
	if c.operation {
		app["operation"] = map[string]any{"sync": map[string]any{}}
	}
	if c.gone {
		app["metadata"].(map[string]any)["deletionTimestamp"] = hour(c.at)
	}
	if c.phase != "" {
		state := map[string]any{"phase": c.phase, "message": "as asked", "startedAt": hour(c.started), "finishedAt": nil}
		if c.ended > 0 {
			state["finishedAt"] = hour(c.ended)
		}
		app["status"].(map[string]any)["operationState"] = state
	}
	data, err := json.Marshal(map[string]any{"new": true, "application": app})
	require.NoError(t, err)
	return data
}

// delivery is what the recipe acts on.
type delivery struct {
	mu      sync.Mutex
	did     []string
	reports []eventing.GateReport
	fail    map[string]int
	// denied are revisions.
	denied map[string]bool
	// rendering is called while an Application is rendered.
	rendering func()
}

func (d *delivery) do(what string, application eventing.GatedApplication) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail[what] > 0 {
		d.fail[what]--
		return errors.New("not now")
	}
	revision := application.Revision + strings.Join(application.Revisions, "+")
	d.did = append(d.did, what+" "+application.Object.GetName()+" "+revision)
	return nil
}

func (d *delivery) actions() eventing.GateActions {
	return eventing.GateActions{
		Render: func(_ context.Context, application eventing.GatedApplication) ([]*unstructured.Unstructured, error) {
			if d.rendering != nil {
				d.rendering()
			}
			obj := application.Object.DeepCopy()
			obj.SetName(application.Revision)
			return []*unstructured.Unstructured{obj}, d.do("render", application)
		},
		Judge: func(_ context.Context, _ eventing.GatedApplication, objects []*unstructured.Unstructured) ([]eventing.Denial, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.fail["judge"] > 0 {
				d.fail["judge"]--
				return nil, errors.New("not now")
			}
			if revision := objects[0].GetName(); d.denied[revision] {
				return []eventing.Denial{{Object: revision, Policy: "labels", Message: "no owner"}}, nil
			}
			return nil, nil
		},
		Sync: func(_ context.Context, application eventing.GatedApplication) error {
			return d.do("sync", application)
		},
		Report: func(_ context.Context, report eventing.GateReport) error {
			if err := d.do("tell "+string(report.Outcome), report.Application); err != nil {
				return err
			}
			d.reports = append(d.reports, report)
			return nil
		},
	}
}

// gated is a responder of the recipe.
type gated struct {
	*httptest.Server
	delivery *delivery
	letters  *eventing.MemoryDeadLetters
	sent     int
}

func newGated(t *testing.T, recipe eventing.GateSync, actions func(*eventing.GateActions)) *gated {
	t.Helper()
	d := &delivery{fail: map[string]int{}, denied: map[string]bool{}}
	all := d.actions()
	if actions != nil {
		actions(&all)
	}
	handle, err := recipe.Handle(all)
	require.NoError(t, err)
	letters := &eventing.MemoryDeadLetters{}
	responder, err := eventing.NewResponder(eventing.ResponderOptions{Handle: handle, Authentication: eventing.NoAuthentication{}, DeadLetters: letters})
	require.NoError(t, err)
	server := httptest.NewServer(responder)
	t.Cleanup(server.Close)
	return &gated{Server: server, delivery: d, letters: letters}
}

// send posts a comparison as a sensor does, and returns the status of the answer.
func (g *gated) send(t *testing.T, compared comparison) int {
	t.Helper()
	g.sent++
	return g.sendAs(t, fmt.Sprint(g.sent), compared.data(t))
}

func (g *gated) sendAs(t *testing.T, id string, data []byte) int {
	t.Helper()
	event, err := json.Marshal(v1alpha1.Event{Context: &v1alpha1.EventContext{ID: id, SpecVersion: "1.0"}, Data: data})
	require.NoError(t, err)
	response, err := http.Post(g.URL, "application/json", strings.NewReader(string(event))) //nolint:noctx // it is the test's own server
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestAnApplicationIsSyncedOnceWhenPolicyAdmitsIt(t *testing.T) {
	synced := func(name, revision string) []string {
		of := " " + name + " " + revision
		return []string{"render" + of, "sync" + of, "tell Synced" + of}
	}
	held := []string{"render shop bad", "tell Held shop bad"}
	both := func(one, other []string) []string { return append(append([]string{}, one...), other...) }
	left := append(synced("shop", "a"), "tell Left shop a")
	tests := map[string]struct {
		recheck time.Duration
		events  []comparison
		want    []string
	}{
		"it is admitted":                            {events: []comparison{{revision: "a", at: 1}}, want: synced("shop", "a")},
		"the same comparison again":                 {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 1}}, want: synced("shop", "a")},
		"later comparisons of the same":             {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 2}, {revision: "a", at: 3}}, want: synced("shop", "a")},
		"another revision":                          {events: []comparison{{revision: "a", at: 1}, {revision: "b", at: 2}}, want: both(synced("shop", "a"), synced("shop", "b"))},
		"another spec":                              {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 2, path: "x"}}, want: both(synced("shop", "a"), synced("shop", "a"))},
		"another Application of the name":           {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 2, uid: "x"}}, want: both(synced("shop", "a"), synced("shop", "a"))},
		"several sources":                           {events: []comparison{{revisions: []string{"a", "b"}, at: 1}, {revisions: []string{"a", "b"}, at: 2}}, want: synced("shop", "a+b")},
		"two Applications":                          {events: []comparison{{revision: "a", at: 1}, {name: "bank", revision: "a", at: 1}}, want: both(synced("shop", "a"), synced("bank", "a"))},
		"an older comparison that comes late":       {events: []comparison{{revision: "b", at: 2}, {revision: "a", at: 1}}, want: synced("shop", "b")},
		"another revision in the same second":       {events: []comparison{{revision: "b", at: 2}, {revision: "a", at: 2}}, want: synced("shop", "b")},
		"it is denied":                              {events: []comparison{{revision: "bad", at: 1}, {revision: "bad", at: 2}}, want: held},
		"the next revision is admitted":             {events: []comparison{{revision: "bad", at: 1}, {revision: "a", at: 2}}, want: both(held, synced("shop", "a"))},
		"it is denied again later":                  {recheck: time.Nanosecond, events: []comparison{{revision: "bad", at: 1}, {revision: "bad", at: 2}}, want: append(append([]string{}, held...), "render shop bad")},
		"it is in sync":                             {events: []comparison{{revision: "a", at: 1, status: "Synced"}}},
		"it is not known whether it is in sync":     {events: []comparison{{at: 1, status: "Unknown"}}},
		"a sync is asked for":                       {events: []comparison{{revision: "a", at: 1, operation: true}}},
		"a sync runs":                               {events: []comparison{{revision: "a", at: 1, phase: "Running", started: 1}}},
		"it is being deleted":                       {events: []comparison{{revision: "a", at: 1, gone: true}}},
		"Argo CD syncs it on its own":               {events: []comparison{{revision: "a", at: 1, automated: true}, {revision: "a", at: 2, automated: true}}, want: []string{"tell Bypassed shop a"}},
		"it is gated after it was not":              {events: []comparison{{revision: "a", at: 1, automated: true}, {revision: "a", at: 2}}, want: append([]string{"tell Bypassed shop a"}, synced("shop", "a")...)},
		"it is out of sync after the sync":          {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 4, phase: "Succeeded", started: 2, ended: 3}, {revision: "a", at: 5, phase: "Succeeded", started: 2, ended: 3}}, want: left},
		"the sync has failed":                       {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 4, phase: "Failed", started: 2, ended: 3}}, want: left},
		"a new revision after it was left":          {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 4, phase: "Failed", started: 2, ended: 3}, {revision: "b", at: 5}}, want: both(left, synced("shop", "b"))},
		"a comparison from before the sync":         {events: []comparison{{revision: "a", at: 1}, {revision: "a", at: 3, phase: "Succeeded", started: 2, ended: 3}}, want: synced("shop", "a")},
		"an operation from before the sync":         {events: []comparison{{revision: "a", at: 4, phase: "Failed", started: 2, ended: 3}, {revision: "a", at: 5, phase: "Failed", started: 2, ended: 3}}, want: synced("shop", "a")},
		"a later revision does not fall behind old": {events: []comparison{{revision: "bad", at: 3}, {revision: "a", at: 1}, {revision: "b", at: 2}}, want: held},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			recipe := gateRecipe
			recipe.Recheck = test.recheck
			g := newGated(t, recipe, nil)
			g.delivery.denied["bad"] = true
			for _, event := range test.events {
				require.Equal(t, http.StatusOK, g.send(t, event))
			}
			if diff := cmp.Diff(test.want, g.delivery.did); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReportsSayWhy(t *testing.T) {
	g := newGated(t, gateRecipe, nil)
	g.delivery.denied["bad"] = true
	g.send(t, comparison{revision: "bad", at: 1, path: "deploy"})
	g.send(t, comparison{revision: "a", at: 2})
	g.send(t, comparison{revision: "a", at: 5, phase: "Failed", started: 3, ended: 4})
	require.Len(t, g.delivery.reports, 3)
	held, left := g.delivery.reports[0], g.delivery.reports[2]
	require.Equal(t, []eventing.Denial{{Object: "bad", Policy: "labels", Message: "no owner"}}, held.Denials)
	require.Equal(t, map[string]any{"source": map[string]any{"path": "deploy"}, "revisionHistoryLimit": int64(3)}, held.Application.Object.Object["spec"])
	require.Equal(t, "out of sync, although the last operation Failed: as asked", left.Message)
	require.NotEqual(t, g.delivery.reports[1].ID, left.ID)
}

func TestPoliciesThatHaveChangedLetAHeldApplicationThrough(t *testing.T) {
	recipe := gateRecipe
	recipe.Recheck = time.Nanosecond
	g := newGated(t, recipe, nil)
	g.delivery.denied["a"] = true
	require.Equal(t, http.StatusOK, g.send(t, comparison{revision: "a", at: 1}))
	delete(g.delivery.denied, "a")
	require.Equal(t, http.StatusOK, g.send(t, comparison{revision: "a", at: 2}))
	require.Equal(t, []string{"render shop a", "tell Held shop a", "render shop a", "sync shop a", "tell Synced shop a"}, g.delivery.did)
}

// What was done before the failure is not done twice where that would matter: a sync.
func TestAGateThatFailsIsTriedAgain(t *testing.T) {
	g := newGated(t, gateRecipe, nil)
	g.delivery.denied["bad"] = true
	g.delivery.fail = map[string]int{"render": 1, "judge": 1, "sync": 1, "tell Synced": 2, "tell Held": 1}
	good, bad := comparison{revision: "a", at: 1}.data(t), comparison{revision: "bad", at: 2}.data(t)
	for range 4 {
		require.Equal(t, http.StatusInternalServerError, g.sendAs(t, "a", good))
	}
	// Another event need not wait for that one: it would be told nothing new.
	require.Equal(t, http.StatusOK, g.sendAs(t, "b", good))
	require.Equal(t, []string{"render shop a", "render shop a", "render shop a", "sync shop a"}, g.delivery.did)
	require.Equal(t, http.StatusOK, g.sendAs(t, "a", good)) // a dead letter, after five attempts
	g.delivery.did = nil
	require.Equal(t, http.StatusInternalServerError, g.sendAs(t, "c", bad), "the claim of the dead letter has not ended")
	require.Empty(t, g.delivery.did)
}

func TestAReportThatFailsDoesNotSyncTwice(t *testing.T) {
	g := newGated(t, gateRecipe, nil)
	g.delivery.denied["bad"] = true
	g.delivery.fail = map[string]int{"tell Synced": 1, "tell Held": 1}
	good, bad := comparison{revision: "a", at: 1}.data(t), comparison{revision: "bad", at: 2}.data(t)
	require.Equal(t, http.StatusInternalServerError, g.sendAs(t, "a", good))
	require.Equal(t, http.StatusOK, g.sendAs(t, "a", good))
	require.Equal(t, http.StatusInternalServerError, g.sendAs(t, "b", bad))
	require.Equal(t, http.StatusOK, g.sendAs(t, "b", bad))
	require.Equal(t, []string{
		"render shop a", "sync shop a", "tell Synced shop a", "render shop bad", "render shop bad", "tell Held shop bad",
	}, g.delivery.did)
}

func TestReplicasDecideOnce(t *testing.T) {
	store := &eventing.MemoryDecisions{}
	shared := func(actions *eventing.GateActions) { actions.Decisions = store }
	one, other := newGated(t, gateRecipe, shared), newGated(t, gateRecipe, shared)
	begun, finish := context.WithCancel(t.Context())
	goOn, release := context.WithCancel(t.Context())
	t.Cleanup(release)
	one.delivery.rendering = func() { finish(); <-goOn.Done() }
	first := make(chan int)
	data := comparison{revision: "a", at: 1}.data(t)
	go func() { first <- one.sendAs(t, "a", data) }()
	<-begun.Done()
	require.Equal(t, http.StatusOK, other.send(t, comparison{revision: "a", at: 1}))
	require.Equal(t, http.StatusOK, other.send(t, comparison{revision: "old", at: 0}))
	require.Equal(t, http.StatusInternalServerError, other.sendAs(t, "later", comparison{revision: "b", at: 2}.data(t)), "it has to wait")
	require.Empty(t, other.delivery.did)
	release()
	require.Equal(t, http.StatusOK, <-first)
	require.Equal(t, http.StatusOK, other.sendAs(t, "later", comparison{revision: "b", at: 2}.data(t)))
	require.Equal(t, []string{"render shop a", "sync shop a", "tell Synced shop a"}, one.delivery.did)
	require.Equal(t, []string{"render shop b", "sync shop b", "tell Synced shop b"}, other.delivery.did)
}

func TestABurstIsDecidedOnce(t *testing.T) {
	g := newGated(t, gateRecipe, nil)
	var events sync.WaitGroup
	for i := range 12 {
		data := comparison{revision: "a", at: 1 + i%3}.data(t)
		events.Go(func() {
			for g.sendAs(t, fmt.Sprint(i), data) != http.StatusOK { // as a sensor does
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	events.Wait()
	require.Equal(t, []string{"render shop a", "sync shop a", "tell Synced shop a"}, g.delivery.did)
}

func TestWhatIsNoComparisonIsKeptAsADeadLetter(t *testing.T) {
	for name, data := range map[string]string{
		"another object":             `{"hello":1}`,
		"no object":                  `[1]`,
		"no name":                    `{"application":{"metadata":{"namespace":"argocd"},"status":{"sync":{"status":"OutOfSync","revision":"a"},"reconciledAt":"2026-03-02T01:00:00Z"}}}`,
		"no revision":                `{"application":{"metadata":{"name":"shop","namespace":"argocd"},"status":{"sync":{"status":"OutOfSync"},"reconciledAt":"2026-03-02T01:00:00Z"}}}`,
		"a source without revision":  `{"application":{"metadata":{"name":"shop","namespace":"argocd"},"status":{"sync":{"status":"OutOfSync","revisions":["a",""]},"reconciledAt":"2026-03-02T01:00:00Z"}}}`,
		"no time":                    `{"application":{"metadata":{"name":"shop","namespace":"argocd"},"status":{"sync":{"status":"OutOfSync","revision":"a"}}}}`,
		"a time that is none":        `{"application":{"metadata":{"name":"shop","namespace":"argocd"},"status":{"sync":{"status":"OutOfSync","revision":"a"},"reconciledAt":"now"}}}`,
		"a status of another type":   `{"application":{"metadata":{"name":"shop","namespace":"argocd"},"status":[]}}`,
		"a revision of another type": `{"application":{"metadata":{"name":"shop","namespace":"argocd"},"status":{"sync":{"status":"OutOfSync","revision":{}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			g := newGated(t, gateRecipe, nil)
			require.Equal(t, http.StatusOK, g.sendAs(t, "a", []byte(data)))
			require.Empty(t, g.delivery.did)
			_, err := g.letters.Get(t.Context(), "a")
			require.NoError(t, err)
		})
	}
}

func TestTheGateIsASoundSet(t *testing.T) {
	objects, err := gateRecipe.Objects()
	require.NoError(t, err)
	var kinds []string
	for _, obj := range objects {
		kinds = append(kinds, obj.GetKind()+" "+obj.GetNamespace()+"/"+obj.GetName())
	}
	require.Contains(t, kinds, "EventSource argo-events/gate")
	require.Contains(t, kinds, "Sensor argo-events/gate")
	bus, err := eventing.EventBus{Namespace: gateRecipe.Namespace, Bus: eventing.JetStream{}}.Build()
	require.NoError(t, err)
	require.Empty(t, eventing.Check(append(objects, bus)))
}

func TestFaultsOfTheGateHaveTheirPaths(t *testing.T) {
	var paths []string
	for _, fault := range (eventing.GateSync{
		Name: "gate", ApplicationNamespace: "A", Recheck: -1,
		Responder: eventing.HTTPTrigger{URL: "there", Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "x"}}}},
	}).Validate() {
		paths = append(paths, fault.Field)
	}
	require.Subset(t, paths, []string{"namespace", "applicationNamespace", "selector", "responder.url", "responder.payload", "recheck"})
	wrong := gateRecipe
	wrong.Selector = "a in"
	require.Equal(t, "selector", wrong.Validate()[0].Field)
	_, err := gateRecipe.Handle(eventing.GateActions{})
	require.Error(t, err)
}

// Whatever is sent, nothing is synced but a revision that was named.
func FuzzGateSync(f *testing.F) {
	f.Add([]byte(`{"application":{"metadata":{"name":"shop","namespace":"argocd"},"spec":{},"status":{"sync":{"status":"OutOfSync","revision":"a"},"reconciledAt":"2026-03-02T01:00:00Z"}}}`))
	f.Add([]byte(`{"application":{"metadata":{"name":"shop","namespace":"argocd"},"spec":[1],"operation":null,"status":{"sync":{"status":"OutOfSync","revisions":["a",null]},"operationState":{}}}}`))
	f.Add([]byte(`{"application":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		handle, err := gateRecipe.Handle(eventing.GateActions{
			Render: func(context.Context, eventing.GatedApplication) ([]*unstructured.Unstructured, error) {
				return nil, nil
			},
			Judge: func(context.Context, eventing.GatedApplication, []*unstructured.Unstructured) ([]eventing.Denial, error) {
				return nil, nil
			},
			Sync: func(_ context.Context, application eventing.GatedApplication) error {
				require.NotEmpty(t, application.Object.GetName())
				require.NotEmpty(t, application.Revision+strings.Join(application.Revisions, ""))
				return nil
			},
			Report: func(context.Context, eventing.GateReport) error { return nil },
		})
		require.NoError(t, err)
		body, err := json.Marshal(v1alpha1.Event{Context: &v1alpha1.EventContext{ID: "a", SpecVersion: "1.0"}, Data: data})
		require.NoError(t, err)
		_ = handle(t.Context(), eventing.Event{ID: "a", Body: body}) // most of it is no comparison
		_ = handle(t.Context(), eventing.Event{ID: "a", Body: data})
	})
}
