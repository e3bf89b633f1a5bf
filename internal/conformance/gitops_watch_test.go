package conformance_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/embedded"
)

func TestListSelects(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	statuses, err := argocd.List(t.Context(), gitops.Selection{})
	require.NoError(t, err)
	require.Empty(t, statuses)

	createApplication(t, c, namespace(t, c), "elsewhere")
	createApplication(t, c, own, "b").patch(t, `metadata: {labels: {tier: web}}`)
	createApplication(t, c, own, "a").patch(t, `spec: {project: other}`)
	createApplication(t, c, own, "generated").patch(t, ownedBy(createApplicationSet(t, c, own, "set")))
	tests := map[string]struct {
		selection gitops.Selection
		want      []string
	}{
		"everything in the namespace":  {want: []string{"a", "b", "generated"}},
		"by project":                   {selection: gitops.Selection{Projects: []string{"other", "none"}}, want: []string{"a"}},
		"by several projects":          {selection: gitops.Selection{Projects: []string{"other", "default"}}, want: []string{"a", "b", "generated"}},
		"by label":                     {selection: gitops.Selection{Labels: labels.SelectorFromSet(labels.Set{"tier": "web"})}, want: []string{"b"}},
		"by ApplicationSet":            {selection: gitops.Selection{ApplicationSet: "set"}, want: []string{"generated"}},
		"only what meets all":          {selection: gitops.Selection{ApplicationSet: "set", Projects: []string{"other"}}},
		"not by a reference elsewhere": {selection: gitops.Selection{ApplicationSet: "other"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			statuses, err := argocd.List(t.Context(), test.selection)
			require.NoError(t, err)
			var names []string
			for _, status := range statuses {
				names = append(names, status.Name)
			}
			require.Equal(t, test.want, names)
		})
	}
}

func TestWatchYieldsChanges(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	a := createApplication(t, c, own, "a")
	createApplication(t, c, own, "b").patch(t, `spec: {project: other}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Each step is taken when the one before has been seen.
	steps := []struct {
		want gitops.EventType
		name string
		next func()
	}{
		{gitops.Appeared, "a", func() {
			// Nothing of the status changes: no event.
			a.patch(t, `metadata: {annotations: {note: hello}}`)
			a.become(t, nil, syncedStatus())
		}},
		{gitops.Changed, "a", func() { createApplication(t, c, own, "c") }},
		{gitops.Appeared, "c", func() { a.patch(t, `spec: {project: other}`) }},
		{gitops.Disappeared, "a", func() { a.patch(t, `spec: {project: default}`) }},
		{gitops.Appeared, "a", func() { require.NoError(t, c.Delete(ctx, a.obj)) }},
		{gitops.Disappeared, "a", cancel},
	}
	var last error
	for event, err := range argocd.Watch(ctx, gitops.Selection{Projects: []string{"default"}}) {
		if last = err; err != nil {
			continue
		}
		require.NotEmpty(t, steps, "%s %s", event.Type, event.Status.Name)
		step := steps[0]
		steps = steps[1:]
		require.Equal(t, step.want, event.Type)
		require.Equal(t, step.name, event.Status.Name)
		require.Equal(t, step.want == gitops.Appeared, event.Previous == nil)
		if step.want == gitops.Changed {
			require.Empty(t, event.Previous.Sync)
			require.Equal(t, gitops.SyncStatusSynced, event.Status.Sync)
		}
		step.next()
	}
	require.Empty(t, steps)
	require.ErrorIs(t, last, context.Canceled)
}

func TestWatchAndWaitSurviveARestartOfTheAPIServer(t *testing.T) {
	cluster, err := embedded.Start(t.Context(), embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	c := newClient(t, cluster)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	a, b := createApplication(t, c, own, "a"), createApplication(t, c, own, "b")
	before := b.obj.GetUID()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	waited := make(chan error, 1)
	go func() {
		_, err := argocd.Wait(ctx, []string{"a"})
		waited <- err
	}()
	events := make(chan gitops.Event, 100)
	go func() {
		defer close(events)
		for event, err := range argocd.Watch(ctx, gitops.Selection{}) {
			if err != nil {
				return
			}
			events <- event
		}
	}()
	for range 2 {
		require.Equal(t, gitops.Appeared, (<-events).Type)
	}
	require.NoError(t, cluster.RestartAPIServer(ctx))
	require.NoError(t, c.Delete(ctx, b.obj))
	b = createApplication(t, c, own, "b")
	a.become(t, nil, syncedStatus())
	require.NoError(t, <-waited)
	seen := map[gitops.EventType]gitops.ApplicationStatus{}
	for len(seen) < 3 {
		event, open := <-events
		require.True(t, open, "%v", seen)
		seen[event.Type] = event.Status
	}
	require.Equal(t, before, seen[gitops.Disappeared].UID)
	require.Equal(t, b.obj.GetUID(), seen[gitops.Appeared].UID)
	require.Equal(t, "a", seen[gitops.Changed].Name)
}

func TestWaitReportsProgress(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	var mu sync.Mutex
	var phases []gitops.OperationPhase
	var app controlled
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own, Progress: func(event gitops.Event) {
		mu.Lock()
		defer mu.Unlock()
		if event.Status.Operation == nil {
			return
		}
		phases = append(phases, event.Status.Operation.Phase)
		if event.Status.Operation.Phase == gitops.PhaseRunning {
			app.become(t, nil, withOperation(syncedStatus(), "Succeeded"))
		}
	}})
	app = createApplication(t, c, own, "a")
	// Another Application, even one that has failed, is no concern of the wait.
	createApplication(t, c, own, "b").become(t, nil, withOperation(syncedStatus(), "Error"))
	app.become(t, map[string]any{"sync": map[string]any{}}, withOperation(syncedStatus(), "Running"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := argocd.Wait(ctx, []string{"a"}, gitops.OperationDone())
	require.NoError(t, err)
	require.Equal(t, []gitops.OperationPhase{gitops.PhaseRunning, gitops.PhaseSucceeded}, phases)
}

func TestWaitGoesOnWhenAnApplicationIsCreatedAgain(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	app := createApplication(t, c, own, "a")
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own, Progress: func(event gitops.Event) {
		switch {
		case event.Type == gitops.Disappeared:
			createApplication(t, c, own, "a").become(t, nil, syncedStatus())
		case event.Status.UID == app.obj.GetUID():
			require.NoError(t, c.Delete(ctx, app.obj))
		}
	}})
	statuses, err := argocd.Wait(ctx, []string{"a"})
	require.NoError(t, err)
	require.NotEqual(t, app.obj.GetUID(), statuses[0].UID)

	cancel()
	_, err = argocd.Wait(ctx, []string{"a"}, gitops.OperationDone())
	require.ErrorIs(t, err, context.Canceled)
}

// withOperation adds an operation in a phase to a status.
func withOperation(status map[string]any, phase string) map[string]any {
	status["operationState"] = map[string]any{"operation": map[string]any{}, "phase": phase, "startedAt": stamp(time.Now())}
	return status
}
