package replay_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/sensors/dependencies"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing/replay"
)

// ordinary is a dependency of ordinary size: two data filters and an expression over a push.
const ordinary = `
filters:
  data:
  - {path: body.ref, type: string, value: ["^refs/heads/main$"]}
  - {path: body.commits.#, type: number, comparator: ">=", value: ["1"]}
  exprs:
  - {expr: "repository == 'shop' && forced == false", fields: [{path: body.repository.name, name: repository}, {path: body.forced, name: forced}]}
`

// push returns events of which every second matches the ordinary dependency.
func push(t testing.TB, number int) []cloudevents.Event {
	t.Helper()
	events := make([]cloudevents.Event, number)
	for i := range events {
		branch := []string{"main", "feature"}[i%2]
		events[i] = event(t, "a", fmt.Sprintf(`{"header":{"X-Github-Event":["push"]},"body":{"ref":"refs/heads/%s","before":"%040d","after":"%040d",`+
			`"repository":{"name":"shop","full_name":"example/shop","owner":{"name":"example"}},"forced":false,`+
			`"commits":[{"id":"%040d","message":"change %d","author":{"name":"a"},"added":[],"modified":["README.md"],"removed":[]}]}}`, branch, i, i+1, i+1, i))
	}
	return events
}

// bareFilters is what upstream's filter function needs of the dependency and the events.
func bareFilters(t testing.TB, sensor *unstructured.Unstructured, events []cloudevents.Event) (*v1alpha1.EventDependencyFilter, []*v1alpha1.Event) {
	t.Helper()
	raw, err := sensor.MarshalJSON()
	require.NoError(t, err)
	typed := &v1alpha1.Sensor{}
	require.NoError(t, json.Unmarshal(raw, typed))
	bare := make([]*v1alpha1.Event, len(events))
	for i, e := range events {
		bare[i] = &v1alpha1.Event{
			Context: &v1alpha1.EventContext{ID: e.ID(), Source: e.Source(), Subject: e.Subject(), Type: e.Type(), Time: metav1.Time{Time: e.Time()}},
			Data:    e.Data(),
		}
	}
	return typed.Spec.Dependencies[0].Filters, bare
}

// replayed sends the events to a new session and returns how many matched.
func replayed(t testing.TB, engine *replay.Engine, events []cloudevents.Event) int {
	matched := 0
	s := engine.NewSession(bus)
	for _, e := range events {
		outcome, err := s.Send(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		matched += len(outcome.Firings)
	}
	return matched
}

func filteredBare(filters *v1alpha1.EventDependencyFilter, events []*v1alpha1.Event) int {
	matched := 0
	for _, e := range events {
		if ok, err := dependencies.Filter(e, filters, ""); ok && err == nil {
			matched++
		}
	}
	return matched
}

// A session decides at no less than 80 % of the speed of the filters by themselves, and at 20,000 events a second on one
// core. Both take turns, so that what else runs on the machine hits both, and the best turn of each counts.
func TestReplayIsNearlyAsFastAsTheFilters(t *testing.T) {
	obj := filtered(t, ordinary)
	engine, err := replay.New(objects(obj), replay.Options{})
	require.NoError(t, err)
	events := push(t, 100) // short enough for a turn that nothing interrupts
	filters, bare := bareFilters(t, obj, events)
	best := map[string]time.Duration{}
	turn := func(name string, run func() int) {
		started := time.Now()
		require.Equal(t, len(events)/2, run())
		if took := time.Since(started); best[name] == 0 || took < best[name] {
			best[name] = took
		}
	}
	for range 300 {
		turn("replay", func() int { return replayed(t, engine, events) })
		turn("filters", func() int { return filteredBare(filters, bare) })
	}
	share := best["filters"].Seconds() / best["replay"].Seconds()
	rate := float64(len(events)) / best["replay"].Seconds()
	t.Logf("replay decides on %.0f events a second, at %.0f %% of the bare filters", rate, 100*share)
	require.GreaterOrEqual(t, share, 0.8)
	require.GreaterOrEqual(t, rate, 20000.0)
}

func BenchmarkReplay(b *testing.B) {
	obj := filtered(b, ordinary)
	engine, err := replay.New(objects(obj), replay.Options{})
	require.NoError(b, err)
	events := push(b, 1000)
	filters, bare := bareFilters(b, obj, events)
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			replayed(b, engine, events)
		}
		b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("filters", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			filteredBare(filters, bare)
		}
		b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
	})
}
