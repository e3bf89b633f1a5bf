package eventing

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Calendar makes events at certain times. The event data is an object with
// "eventTime", as Go's time.Time prints it.
type Calendar struct {
	// Schedule is a cron expression of five fields. Required, unless there is an
	// Interval.
	Schedule string
	// Interval between two events, in whole seconds. Forbidden with Schedule, which
	// upstream prefers.
	Interval time.Duration
	// Timezone of the schedule, in the IANA time zone database. Default: UTC.
	Timezone string
	// Except are days, in the timezone of the schedule, without events, such as
	// "2026-12-25".
	Except []string
	// CatchUp makes up for the events of the time in which the pod did not run.
	// Default: they are lost.
	CatchUp *CatchUp
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

// CatchUp says how a [Calendar] finds the events it missed.
type CatchUp struct {
	// ConfigMap is the name of the ConfigMap, in the namespace of the event source,
	// that holds the last event. Required.
	ConfigMap string
	// Existing says that the ConfigMap is there. Default: upstream creates it, and
	// [EventSource.RBAC] lets it.
	Existing bool
	// Max bounds the time that is made up for. Default: no bound.
	Max time.Duration
}

func (c Calendar) validateSource(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	switch {
	case c.Schedule == "" && c.Interval == 0:
		faults = append(faults, field.Required(path.Child("schedule"), "schedule or interval"))
	case c.Schedule != "" && c.Interval != 0:
		faults = append(faults, field.Forbidden(path.Child("interval"), "schedule is set"))
	case c.Schedule != "":
		faults = append(faults, validateSchedule(path.Child("schedule"), c.Schedule)...)
	default:
		faults = append(faults, seconds(path.Child("interval"), c.Interval)...)
	}
	faults = append(faults, validateTimezone(path.Child("timezone"), c.Timezone)...)
	for i, day := range c.Except {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			faults = append(faults, field.Invalid(path.Child("except").Index(i), day, "must be a day such as 2026-12-25"))
		}
	}
	faults = append(faults, c.CatchUp.validate(path.Child("catchUp"))...)
	return append(faults, validateExtras(path, c.Metadata, c.Filter)...)
}

func (c *CatchUp) validate(path *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	return append(object.Name(path.Child("configMap"), c.ConfigMap), notNegativeTime(path.Child("max"), c.Max)...)
}

func (c Calendar) sourceKind() string         { return "calendar" }
func (c Calendar) sourceRoute() (route, bool) { return route{}, false }

func (c Calendar) sourceSpec() map[string]any {
	// Upstream compares year, month and day, and ignores entries of another form.
	// argo-events: ParseExclusionDates in pkg/shared/util/recurrence.go
	days := make([]any, 0, len(c.Except))
	for _, day := range c.Except {
		if date, err := time.Parse(time.DateOnly, day); err == nil {
			days = append(days, "EXDATE:"+date.Format("20060102T150405Z"))
		}
	}
	return withExtras(map[string]any{}, c.Metadata, c.Filter, map[string]any{
		"schedule":       c.Schedule,
		"interval":       formatTime(c.Interval),
		"timezone":       c.Timezone,
		"exclusionDates": days,
		"persistence":    c.CatchUp.spec(),
	})
}

func (c *CatchUp) spec() map[string]any {
	if c == nil {
		return nil
	}
	return map[string]any{
		"catchup":   object.Compact(map[string]any{"enabled": true, "maxDuration": formatTime(c.Max)}),
		"configMap": object.Compact(map[string]any{"name": c.ConfigMap, "createIfNotExist": !c.Existing}),
	}
}

// sourcePermissions are those of argo-events: pkg/eventsources/persist/event_persist.go
func (c Calendar) sourcePermissions() []Permission {
	if c.CatchUp == nil {
		return nil
	}
	permissions := []Permission{{Resource: "configmaps", Names: []string{c.CatchUp.ConfigMap}, Verbs: []string{"get", "update"}}}
	if !c.CatchUp.Existing {
		permissions = append(permissions, Permission{Resource: "configmaps", Verbs: []string{"create"}})
	}
	return permissions
}
