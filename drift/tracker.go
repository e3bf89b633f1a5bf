package drift

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// tracker follows the departures of one Application from one version of it to the next. Versions may be missing in
// between: what ran meanwhile is read from the trace of the last operation.
type tracker struct {
	// started is true after the first version, whose past is not reported.
	started bool
	// counted is the last self-heal that is accounted for.
	counted healID
	open    map[Resource]*departure
	// excused are resources that were out of sync with a declaration that waited to be synced, and have not been in sync
	// since: the result of that comparison stays a moment longer than the sync takes.
	excused map[Resource]bool
	// doubtful are departures that were seen so soon after their self-heal that they may be its own, written late.
	doubtful map[Resource]time.Time
}

// departure is a finding that has not ended.
type departure struct {
	Finding
	// since is the last self-heal that was accounted for when the departure began: it has nothing to do with it.
	since healID
}

func newTracker() *tracker {
	return &tracker{open: map[Resource]*departure{}, excused: map[Resource]bool{}, doubtful: map[Resource]time.Time{}}
}

// observe takes the next version of the Application, seen at a time, and returns the findings that are new or have
// changed their state.
func (t *tracker) observe(app argoapp.Application, at time.Time) []Finding {
	heal := healOf(app)
	before := map[Resource]State{}
	for resource, open := range t.open {
		before[resource] = open.State
	}
	detected, first := at, !t.started
	t.started = true
	if first {
		detected = time.Time{}
		if heal.completed() {
			t.counted = heal.id()
		}
	}

	outOfSync := departures(app)
	t.excuse(outOfSync, !comparesDeployed(app) || first && justDeployed(app, at))
	t.openDeparted(app, outOfSync, heal, detected)
	t.openHealed(app, outOfSync, heal, detected)

	var changed []Finding
	for _, resource := range slices.SortedFunc(maps.Keys(t.open), compareResources) {
		open := t.open[resource]
		_, departs := outOfSync[resource]
		open.advance(departs, heal, at)
		if state, known := before[resource]; !known || state != open.State {
			changed = append(changed, open.Finding)
		}
		if open.State == Healed || open.State == Resolved {
			delete(t.open, resource)
		}
	}
	if heal.completed() {
		t.counted = heal.id()
	}
	return changed
}

// excuse notes which resources are out of sync because a declaration waits to be synced.
func (t *tracker) excuse(outOfSync map[Resource]Change, waits bool) {
	maps.DeleteFunc(t.excused, func(resource Resource, _ bool) bool {
		_, departs := outOfSync[resource]
		return !departs
	})
	if !waits {
		return
	}
	for resource := range outOfSync {
		t.excused[resource] = true
	}
}

// openDeparted opens a finding for each resource that departs from what is deployed.
func (t *tracker) openDeparted(app argoapp.Application, outOfSync map[Resource]Change, heal *heal, at time.Time) {
	maps.DeleteFunc(t.doubtful, func(resource Resource, _ time.Time) bool {
		_, departs := outOfSync[resource]
		return !departs
	})
	for resource, change := range outOfSync {
		if t.open[resource] != nil || t.excused[resource] {
			continue
		}
		if heal.undid(resource) && heal.id() == t.counted && live(heal.finishedAt, at) {
			t.doubt(resource, at)
			continue
		}
		t.open[resource] = t.depart(app, resource, change, at)
	}
}

// doubt sets a departure aside. Argo CD writes the result of a comparison and the progress of the self-heal that it
// caused independently, so that the result can come last. A departure that is real is seen again, and then dates from
// now.
func (t *tracker) doubt(resource Resource, at time.Time) {
	if _, known := t.doubtful[resource]; !known {
		t.doubtful[resource] = at
	}
}

func (t *tracker) depart(app argoapp.Application, resource Resource, change Change, detected time.Time) *departure {
	if earlier, known := t.doubtful[resource]; known {
		detected = earlier
		delete(t.doubtful, resource)
	}
	return &departure{since: t.counted, Finding: Finding{
		Namespace:   app.Metadata.Namespace,
		Application: app.Metadata.Name,
		Resource:    resource,
		Change:      change,
		State:       Drifted,
		DetectedAt:  detected,
	}}
}

// openHealed opens a finding for each resource of a self-heal whose departure was not seen itself.
func (t *tracker) openHealed(app argoapp.Application, outOfSync map[Resource]Change, heal *heal, at time.Time) {
	if heal == nil || heal.completed() && heal.id() == t.counted {
		return
	}
	for _, resource := range heal.resources {
		if t.open[resource] != nil {
			continue
		}
		change, departs := outOfSync[resource]
		if !departs {
			change = heal.change(resource)
		}
		t.open[resource] = t.depart(app, resource, change, at)
	}
}

// advance moves a departure to its next state.
func (d *departure) advance(departs bool, heal *heal, at time.Time) {
	concerned := heal.names(d.Resource) && !(heal.completed() && heal.id() == d.since)
	if concerned {
		d.Attempts = heal.attempts
		d.Message = heal.message(d.Resource)
		d.DetectedAt = instant(heal.startedAt, d.DetectedAt)
	}
	switch {
	case concerned && heal.failed():
		d.State = HealFailed
	case concerned && !heal.completed(), departs:
		// A self-heal at work, or a departure that lasts.
	case concerned:
		d.State, d.EndedAt = Healed, instant(heal.finishedAt, at)
	case d.Attempts > 0 && d.State != HealFailed:
		// The self-heal that was seen at work has given way to another operation.
		d.State, d.EndedAt = Healed, at
	default:
		d.State, d.EndedAt = Resolved, at
	}
}

// departures returns the resources that the last comparison found out of sync.
func departures(app argoapp.Application) map[Resource]Change {
	out := map[Resource]Change{}
	for _, resource := range app.Status.Resources {
		if resource.Status != "OutOfSync" {
			continue
		}
		change := Modified
		switch {
		case resource.RequiresPruning:
			change = Extra
		case resource.Health != nil && resource.Health.Status == "Missing":
			change = Missing
		}
		out[nameOf(resource)] = change
	}
	return out
}

// comparesDeployed reports whether the last comparison was with the declaration that is deployed. Otherwise a commit or
// a change of the source waits to be synced, and being out of sync is no drift.
func comparesDeployed(app argoapp.Application) bool {
	if len(app.Status.History) == 0 {
		return false
	}
	deployed := app.Status.History[len(app.Status.History)-1]
	compared := app.Status.Sync
	return deployed.Revision == compared.Revision && slices.Equal(deployed.Revisions, compared.Revisions) &&
		equalSources(deployed.Source, compared.ComparedTo.Source) &&
		slices.EqualFunc(deployed.Sources, compared.ComparedTo.Sources, equalSources)
}

// justDeployed reports whether a complete sync has only just ended, so that the last comparison may be older.
func justDeployed(app argoapp.Application, at time.Time) bool {
	state := app.Status.OperationState
	return state != nil && state.FinishedAt != nil && !isSelfHeal(state.Operation) && live(state.FinishedAt.Time, at)
}

// recordPrecision bounds how far a moment that was seen live can lie after its record, which is cut to a second.
const recordPrecision = 2 * time.Second

// live reports whether something that was recorded was seen as it happened.
func live(recorded, seen time.Time) bool { return seen.Sub(recorded) < recordPrecision }

// instant returns when something happened: as seen if it was seen live, otherwise as recorded. Zero if it happened
// before anybody looked.
func instant(recorded, seen time.Time) time.Time {
	if recorded.IsZero() || seen.IsZero() || live(recorded, seen) {
		return seen
	}
	return recorded
}

func nameOf(resource argoapp.Resource) Resource {
	return Resource{Group: resource.Group, Kind: resource.Kind, Namespace: resource.Namespace, Name: resource.Name}
}

func compareResources(a, b Resource) int { return strings.Compare(a.String(), b.String()) }
