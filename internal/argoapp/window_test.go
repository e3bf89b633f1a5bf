package argoapp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// web is an Application on the cluster "east".
var web = argoapp.Application{
	Metadata: argoapp.Metadata{Name: "web"},
	Spec:     argoapp.Spec{Destination: argoapp.Destination{Name: "east", Namespace: "shop"}},
}

func TestBlockingWindows(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	always := argoapp.SyncWindow{Kind: "deny", Schedule: "* * * * *", Duration: "1h"}
	with := func(window argoapp.SyncWindow, change func(*argoapp.SyncWindow)) argoapp.SyncWindow {
		change(&window)
		return window
	}
	forWeb := with(always, func(w *argoapp.SyncWindow) { w.Applications = []string{"web"} })
	never := with(forWeb, func(w *argoapp.SyncWindow) { w.Kind, w.Schedule, w.Duration = "allow", "0 3 * * *", "1h" })
	tests := map[string]struct {
		windows []argoapp.SyncWindow
		blocked bool
	}{
		"no window":                              {},
		"a window that selects nothing":          {windows: []argoapp.SyncWindow{always}},
		"an open deny window":                    {windows: []argoapp.SyncWindow{forWeb}, blocked: true},
		"a closed allow window":                  {windows: []argoapp.SyncWindow{never}, blocked: true},
		"one of two allow windows is open":       {windows: []argoapp.SyncWindow{never, with(forWeb, func(w *argoapp.SyncWindow) { w.Kind = "allow" })}},
		"one of two deny windows permits manual": {windows: []argoapp.SyncWindow{forWeb, with(forWeb, func(w *argoapp.SyncWindow) { w.ManualSync = true })}, blocked: true},
		"or selects with one match": {
			windows: []argoapp.SyncWindow{with(forWeb, func(w *argoapp.SyncWindow) { w.Clusters = []string{"west"} })}, blocked: true,
		},
		"and needs every match": {
			windows: []argoapp.SyncWindow{with(forWeb, func(w *argoapp.SyncWindow) { w.AndOperator, w.Clusters = true, []string{"west"} })},
		},
		"and with every match": {
			windows: []argoapp.SyncWindow{with(forWeb, func(w *argoapp.SyncWindow) {
				w.AndOperator, w.Clusters, w.Namespaces = true, []string{"west", "e*"}, []string{"shop"}
			})},
			blocked: true,
		},
		"and ignores lists that are not given": {
			windows: []argoapp.SyncWindow{with(always, func(w *argoapp.SyncWindow) { w.AndOperator, w.Namespaces = true, []string{"shop"} })}, blocked: true,
		},
		"and without any list selects nothing": {
			windows: []argoapp.SyncWindow{with(always, func(w *argoapp.SyncWindow) { w.AndOperator = true })},
		},
		"the time zone shifts the schedule": {
			// Noon in UTC is 21 o'clock in Tokyo.
			windows: []argoapp.SyncWindow{with(forWeb, func(w *argoapp.SyncWindow) { w.Schedule, w.TimeZone = "30 20 * * *", "Asia/Tokyo" })}, blocked: true,
		},
		"the same schedule in UTC": {
			windows: []argoapp.SyncWindow{with(forWeb, func(w *argoapp.SyncWindow) { w.Schedule = "30 20 * * *" })},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			blocking, err := argoapp.Project{Spec: argoapp.ProjectSpec{SyncWindows: test.windows}}.BlockingWindows(web, noon)
			require.NoError(t, err)
			require.Equal(t, test.blocked, len(blocking) > 0)
		})
	}
}

// A window that nobody can read is an error, and never a panic.
func FuzzBlockingWindows(f *testing.F) {
	for _, schedule := range []string{"* * * * *", "TZ=", "TZ=UTC", "CRON_TZ=UTC 0 0 * * *", "0 0 30 2 *", "@daily", "*/0 * * * *", "5-1 * * * *", ""} {
		f.Add(schedule, "1h", "UTC")
	}
	f.Fuzz(func(t *testing.T, schedule, duration, zone string) {
		window := argoapp.SyncWindow{Kind: "deny", Schedule: schedule, Duration: duration, TimeZone: zone, Applications: []string{"*"}}
		blocking, err := argoapp.Project{Spec: argoapp.ProjectSpec{SyncWindows: []argoapp.SyncWindow{window}}}.BlockingWindows(web, time.Now())
		if err != nil {
			require.Empty(t, blocking)
		}
	})
}

func TestFollowedRevisions(t *testing.T) {
	tests := map[string]struct {
		spec argoapp.Spec
		want []string
	}{
		"no source":              {want: []string{}},
		"HEAD unless declared":   {spec: argoapp.Spec{Source: &argoapp.Source{}}, want: []string{"HEAD"}},
		"one for each source":    {spec: argoapp.Spec{Sources: []argoapp.Source{{TargetRevision: "v1"}, {}}}, want: []string{"v1", "HEAD"}},
		"the hydrator's, if any": {spec: argoapp.Spec{Source: &argoapp.Source{}, Hydrator: &argoapp.Hydrator{SyncSource: argoapp.SyncSource{TargetBranch: "wet"}}}, want: []string{"wet"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, test.spec.FollowedRevisions()) })
	}
}
