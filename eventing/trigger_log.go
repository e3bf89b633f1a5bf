package eventing

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// LogTrigger writes the event to the log of the sensor's pod.
type LogTrigger struct {
	// Interval is the shortest time between two entries, in whole seconds.
	// Default: every event is logged.
	Interval time.Duration
}

func (l LogTrigger) validateTrigger(path *field.Path, _ map[string]bool) field.ErrorList {
	return seconds(path.Child("interval"), l.Interval)
}

func (l LogTrigger) template(Sensor) (string, map[string]any) {
	return "log", object.Compact(map[string]any{"intervalSeconds": int64(l.Interval / time.Second)})
}

func (l LogTrigger) traits() traits { return traits{} }
