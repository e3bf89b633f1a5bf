package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/reconciler/sensor"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/controlbackbone/backbone/internal/eventprogram"
)

// Options tune an [Engine].
type Options struct {
	// Objects of the cluster that triggers read: the live ones that an update is merged into, and ConfigMaps that hold
	// the object of a trigger.
	Objects []*unstructured.Unstructured
	// Artifact returns the object of a trigger that is not written in the Sensor, but in a repository, a bucket, a file
	// or at a URL. Default: such a trigger is a [MissingError].
	Artifact func(ctx context.Context, location *v1alpha1.ArtifactLocation) ([]byte, error)
	// Clock gives the time at which an event comes in, for filters on time and for conditions that are reset.
	// Default: the time in the event.
	Clock func() time.Time
	// DuplicateWindow is the time in which the bus drops a second event with the same ID: the limit "duplicates" of its
	// stream. Default: 5m.
	DuplicateWindow time.Duration
	// ScriptTimeout bounds a filter or transform of a dependency that has a script or a jq expression, and the making
	// of one action. What takes longer is a [TimeoutError]; the work itself cannot be stopped and goes on.
	// Default: 5s.
	ScriptTimeout time.Duration
	// AllowUnsafe lets scripts and templates run that reach for more than the event: files, processes, the environment,
	// name servers. Set it only for Sensors that you trust like a program you run. Default: they are an [UnsafeError].
	AllowUnsafe bool
}

// Bus is where sensors listen.
type Bus struct {
	Namespace string
	// Name of the EventBus.
	Name string
}

// Engine decides about events for a set of Sensors.
type Engine struct {
	options Options
	sensors []*compiledSensor
	objects objects
	api     dynamic.Interface
}

// compiledSensor is a Sensor, ready for events.
type compiledSensor struct {
	spec     *v1alpha1.Sensor
	key      types.NamespacedName
	bus      Bus
	triggers []*compiledTrigger
	// dependencies are those that some trigger listens to, by their event.
	dependencies map[eventKey][]*compiledDependency
}

// eventKey is what sensors know events by.
type eventKey struct{ source, event string }

// compiledDependency is a dependency and the triggers that listen to it.
type compiledDependency struct {
	sensor   *compiledSensor
	spec     *v1alpha1.EventDependency
	programs bool
	fault    error
	triggers []*compiledTrigger
}

// Fault is a trigger that never fires, or a Sensor whose triggers never do.
type Fault struct {
	Sensor types.NamespacedName
	// Trigger is empty for a Sensor that the controller refuses.
	Trigger string
	Err     error
}

// Error names the sensor, the trigger, and what is wrong.
func (f Fault) Error() string {
	if f.Trigger == "" {
		return fmt.Sprintf("Sensor %s: %v", f.Sensor, f.Err)
	}
	return fmt.Sprintf("Sensor %s: trigger %s: %v", f.Sensor, f.Trigger, f.Err)
}

// Unwrap returns what is wrong.
func (f Fault) Unwrap() error { return f.Err }

// New compiles the Sensors among the objects; others are passed over. The error joins those of Sensors that cannot be
// read. Sensors that the controller refuses, and triggers whose condition does not compile, are there and stay silent,
// as in the cluster; see [Engine.Faults].
func New(objects []*unstructured.Unstructured, options Options) (*Engine, error) {
	engine := &Engine{options: options.withDefaults(), objects: indexed(options.Objects)}
	var err error
	if engine.api, err = newRecordedAPI(engine.objects); err != nil {
		return nil, err
	}
	var errs []error
	for _, obj := range objects {
		if obj.GetKind() != "Sensor" || obj.GroupVersionKind().Group != v1alpha1.SchemeGroupVersion.Group {
			continue
		}
		compiled, err := compileSensor(obj, engine.options)
		if err != nil {
			errs = append(errs, fmt.Errorf("Sensor %s/%s: %w", obj.GetNamespace(), obj.GetName(), err))
			continue
		}
		engine.sensors = append(engine.sensors, compiled)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return engine, nil
}

func checkLength(obj *unstructured.Unstructured) error {
	if path, found := eventprogram.TooLong(obj.Object); found {
		return fmt.Errorf("%s is longer than %d bytes", path, eventprogram.MaxLength)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.DuplicateWindow <= 0 {
		o.DuplicateWindow = 5 * time.Minute // argo-events: manifests/install.yaml
	}
	if o.ScriptTimeout <= 0 {
		o.ScriptTimeout = 5 * time.Second
	}
	return o
}

func compileSensor(obj *unstructured.Unstructured, options Options) (*compiledSensor, error) {
	if err := checkLength(obj); err != nil {
		return nil, err
	}
	raw, err := obj.MarshalJSON()
	if err != nil {
		return nil, err
	}
	spec := &v1alpha1.Sensor{}
	if err := json.Unmarshal(raw, spec); err != nil {
		return nil, err
	}
	compiled := &compiledSensor{
		spec: spec,
		key:  types.NamespacedName{Namespace: spec.Namespace, Name: spec.Name},
		bus:  Bus{Namespace: spec.Namespace, Name: v1alpha1.DefaultEventBusName},
	}
	if spec.Spec.EventBusName != "" {
		compiled.bus.Name = spec.Spec.EventBusName
	}
	refused := refusal(spec)
	for i := range spec.Spec.Triggers {
		compiled.triggers = append(compiled.triggers, compileTrigger(compiled, &spec.Spec.Triggers[i], refused))
	}
	if refused != nil && len(compiled.triggers) == 0 {
		compiled.triggers = []*compiledTrigger{{sensor: compiled, refused: refused}}
	}
	compiled.listen(options)
	return compiled, nil
}

// refusal is why the controller does not deploy a Sensor, or nil.
func refusal(spec *v1alpha1.Sensor) error {
	bus := &v1alpha1.EventBus{Spec: v1alpha1.EventBusSpec{JetStream: &v1alpha1.JetStreamBus{}}}
	return protect(func() error { return sensor.ValidateSensor(spec.DeepCopy(), bus) })
}

// listen collects the dependencies that working triggers name. Of several with one name the last counts, for upstream
// keeps them in a map.
func (s *compiledSensor) listen(options Options) {
	s.dependencies = map[eventKey][]*compiledDependency{}
	byName := map[string]*compiledDependency{}
	for _, trigger := range s.triggers {
		for _, name := range trigger.dependencies() {
			dependency := byName[name]
			if dependency == nil {
				dependency = compileDependency(s, name, options)
				byName[name] = dependency
				key := eventKey{dependency.spec.EventSourceName, dependency.spec.EventName}
				s.dependencies[key] = append(s.dependencies[key], dependency)
			}
			dependency.triggers = append(dependency.triggers, trigger)
		}
	}
}

// dependency returns the last of the name, or nil.
func (s *compiledSensor) dependency(name string) *v1alpha1.EventDependency {
	for i := len(s.spec.Spec.Dependencies) - 1; i >= 0; i-- {
		if s.spec.Spec.Dependencies[i].Name == name {
			return &s.spec.Spec.Dependencies[i]
		}
	}
	return nil
}

// Faults are the Sensors and triggers that no event reaches, with the reason.
func (e *Engine) Faults() []Fault {
	var faults []Fault
	for _, s := range e.sensors {
		if refused := s.triggers[0].refused; refused != nil {
			faults = append(faults, Fault{Sensor: s.key, Err: &RefusedError{err: refused}})
			continue
		}
		for _, trigger := range s.triggers {
			if trigger.fault != nil {
				faults = append(faults, Fault{Sensor: s.key, Trigger: trigger.name(), Err: trigger.fault})
			}
		}
	}
	return faults
}

// Buses are those that sensors listen to, each once, in the order of the Sensors.
func (e *Engine) Buses() []Bus {
	var buses []Bus
	known := map[Bus]bool{}
	for _, s := range e.sensors {
		if !known[s.bus] {
			known[s.bus] = true
			buses = append(buses, s.bus)
		}
	}
	return buses
}
