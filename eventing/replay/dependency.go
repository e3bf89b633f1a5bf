package replay

import (
	"context"
	"fmt"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/sensors/dependencies"
	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// Decision is whether an event counts for a dependency.
type Decision struct {
	dependency *compiledDependency
	event      *cloudevents.Event
	seen       *v1alpha1.Event
	// Matched tells whether it counts.
	Matched bool
	// Err is what the transform or a filter failed with, if one did: the event then does not count. A live sensor logs it.
	Err error
}

// Sensor is the namespace and name of the sensor.
func (d *Decision) Sensor() (namespace, name string) {
	return d.dependency.sensor.key.Namespace, d.dependency.sensor.key.Name
}

// Dependency is the name of the dependency.
func (d *Decision) Dependency() string { return d.dependency.spec.Name }

// Event is what the transform of the dependency made of the event.
func (d *Decision) Event() cloudevents.Event { return d.event.Clone() }

func compileDependency(s *compiledSensor, name string, options Options) *compiledDependency {
	dependency := &compiledDependency{sensor: s, spec: s.dependency(name)}
	scripts := dependency.scripts()
	dependency.programs = len(scripts) > 0 || dependency.spec.Transform != nil
	if !options.AllowUnsafe {
		dependency.fault = safeDependency(dependency.spec, scripts)
	}
	return dependency
}

// scripts are the Lua programs of a dependency, by their path.
func (d *compiledDependency) scripts() map[string]string {
	scripts := map[string]string{}
	if d.spec.Filters != nil && d.spec.Filters.Script != "" {
		scripts["filters.script"] = d.spec.Filters.Script
	}
	if d.spec.Transform != nil && d.spec.Transform.JQ == "" && d.spec.Transform.Script != "" {
		scripts["transform.script"] = d.spec.Transform.Script
	}
	return scripts
}

// decide transforms and filters the event as a sensor does.
// argo-events: processDependency in pkg/eventbus/jetstream/sensor/trigger_conn.go
func (d *compiledDependency) decide(ctx context.Context, event *cloudevents.Event, options Options) (Decision, error) {
	decision := Decision{dependency: d, event: event}
	if d.fault != nil {
		return decision, fmt.Errorf("Sensor %s: dependency %s: %w", d.sensor.key, d.spec.Name, d.fault)
	}
	if !d.programs {
		decision.Err = protect(func() error { return decision.run() })
		return decision, nil
	}
	run := func() (Decision, error) {
		err := decision.run()
		return decision, err
	}
	ran, err := bounded(ctx, options.ScriptTimeout, run)
	if ctx.Err() != nil {
		return decision, ctx.Err()
	}
	if ran.dependency == nil { // It did not end.
		ran = Decision{dependency: d, event: event}
	}
	ran.Err = err
	return ran, nil
}

func (d *Decision) run() error {
	spec := d.dependency.spec
	if spec.Transform != nil {
		// The transform writes into the context, too, which copies share.
		own := d.event.Clone()
		transformed, err := dependencies.ApplyTransform(&own, spec.Transform)
		if err != nil {
			return fmt.Errorf("transform: %w", err)
		}
		d.event = transformed
	}
	if spec.Filters == nil {
		d.Matched = true
		return nil
	}
	d.seen = argoEvent(d.event)
	matched, err := dependencies.Filter(d.seen, spec.Filters, spec.FiltersLogicalOperator)
	d.Matched = matched
	if err != nil {
		return fmt.Errorf("filters: %w", err)
	}
	return nil
}

// Reason is what one filter says to an event.
type Reason struct {
	// Path of the filter in the dependency, such as "filters.data[0]".
	Path    string
	Matched bool
	// Text says what the filter asks for and what the event has.
	Text string
}

// Why shows every filter by itself, in the order in which upstream looks at them. It is empty for a dependency without
// filters, and after a transform that failed.
func (d *Decision) Why() []Reason {
	filters := d.dependency.spec.Filters
	if filters == nil || d.seen == nil {
		return nil
	}
	var reasons []Reason
	add := func(path, asks string, only v1alpha1.EventDependencyFilter) {
		var matched bool
		err := protect(func() error {
			var err error
			matched, err = dependencies.Filter(d.seen, &only, v1alpha1.AndLogicalOperator)
			return err
		})
		text := asks
		if err != nil {
			text += ": " + err.Error()
		}
		reasons = append(reasons, Reason{Path: path, Matched: matched, Text: text})
	}
	for i := range filters.Exprs {
		add(fmt.Sprintf("filters.exprs[%d]", i), asksExpr(filters.Exprs[i], d.seen.Data), v1alpha1.EventDependencyFilter{Exprs: filters.Exprs[i : i+1]})
	}
	for i := range filters.Data {
		add(fmt.Sprintf("filters.data[%d]", i), asksData(filters.Data[i], d.seen.Data), v1alpha1.EventDependencyFilter{Data: filters.Data[i : i+1]})
	}
	if filters.Context != nil {
		add("filters.context", asksContext(filters.Context, d.seen.Context), v1alpha1.EventDependencyFilter{Context: filters.Context})
	}
	if filters.Time != nil {
		add("filters.time", asksTime(filters.Time, d.seen.Context), v1alpha1.EventDependencyFilter{Time: filters.Time})
	}
	if filters.Script != "" {
		add("filters.script", "wants the script to return true", v1alpha1.EventDependencyFilter{Script: filters.Script})
	}
	return reasons
}
