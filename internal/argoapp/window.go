package argoapp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/glob"
	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Project is what Backbone reads of an AppProject.
type Project struct {
	Spec ProjectSpec `json:"spec"`
}

// ProjectSpec is the part of an AppProject that says when its Applications may be synced.
type ProjectSpec struct {
	SyncWindows []SyncWindow `json:"syncWindows"`
}

// SyncWindow allows or denies the syncs of the Applications that it selects, for a while after each time of its
// schedule.
type SyncWindow struct {
	Kind         string   `json:"kind"`
	Schedule     string   `json:"schedule"`
	Duration     string   `json:"duration"`
	Applications []string `json:"applications"`
	Namespaces   []string `json:"namespaces"`
	Clusters     []string `json:"clusters"`
	ManualSync   bool     `json:"manualSync"`
	TimeZone     string   `json:"timeZone"`
	// AndOperator selects what all of the three lists select; since Argo CD 3.0.
	AndOperator bool `json:"andOperator"`
}

// ReadProject decodes an AppProject; fields that Backbone does not know are ignored.
func ReadProject(obj *unstructured.Unstructured) (Project, error) {
	var project Project
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &project); err != nil {
		return Project{}, fmt.Errorf("read AppProject %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
	}
	return project, nil
}

// String describes the window as its author wrote it.
func (w SyncWindow) String() string {
	text := fmt.Sprintf("%s %q for %s", w.Kind, w.Schedule, w.Duration)
	if w.TimeZone != "" {
		text += " " + w.TimeZone
	}
	return text
}

// BlockingWindows returns the windows that forbid a sync on request at the time; none means that it is permitted. A
// window that cannot be read is an error: Argo CD then syncs nothing.
// argo-cd: pkg/apis/application/v1alpha1/types.go, SyncWindows.Matches and CanSync.
func (p Project) BlockingWindows(app Application, now time.Time) ([]SyncWindow, error) {
	var denying, allowing, waiting []SyncWindow
	for _, window := range p.Spec.SyncWindows {
		if !window.selects(app) {
			continue
		}
		active, err := window.active(now)
		switch {
		case err != nil:
			return nil, err
		case active && window.Kind == "deny":
			denying = append(denying, window)
		case active && window.Kind == "allow":
			allowing = append(allowing, window)
		case window.Kind == "allow":
			waiting = append(waiting, window)
		}
	}
	switch {
	case len(denying) > 0:
		return slices.DeleteFunc(denying, permitsRequests), nil
	case len(allowing) > 0:
		return nil, nil
	default:
		return slices.DeleteFunc(waiting, permitsRequests), nil
	}
}

func permitsRequests(w SyncWindow) bool { return w.ManualSync }

func (w SyncWindow) selects(app Application) bool {
	destination := app.Spec.Destination
	lists := []struct {
		patterns []string
		values   []string
	}{
		{w.Applications, []string{app.Metadata.Name}},
		{w.Clusters, nonEmpty(destination.Name, destination.Server)},
		{w.Namespaces, []string{destination.Namespace}},
	}
	selected := false
	for _, list := range lists {
		if len(list.patterns) == 0 {
			continue
		}
		matched := matchesAny(list.patterns, list.values)
		if matched != w.AndOperator {
			return matched
		}
		selected = matched
	}
	return selected
}

func matchesAny(patterns, values []string) bool {
	for _, pattern := range patterns {
		// A pattern that does not compile matches nothing, as in Argo CD.
		compiled, err := glob.Compile(pattern)
		if err == nil && slices.ContainsFunc(values, compiled.Match) {
			return true
		}
	}
	return false
}

func nonEmpty(values ...string) []string {
	return slices.DeleteFunc(values, func(value string) bool { return value == "" })
}

// active reports whether the window is open. As in Argo CD the schedule is read in UTC and shifted by the present offset
// of the time zone, and an unknown time zone is UTC.
func (w SyncWindow) active(now time.Time) (bool, error) {
	// The parser panics on a time zone that nothing follows.
	if zone, fields, _ := strings.Cut(w.Schedule, " "); strings.Contains(zone, "TZ=") && fields == "" {
		return false, fmt.Errorf("sync window: schedule %q has no fields after the time zone", w.Schedule)
	}
	schedule, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(w.Schedule)
	if err != nil {
		return false, fmt.Errorf("sync window: schedule %q: %w", w.Schedule, err)
	}
	duration, err := time.ParseDuration(w.Duration)
	if err != nil {
		return false, fmt.Errorf("sync window: duration: %w", err)
	}
	zone, err := time.LoadLocation(w.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	_, offset := now.In(zone).Zone()
	shifted := now.UTC().Add(time.Duration(offset) * time.Second)
	return schedule.Next(shifted.Add(-duration)).Before(shifted), nil
}
