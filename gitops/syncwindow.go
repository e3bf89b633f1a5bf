package gitops

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SyncWindow allows or denies the syncs of some of a project's Applications for a while. An Application that has windows
// which allow is synced only while one of them is open; while one that denies is open, it is not synced at all.
type SyncWindow struct {
	// Kind of the window. Required.
	Kind WindowKind
	// Schedule is when the window opens: minute, hour, day of the month, month and day of the week, as cron knows
	// them; words such as "@daily" are none. Required.
	Schedule string
	// Duration that the window stays open. Required, positive.
	Duration time.Duration
	// TimeZone of the schedule, by its name in the IANA database. Argo CD takes a name that it does not know for UTC.
	// Default: UTC.
	TimeZone string

	// Applications, Namespaces and Clusters select Applications by name, by namespace of the destination and by name or
	// address of the cluster. They are patterns, in which "*" is any characters. At least one pattern in all.
	Applications []string
	Namespaces   []string
	Clusters     []string
	// AndOperator selects Applications that match each list that is not empty. Default: false, one list is enough. Argo
	// CD 3.0 and later only.
	AndOperator bool

	// ManualSync permits syncs that somebody asks for, whatever the window says. Default: false.
	ManualSync bool
	// SyncOverrun lets a sync that has begun go on when the window forbids it. Default: false. Argo CD 3.5 and later
	// only.
	SyncOverrun bool
	// Description for people, of at most 255 bytes. Argo CD 3.1 and later only.
	Description string
}

// WindowKind says what happens in a sync window.
type WindowKind string

// The kinds that Argo CD knows.
const (
	AllowSyncs WindowKind = "allow"
	DenySyncs  WindowKind = "deny"
)

// validate checks the window as argo-cd: pkg/apis/application/v1alpha1/types.go, SyncWindow.Validate does, and for what
// it would read as something else.
func (w SyncWindow) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if w.Kind != AllowSyncs && w.Kind != DenySyncs {
		faults = append(faults, field.NotSupported(path.Child("kind"), w.Kind, []WindowKind{AllowSyncs, DenySyncs}))
	}
	faults = append(faults, validateSchedule(path.Child("schedule"), w.Schedule)...)
	if w.Duration <= 0 {
		faults = append(faults, field.Invalid(path.Child("duration"), w.Duration.String(), "must be positive"))
	}
	if _, err := time.LoadLocation(w.TimeZone); err != nil {
		faults = append(faults, field.Invalid(path.Child("timeZone"), w.TimeZone, "would be taken for UTC: "+err.Error()))
	}
	if len(w.Applications)+len(w.Namespaces)+len(w.Clusters) == 0 {
		faults = append(faults, field.Required(path.Child("applications"), `a window is for applications, namespaces or clusters; "*" is all`))
	}
	faults = append(faults, validateTexts(path.Child("applications"), w.Applications, literal{})...)
	faults = append(faults, validateTexts(path.Child("namespaces"), w.Namespaces, literal{})...)
	faults = append(faults, validateTexts(path.Child("clusters"), w.Clusters, literal{})...)
	if len(w.Description) > maxDescription {
		faults = append(faults, field.TooLong(path.Child("description"), w.Description, maxDescription))
	}
	return append(faults, object.Text(path.Child("description"), w.Description)...)
}

func validateSchedule(path *field.Path, schedule string) field.ErrorList {
	if strings.TrimSpace(schedule) == "" {
		return field.ErrorList{field.Required(path, "a window opens at some time")}
	}
	if !utf8.ValidString(schedule) {
		return object.Text(path, schedule)
	}
	// The parser knows a zone before the fields, Argo CD shifts the times by the window's own zone: one of them would be
	// wrong. It also panics on a zone that nothing follows.
	if strings.HasPrefix(schedule, "TZ=") || strings.HasPrefix(schedule, "CRON_TZ=") {
		return field.ErrorList{field.Invalid(path, schedule, "must not hold a time zone: use the field timeZone")}
	}
	if _, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(schedule); err != nil {
		return field.ErrorList{field.Invalid(path, schedule, err.Error())}
	}
	return nil
}

func (w SyncWindow) build() map[string]any {
	return object.Compact(map[string]any{
		"kind":         w.Kind,
		"schedule":     w.Schedule,
		"duration":     w.Duration.String(),
		"timeZone":     w.TimeZone,
		"applications": w.Applications,
		"namespaces":   w.Namespaces,
		"clusters":     w.Clusters,
		"andOperator":  w.AndOperator,
		"manualSync":   w.ManualSync,
		"syncOverrun":  w.SyncOverrun,
		"description":  w.Description,
	})
}
