package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/controlbackbone/backbone/internal/listwatch"
)

// ReportChange is a result that came, changed or went.
type ReportChange struct {
	Reported
	// Gone says that the result is no longer reported, as when its resource or policy was deleted.
	Gone bool
}

// WatchReports calls each for the selected results that are there, and then for those that come, change and go, until
// each returns true or an error, or the context ends (an error that wraps the context's). A result that is only
// evaluated again has not changed. Calls follow one another. An API server that restarts is waited for.
func (c *Client) WatchReports(
	ctx context.Context, filter ReportFilter, each func(ReportChange) (done bool, err error),
) error {
	kinds, err := c.servedReports(filter.Namespace)
	if err != nil {
		return err
	}
	feed := &reportFeed{filter: filter, each: each, known: map[schema.GroupVersionKind]map[types.UID][]Reported{}}
	return followAll(ctx, kinds, func(ctx context.Context, kind schema.GroupVersionKind) error {
		err := listwatch.Follow(ctx, c.kube, listwatch.Selection{Kind: kind, Namespace: filter.Namespace}, listwatch.Follower{
			Listed: func(items []unstructured.Unstructured) (bool, error) { return feed.listed(kind, items) },
			Changed: func(change watch.EventType, obj *unstructured.Unstructured) (bool, error) {
				return feed.changed(kind, change, obj)
			},
		})
		if err != nil {
			return fmt.Errorf("watch %s: %w", kind.Kind, err)
		}
		return nil
	})
}

// followAll runs follow for every kind at once, until the first of them ends, and returns its error.
func followAll(
	ctx context.Context, kinds []schema.GroupVersionKind, follow func(context.Context, schema.GroupVersionKind) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, len(kinds))
	var group sync.WaitGroup
	for _, kind := range kinds {
		group.Go(func() { ended <- follow(ctx, kind) })
	}
	first := <-ended
	cancel()
	group.Wait()
	return first
}

// reportFeed turns reports into changes of their results.
type reportFeed struct {
	filter ReportFilter
	each   func(ReportChange) (bool, error)

	mu    sync.Mutex
	ended bool
	// known are the selected results of every report, by the kind and identity of the report.
	known map[schema.GroupVersionKind]map[types.UID][]Reported
}

func (f *reportFeed) listed(kind schema.GroupVersionKind, items []unstructured.Unstructured) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gone := maps.Clone(f.known[kind])
	for i := range items {
		delete(gone, items[i].GetUID())
		if done, err := f.update(kind, &items[i]); done || err != nil {
			return done, err
		}
	}
	for uid := range gone {
		if done, err := f.replace(kind, uid, nil); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

func (f *reportFeed) changed(
	kind schema.GroupVersionKind, change watch.EventType, obj *unstructured.Unstructured,
) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if change == watch.Deleted {
		return f.replace(kind, obj.GetUID(), nil)
	}
	return f.update(kind, obj)
}

func (f *reportFeed) update(kind schema.GroupVersionKind, obj *unstructured.Unstructured) (bool, error) {
	found, err := readReport(obj)
	if err != nil {
		return false, err
	}
	return f.replace(kind, obj.GetUID(), slices.DeleteFunc(found, func(r Reported) bool { return !f.filter.selects(r) }))
}

// replace sets the results of a report and hands out the difference.
func (f *reportFeed) replace(kind schema.GroupVersionKind, uid types.UID, after []Reported) (bool, error) {
	if f.known[kind] == nil {
		f.known[kind] = map[types.UID][]Reported{}
	}
	before := f.known[kind][uid]
	f.known[kind][uid] = after
	if len(after) == 0 {
		delete(f.known[kind], uid)
	}
	for _, reported := range before {
		if !slices.ContainsFunc(after, reported.sameSubject) {
			if done, err := f.tell(ReportChange{Reported: reported, Gone: true}); done || err != nil {
				return done, err
			}
		}
	}
	for _, reported := range after {
		if !slices.ContainsFunc(before, reported.same) {
			if done, err := f.tell(ReportChange{Reported: reported}); done || err != nil {
				return done, err
			}
		}
	}
	return false, nil
}

// tell calls each, and never again once that has ended the watch.
func (f *reportFeed) tell(change ReportChange) (bool, error) {
	if f.ended {
		return true, nil
	}
	done, err := f.each(change)
	f.ended = done || err != nil
	return done, err
}

func (r Reported) sameSubject(other Reported) bool {
	return r.Source == other.Source && r.Policy == other.Policy && r.Rule == other.Rule && r.Resource.UID == other.Resource.UID
}

// same compares all but the time, which moves with every scan.
func (r Reported) same(other Reported) bool {
	r.Time = other.Time
	return r == other
}
