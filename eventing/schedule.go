package eventing

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateSchedule checks a cron expression of five fields with the parser that
// upstream uses. It knows no descriptors such as @daily.
func validateSchedule(path *field.Path, schedule string) field.ErrorList {
	if schedule == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	// The parser would take a zone before the fields, and panics when nothing
	// follows it.
	if strings.HasPrefix(schedule, "TZ=") || strings.HasPrefix(schedule, "CRON_TZ=") {
		return field.ErrorList{field.Invalid(path, schedule, "must not hold a time zone: use timezone")}
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	if _, err := parser.Parse(schedule); err != nil {
		return field.ErrorList{field.Invalid(path, schedule, err.Error())}
	}
	return nil
}

// validateTimezone checks a name of the IANA time zone database; empty is UTC.
func validateTimezone(path *field.Path, name string) field.ErrorList {
	if _, err := time.LoadLocation(name); err != nil {
		return field.ErrorList{field.Invalid(path, name, "must be a name of the IANA time zone database, such as Europe/Berlin")}
	}
	return nil
}
