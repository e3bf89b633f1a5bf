package replay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// Session is what the sensors of one bus remember between events. It is for one caller at a time.
type Session struct {
	engine  *Engine
	sensors []*compiledSensor
	// saved are the events that conditions wait with, by the dependency.
	saved map[*compiledTrigger]map[string]savedEvent
	// seen are the times of the IDs in the window of duplicates; order has them as they came.
	seen  map[string]time.Time
	order []string
}

type savedEvent struct {
	event *cloudevents.Event
	at    time.Time
}

// NewSession starts with sensors that have seen no event yet. A bus that no sensor listens to is none of an error: its
// events reach nobody.
func (e *Engine) NewSession(bus Bus) *Session {
	session := &Session{engine: e, saved: map[*compiledTrigger]map[string]savedEvent{}, seen: map[string]time.Time{}}
	for _, s := range e.sensors {
		if s.bus == bus {
			session.sensors = append(session.sensors, s)
		}
	}
	return session
}

// Outcome is what the sensors of a bus do with an event.
type Outcome struct {
	// Duplicate tells that the bus drops the event, because it has had one with the same ID.
	Duplicate bool
	// Decisions of all dependencies that a working trigger listens to and that name the event, in the order of the Sensors.
	Decisions []Decision
	// Firings are the triggers that run now.
	Firings []Firing
	// Waiting are the triggers that the event counts for, and whose condition does not hold yet.
	Waiting []Waiting
}

// Waiting is a trigger that waits for more events.
type Waiting struct {
	trigger *compiledTrigger
	// Have are the dependencies that there is an event for, Lack the others of the condition.
	Have, Lack []string
}

// Sensor is the namespace and name of the sensor.
func (w *Waiting) Sensor() (namespace, name string) {
	return w.trigger.sensor.key.Namespace, w.trigger.sensor.key.Name
}

// Trigger is the name of the trigger.
func (w *Waiting) Trigger() string { return w.trigger.name() }

// Condition is the one of the trigger over the names of the dependencies.
func (w *Waiting) Condition() string { return w.trigger.condition.Text }

// Send shows an event to the sensors and remembers what they do. The error is that of an event which is no CloudEvent, an
// [UnsafeError], or that of the context; the session is then as it was before.
func (s *Session) Send(ctx context.Context, event cloudevents.Event) (*Outcome, error) {
	if err := event.Validate(); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	if s.engine.options.Clock != nil {
		event = event.Clone()
		event.SetTime(s.engine.options.Clock())
	}
	now := event.Time()
	outcome := &Outcome{}
	if first, known := s.seen[event.ID()]; known && now.Sub(first) < s.engine.options.DuplicateWindow {
		outcome.Duplicate = true
		return outcome, nil
	}
	key := eventKey{event.Source(), event.Subject()}
	for _, sensor := range s.sensors {
		for _, dependency := range sensor.dependencies[key] {
			decision, err := dependency.decide(ctx, &event, s.engine.options)
			if err != nil {
				return nil, err
			}
			outcome.Decisions = append(outcome.Decisions, decision)
		}
	}
	s.remember(event.ID(), now)
	s.arrive(outcome, now)
	return outcome, nil
}

// arrive tells every trigger what counts for it, in the order in which its condition names the dependencies: of two that
// one event counts for, the first may be enough.
func (s *Session) arrive(outcome *Outcome, now time.Time) {
	begins := 0
	for i := range outcome.Decisions {
		sensor := outcome.Decisions[i].dependency.sensor
		if i+1 < len(outcome.Decisions) && outcome.Decisions[i+1].dependency.sensor == sensor {
			continue
		}
		decisions := outcome.Decisions[begins : i+1]
		begins = i + 1
		for _, trigger := range sensor.triggers {
			for _, name := range trigger.dependencies() {
				for j := range decisions {
					if decisions[j].Matched && decisions[j].dependency.spec.Name == name {
						s.count(trigger, name, decisions[j].event, now, outcome)
					}
				}
			}
		}
	}
}

// count has a trigger take the event for one of its dependencies.
// argo-events: processDependency in pkg/eventbus/jetstream/sensor/trigger_conn.go
func (s *Session) count(trigger *compiledTrigger, name string, event *cloudevents.Event, now time.Time, outcome *Outcome) {
	events := map[string]*cloudevents.Event{name: event}
	if !trigger.condition.Waits {
		outcome.Firings = append(outcome.Firings, Firing{engine: s.engine, trigger: trigger, events: events, at: now})
		return
	}
	saved := s.forget(trigger, now)
	for dependency, before := range saved {
		if dependency != name {
			events[dependency] = before.event
		}
	}
	holds, err := trigger.condition.Holds(func(dependency string) bool { return events[dependency] != nil })
	switch {
	case err != nil: // It never fires: upstream logs it, and forgets the event.
	case holds:
		outcome.Firings = append(outcome.Firings, Firing{engine: s.engine, trigger: trigger, events: events, at: now})
		delete(s.saved, trigger)
		return
	default:
		saved[name] = savedEvent{event, now}
		s.saved[trigger] = saved
	}
	outcome.Waiting = append(outcome.Waiting, waiting(trigger, events))
}

// forget returns the events that a condition waits with, without those from before it was last reset.
func (s *Session) forget(trigger *compiledTrigger, now time.Time) map[string]savedEvent {
	saved := s.saved[trigger]
	if saved == nil {
		return map[string]savedEvent{}
	}
	for name, event := range saved {
		for _, reset := range trigger.resets {
			if next := reset.Next(event.at); !next.IsZero() && !next.After(now) {
				delete(saved, name)
			}
		}
	}
	return saved
}

func waiting(trigger *compiledTrigger, events map[string]*cloudevents.Event) Waiting {
	w := Waiting{trigger: trigger}
	for _, name := range trigger.dependencies() {
		if events[name] != nil {
			w.Have = append(w.Have, name)
		} else {
			w.Lack = append(w.Lack, name)
		}
	}
	slices.SortFunc(w.Have, strings.Compare)
	slices.SortFunc(w.Lack, strings.Compare)
	return w
}

// remember keeps the ID for the window of duplicates.
func (s *Session) remember(id string, now time.Time) {
	s.seen[id] = now
	s.order = append(s.order, id)
	for len(s.order) > 0 && now.Sub(s.seen[s.order[0]]) >= s.engine.options.DuplicateWindow {
		delete(s.seen, s.order[0])
		s.order = s.order[1:]
	}
}
