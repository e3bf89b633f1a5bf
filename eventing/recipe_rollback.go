package eventing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// RollbackOnBurn is a recipe: alerts that an error budget burns too fast roll the Application that they name back, and
// their end restores it. Alertmanager sends to an event source, a sensor sends on to a [Responder] whose Handle is
// [RollbackOnBurn.Handle].
//
// The alerts of several windows, such as 5m with 1h and 30m with 6h, may fire at once and come in groups of their own: the
// Application burns while any of them fires. It is rolled back once, however often its alerts are repeated, and restored
// when the last of them is resolved. An Application that burns again soon after that still has its fault: it is rolled
// back again and held there, and people are told that it waits for them.
type RollbackOnBurn struct {
	// Name of the EventSource and the Sensor. Required.
	Name string
	// Namespace of both, where their bus lives too. Required.
	Namespace string
	// Labels are put on the objects.
	Labels map[string]string
	// EventBus is the name of the bus. Default: "default".
	EventBus string
	// Alerts is where Alertmanager sends to. Required.
	Alerts Alertmanager
	// Responder is where the sensor sends to. Required: a URL, and the headers that it asks for.
	Responder HTTPTrigger
	// Match are the labels of the alerts that count. Default: severity is page.
	Match map[string]string
	// ApplicationLabel of an alert names the Application. Default: "application".
	ApplicationLabel string
	// NamespaceLabel of an alert names the namespace of the Application. Default: "application_namespace".
	NamespaceLabel string
	// ApplicationNamespace is that of Applications whose alerts do not name it. Default: "argocd".
	ApplicationNamespace string
	// Quiet is how long after it was restored an Application may not burn again, lest it is held. Default: 1h.
	Quiet time.Duration
}

// burnEvent is the name of the event.
const burnEvent = "burn"

// Objects returns the EventSource, the Sensor, and what they need to run. A fault is an Invalid API error.
func (r RollbackOnBurn) Objects() ([]*unstructured.Unstructured, error) {
	if err := SensorKind.invalid(r.Name, r.Validate()); err != nil {
		return nil, err
	}
	source := EventSource{
		Name: r.Name, Namespace: r.Namespace, Labels: r.Labels, EventBus: r.EventBus, Events: map[string]Source{burnEvent: r.Alerts},
	}
	send := r.Responder
	send.Payload = []Parameter{{From: WholeEvent{Dependency: burnEvent}}}
	sensor := Sensor{
		Name: r.Name, Namespace: r.Namespace, Labels: r.Labels, EventBus: r.EventBus,
		Dependencies: []Dependency{{Name: burnEvent, EventSource: r.Name, Event: burnEvent}},
		Triggers:     []SensorTrigger{{Name: "respond", Trigger: send}},
	}
	return objectsOf(source, sensor)
}

// objectsOf builds event sources and sensors, each after its rights.
func objectsOf(parts ...interface {
	RBAC() ([]*unstructured.Unstructured, error)
	Build() (*unstructured.Unstructured, error)
}) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, part := range parts {
		rights, err := part.RBAC()
		if err != nil {
			return nil, err
		}
		obj, err := part.Build()
		if err != nil {
			return nil, err
		}
		objects = append(append(objects, rights...), obj)
	}
	return objects, nil
}

// Validate reports every fault of the recipe.
func (r RollbackOnBurn) Validate() field.ErrorList {
	faults := validateMeta(object.Meta{Name: r.Name, Namespace: r.Namespace, Labels: r.Labels})
	faults = append(faults, optional(field.NewPath("eventBus"), r.EventBus, label)...)
	faults = append(faults, r.Alerts.validateSource(field.NewPath("alerts"))...)
	faults = append(faults, r.Responder.validateTrigger(field.NewPath("responder"), nil)...)
	if len(r.Responder.Payload) > 0 {
		faults = append(faults, field.Forbidden(field.NewPath("responder", "payload"), "the recipe sends the whole event"))
	}
	if r.Quiet < 0 {
		faults = append(faults, field.Invalid(field.NewPath("quiet"), r.Quiet.String(), "must not be negative"))
	}
	return faults
}

// RollbackActions are what the recipe does elsewhere. Each may be called again for the same thing, after a crash or a
// failure, and must then do nothing twice.
type RollbackActions struct {
	// RollBack takes the Application to its last healthy revision, and keeps it there. It tells whether it had to change
	// anything. Required.
	RollBack func(ctx context.Context, application types.NamespacedName) (changed bool, err error)
	// Restore lets the Application follow its own revision again. Required.
	Restore func(ctx context.Context, application types.NamespacedName) error
	// Notify tells people. Required.
	Notify func(ctx context.Context, notification BurnNotification) error
	// Incidents are kept here. Default: in memory, which neither a restart nor a second replica knows of.
	Incidents IncidentStore
}

// BurnNotification is what people are told.
type BurnNotification struct {
	// ID is the same when the same is told again.
	ID          string
	Application types.NamespacedName
	What        BurnOutcome
	// Alerts that led to it, in the order of their names.
	Alerts []Alert
}

// BurnOutcome is what came of alerts.
type BurnOutcome string

const (
	// BurnRolledBack says that the Application was rolled back.
	BurnRolledBack BurnOutcome = "RolledBack"
	// BurnRestored says that the Application follows its own revision again.
	BurnRestored BurnOutcome = "Restored"
	// BurnHeld says that the Application burns again soon after it was restored, and was rolled back until somebody puts
	// it right and restores it.
	BurnHeld BurnOutcome = "Held"
)

// Handle returns the Handle of a [Responder]. An event without alerts that count is handled by doing nothing; one that is
// no notification of Alertmanager is a [Permanent] error.
func (r RollbackOnBurn) Handle(actions RollbackActions) (func(context.Context, Event) error, error) {
	for name, missing := range map[string]bool{"rollBack": actions.RollBack == nil, "restore": actions.Restore == nil, "notify": actions.Notify == nil} {
		if missing {
			return nil, fmt.Errorf("actions of the recipe: %w", field.Required(field.NewPath(name), ""))
		}
	}
	if object.IsNil(actions.Incidents) {
		actions.Incidents = &MemoryIncidents{}
	}
	return func(ctx context.Context, event Event) error {
		group, err := AlertGroupOf(event)
		if err != nil {
			return Permanent(err)
		}
		alerts := r.byApplication(group)
		for _, application := range slices.SortedFunc(maps.Keys(alerts), compareNames) {
			if err := r.handle(ctx, actions, application, alerts[application], event.Received); err != nil {
				return fmt.Errorf("Application %s: %w", application, err)
			}
		}
		return nil
	}, nil
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// byApplication leaves out alerts that do not count, and sorts the others.
func (r RollbackOnBurn) byApplication(group AlertGroup) map[types.NamespacedName][]Alert {
	match := r.Match
	if len(match) == 0 {
		match = map[string]string{"severity": "page"}
	}
	alerts := map[types.NamespacedName][]Alert{}
	for _, alert := range group.Alerts {
		application := types.NamespacedName{
			Namespace: cmp.Or(alert.Labels[cmp.Or(r.NamespaceLabel, "application_namespace")], r.ApplicationNamespace, "argocd"),
			Name:      alert.Labels[cmp.Or(r.ApplicationLabel, "application")],
		}
		counts := application.Name != ""
		for name, value := range match {
			counts = counts && alert.Labels[name] == value
		}
		if counts {
			alerts[application] = append(alerts[application], alert)
		}
	}
	for _, of := range alerts {
		slices.SortFunc(of, func(a, b Alert) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	}
	return alerts
}

// handle acts on the alerts of one Application, and remembers it afterwards: what fails in between is done again.
func (r RollbackOnBurn) handle(ctx context.Context, actions RollbackActions, application types.NamespacedName, alerts []Alert, now time.Time) error {
	incident, version, err := actions.Incidents.Load(ctx, application)
	if err != nil {
		return err
	}
	burned := len(incident.Firing) > 0
	incident.update(alerts)
	outcome := BurnOutcome("")
	switch burns := len(incident.Firing) > 0; {
	case burns && (incident.RolledBack == nil || incident.Held && !burned):
		changed, err := actions.RollBack(ctx, application)
		if err != nil {
			return fmt.Errorf("roll back: %w", err)
		}
		outcome = r.rolledBack(&incident, changed, now)
	case !burns && incident.RolledBack != nil && !incident.Held:
		if err := actions.Restore(ctx, application); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		incident.RolledBack, incident.Restored, outcome = nil, &now, BurnRestored
	}
	if outcome != "" {
		notification := BurnNotification{ID: notificationID(application, outcome, alerts), Application: application, What: outcome, Alerts: alerts}
		if err := actions.Notify(ctx, notification); err != nil {
			return fmt.Errorf("notify: %w", err)
		}
	}
	return actions.Incidents.Save(ctx, application, incident, version)
}

// rolledBack remembers a rollback. One that changed an Application that is held says that people have restored it since.
func (r RollbackOnBurn) rolledBack(incident *Incident, changed bool, now time.Time) BurnOutcome {
	soon := func(after *time.Time) bool { return after != nil && now.Sub(*after) < cmp.Or(r.Quiet, time.Hour) }
	if incident.Held {
		incident.Held = !changed || soon(incident.RolledBack)
	} else {
		incident.Held = soon(incident.Restored)
	}
	incident.RolledBack = &now
	if incident.Held {
		return BurnHeld
	}
	return BurnRolledBack
}

// update takes in the alerts of a notification. Notifications may overtake each other: what has begun no later than what
// was resolved does not fire, and an end is not that of what has begun since.
func (i *Incident) update(alerts []Alert) {
	firing, resolved := maps.Clone(i.Firing), maps.Clone(i.Resolved)
	if firing == nil {
		firing = map[string]time.Time{}
	}
	if resolved == nil {
		resolved = map[string]time.Time{}
	}
	for _, alert := range alerts {
		ended, over := resolved[alert.Fingerprint]
		switch {
		case over && !alert.StartsAt.After(ended):
		case alert.Status == AlertResolved:
			resolved[alert.Fingerprint] = alert.StartsAt
			if !firing[alert.Fingerprint].After(alert.StartsAt) {
				delete(firing, alert.Fingerprint)
			}
		case alert.StartsAt.After(firing[alert.Fingerprint]):
			firing[alert.Fingerprint] = alert.StartsAt
		}
	}
	i.Firing, i.Resolved = firing, resolved
}

func notificationID(application types.NamespacedName, outcome BurnOutcome, alerts []Alert) string {
	text := application.String() + " " + string(outcome)
	for _, alert := range alerts {
		text += fmt.Sprintf(" %s %d", alert.Fingerprint, alert.StartsAt.UnixNano())
	}
	return hashedName("burn", text)
}
