package eventing

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

var groupVersion = schema.GroupVersion{Group: "argoproj.io", Version: "v1alpha1"}

// Kind is one of the three kinds of Argo Events objects.
type Kind string

// The kinds that this package builds and waits for.
const (
	EventBusKind    Kind = "EventBus"
	EventSourceKind Kind = "EventSource"
	SensorKind      Kind = "Sensor"
)

func (k Kind) groupVersionKind() schema.GroupVersionKind {
	return groupVersion.WithKind(string(k))
}

// build returns the object with a copy of the spec.
func (k Kind) build(meta object.Meta, spec map[string]any) (*unstructured.Unstructured, error) {
	content, err := object.Encode(map[string]any{"spec": spec})
	if err != nil {
		return nil, err
	}
	return object.New(k.groupVersionKind(), meta, content), nil
}

func (k Kind) invalid(name string, faults field.ErrorList) error {
	return object.Invalid(k.groupVersionKind().GroupKind(), name, faults)
}

// validateMeta checks the metadata of an Argo Events object. Its name becomes
// the value of a label and, on JetStream, a token of a subject or the name of a
// bucket, neither of which may hold a dot.
func validateMeta(meta object.Meta) field.ErrorList {
	faults := meta.Validate()
	if len(object.Name(field.NewPath("name"), meta.Name)) == 0 {
		faults = append(faults, label(field.NewPath("name"), meta.Name)...)
	}
	if meta.Namespace == "" {
		faults = append(faults, field.Required(field.NewPath("namespace"), ""))
	}
	return faults
}

// label checks a required DNS label.
func label(path *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return invalidValue(path, name, validation.IsDNS1123Label(name))
}

// optional applies a check to a name unless it is empty.
func optional(path *field.Path, name string, check func(*field.Path, string) field.ErrorList) field.ErrorList {
	if name == "" {
		return nil
	}
	return check(path, name)
}

var (
	// eventName is what fits into one token of a NATS subject; upstream builds
	// "default.<event source>.<event>" and listens to "default.*.*".
	eventName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	// triggerName is what fits into a key of a JetStream bucket
	// (nats.go: validKeyRe), where upstream keeps the state of a trigger.
	triggerName = regexp.MustCompile(`^[A-Za-z0-9_=-]+$`)
	// fieldName is a key of an upstream spec.
	fieldName = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
)

func matches(path *field.Path, name string, pattern *regexp.Regexp) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	if !pattern.MatchString(name) {
		return field.ErrorList{field.Invalid(path, name, "must match "+pattern.String())}
	}
	return nil
}

func invalidValue(path *field.Path, value string, messages []string) field.ErrorList {
	var faults field.ErrorList
	for _, message := range messages {
		faults = append(faults, field.Invalid(path, value, message))
	}
	return faults
}

// oneOf checks a choice that may be left out.
func oneOf[T ~string](path *field.Path, choice T, choices []T) field.ErrorList {
	if choice == "" || slices.Contains(choices, choice) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, choice, choices)}
}

func notNegative[T int32 | int64](path *field.Path, number T) field.ErrorList {
	if number < 0 {
		return field.ErrorList{field.Invalid(path, number, "must not be negative")}
	}
	return nil
}

// notNegativeTime checks a duration whose zero means the default.
func notNegativeTime(path *field.Path, duration time.Duration) field.ErrorList {
	if duration < 0 {
		return field.ErrorList{field.Invalid(path, duration.String(), "must not be negative")}
	}
	return nil
}

// formatTime leaves out a duration of zero, which means the default.
func formatTime(duration time.Duration) string {
	if duration == 0 {
		return ""
	}
	return duration.String()
}

// seconds checks a duration that upstream keeps in whole seconds.
func seconds(path *field.Path, duration time.Duration) field.ErrorList {
	if duration < 0 || duration%time.Second != 0 {
		return field.ErrorList{field.Invalid(path, duration.String(), "must be whole seconds and not negative")}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

func finite(number float64) bool {
	return !math.IsNaN(number) && !math.IsInf(number, 0)
}
