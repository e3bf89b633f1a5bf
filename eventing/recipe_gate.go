package eventing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// GateSync is a recipe: an Application that goes out of sync is synced when policy admits what it would deploy, and held
// otherwise. An event source watches Applications, a sensor sends what Argo CD has compared anew on to a [Responder] whose
// Handle is [GateSync.Handle].
//
// One revision with one spec is judged once and synced at most once, to exactly that revision, however many events there are
// about it. An Application that is out of sync even after that is left as it is, and people are told. One that is held is
// judged again when its revision or its spec changes, or when Argo CD compares it after Recheck.
//
// An Application with automated sync cannot be gated, because Argo CD syncs it without asking: people are told that it is not.
// One whose object is larger than half the largest message of the bus is not seen: an event of the event source has it twice.
type GateSync struct {
	// Name of the EventSource and the Sensor. Required.
	Name string
	// Namespace of both, where their bus lives too. Required.
	Namespace string
	// Labels are put on the objects.
	Labels map[string]string
	// EventBus is the name of the bus. Default: "default".
	EventBus string
	// ApplicationNamespace is that of the Applications. Default: "argocd".
	ApplicationNamespace string
	// Selector of the Applications that are gated, for example "sync=gated". Required: those that people sync by hand must
	// not begin to sync because there is a gate.
	Selector string
	// Responder is where the sensor sends to. Required: a URL, and the headers that it asks for.
	Responder HTTPTrigger
	// Recheck is after how long an Application that is held may be judged again, because policies may have changed. Argo CD
	// compares again every 3 minutes unless it is configured otherwise. Default: 10m.
	Recheck time.Duration
}

// gateEvent is the name of the event.
const gateEvent = "compared"

// newComparison is a program of jq that leaves of an event what the recipe reads, and whether Argo CD has compared anew:
// objects change more often than that, with the health of their resources and the progress of a sync.
const newComparison = `def comparison: .status | [.sync.status, .sync.revision, .sync.revisions, .reconciledAt];
{
  new: (.oldBody == null or (.body | comparison) != (.oldBody | comparison)),
  application: (.body | {
    metadata: (.metadata | {namespace, name, uid, deletionTimestamp}),
    spec,
    operation,
    status: (.status | {
      sync: (.sync | {status, revision, revisions}),
      reconciledAt,
      operationState: (.operationState | if . == null then null else {phase, message, startedAt, finishedAt} end)
    })
  })
}`

// Objects returns the EventSource, the Sensor, and what they need to run. A fault is an Invalid API error.
func (g GateSync) Objects() ([]*unstructured.Unstructured, error) {
	if err := SensorKind.invalid(g.Name, g.Validate()); err != nil {
		return nil, err
	}
	applications := Resource{
		Group: argoapp.Group, Version: argoapp.Version, Resource: "applications",
		Namespace: cmp.Or(g.ApplicationNamespace, argoapp.DefaultNamespace), Labels: g.Selector,
		Changes: []Change{Added, Updated},
		Fields:  []FieldPattern{{Path: "status.sync.status", Pattern: "^" + outOfSync + "$"}},
	}
	source := EventSource{
		Name: g.Name, Namespace: g.Namespace, Labels: g.Labels, EventBus: g.EventBus, Events: map[string]Source{gateEvent: applications},
	}
	send := g.Responder
	send.Payload = []Parameter{{From: WholeEvent{Dependency: gateEvent}}}
	sensor := Sensor{
		Name: g.Name, Namespace: g.Namespace, Labels: g.Labels, EventBus: g.EventBus,
		Dependencies: []Dependency{{
			Name: gateEvent, EventSource: g.Name, Event: gateEvent,
			Transform: JQ{Program: newComparison},
			Filters:   Filters{Data: []DataFilter{Bool{Path: "new", Value: true}}},
		}},
		Triggers: []SensorTrigger{{
			Name: "respond", Trigger: send,
			// The fifth attempt, the last that a Responder makes by default, comes after the claim of one that crashed.
			Retry: &Retry{Attempts: 6, Pause: 5 * time.Second, Factor: 2},
		}},
	}
	return objectsOf(source, sensor)
}

// Validate reports every fault of the recipe.
func (g GateSync) Validate() field.ErrorList {
	faults := validateMeta(object.Meta{Name: g.Name, Namespace: g.Namespace, Labels: g.Labels})
	faults = append(faults, optional(field.NewPath("eventBus"), g.EventBus, label)...)
	faults = append(faults, optional(field.NewPath("applicationNamespace"), g.ApplicationNamespace, object.Namespace)...)
	if selector, err := labels.Parse(g.Selector); err != nil {
		faults = append(faults, field.Invalid(field.NewPath("selector"), g.Selector, err.Error()))
	} else if selector.Empty() {
		faults = append(faults, field.Required(field.NewPath("selector"), "says which Applications are gated"))
	}
	faults = append(faults, g.Responder.validateTrigger(field.NewPath("responder"), nil)...)
	if len(g.Responder.Payload) > 0 {
		faults = append(faults, field.Forbidden(field.NewPath("responder", "payload"), "the recipe sends what it needs"))
	}
	if g.Recheck < 0 {
		faults = append(faults, field.Invalid(field.NewPath("recheck"), g.Recheck.String(), "must not be negative"))
	}
	return faults
}

// GateActions are what the recipe does elsewhere. What fails is done again when the event is sent again.
type GateActions struct {
	// Render returns what the Application would deploy at the revision. Required.
	Render func(ctx context.Context, application GatedApplication) ([]*unstructured.Unstructured, error)
	// Judge asks policy about these objects. A denial holds the Application: of an object, or for any other reason that
	// lasts, such as a sync window. Required.
	Judge func(ctx context.Context, application GatedApplication, objects []*unstructured.Unstructured) ([]Denial, error)
	// Sync starts a sync of the Application to the revision that was judged, and to no other. It is called again for the same
	// one only after an error or a crash, and must then do nothing twice. Required.
	Sync func(ctx context.Context, application GatedApplication) error
	// Report tells people. Required.
	Report func(ctx context.Context, report GateReport) error
	// Decisions are kept here. Default: in memory, which neither a restart nor a second replica knows of.
	Decisions DecisionStore
}

// Denial is why an Application is held.
type Denial struct {
	// Object that is denied, such as "Deployment shop/web", or empty for the Application itself.
	Object string
	// Policy that denies it, and its rule.
	Policy string
	// Message of the policy.
	Message string
}

// GateReport is what people are told.
type GateReport struct {
	// ID is the same when the same is told again.
	ID          string
	Application GatedApplication
	Outcome     GateOutcome
	// Denials of an Application that is held.
	Denials []Denial
	// Message says how the sync of an Application that is left had ended.
	Message string
}

// GateOutcome is what came of a comparison.
type GateOutcome string

const (
	// GateSynced says that the Application was admitted, and that its sync was started.
	GateSynced GateOutcome = "Synced"
	// GateHeld says that policy denies what the Application would deploy.
	GateHeld GateOutcome = "Held"
	// GateLeft says that the Application is out of sync after its sync, and is left as it is.
	GateLeft GateOutcome = "Left"
	// GateBypassed says that nothing was judged, because the Application has automated sync.
	GateBypassed GateOutcome = "Bypassed"
)

// Handle returns the Handle of a [Responder]. An Application that is in sync, is being synced or is being deleted is left
// alone; an event that holds no comparison is a [Permanent] error.
func (g GateSync) Handle(actions GateActions) (func(context.Context, Event) error, error) {
	for name, missing := range map[string]bool{
		"render": actions.Render == nil, "judge": actions.Judge == nil, "sync": actions.Sync == nil, "report": actions.Report == nil,
	} {
		if missing {
			return nil, fmt.Errorf("actions of the recipe: %w", field.Required(field.NewPath(name), ""))
		}
	}
	if object.IsNil(actions.Decisions) {
		actions.Decisions = &MemoryDecisions{}
	}
	return func(ctx context.Context, event Event) error {
		compared, err := comparedOf(event)
		if err != nil {
			return Permanent(err)
		}
		if !compared.outOfSync() || compared.busy() {
			return nil
		}
		gate := gate{actions: actions, recheck: cmp.Or(g.Recheck, 10*time.Minute), event: event, comparedApplication: compared}
		if err := gate.handle(ctx); err != nil {
			return fmt.Errorf("Application %s: %w", compared.key, err)
		}
		return nil
	}, nil
}

// gate is one comparison on its way.
type gate struct {
	comparedApplication
	actions  GateActions
	recheck  time.Duration
	event    Event
	decision GateDecision
	version  string
}

// handle claims the Application, decides, reports, and remembers it afterwards: what fails in between is done again.
func (g *gate) handle(ctx context.Context) error {
	var err error
	if g.decision, g.version, err = g.actions.Decisions.Load(ctx, g.key); err != nil {
		return err
	}
	known := g.decision.Subject == g.subject
	claim := g.decision.Claim
	claimed := claim != nil && claim.Event != g.event.ID && g.event.Received.Before(claim.Until)
	switch {
	case known && (claimed || !g.due()):
		return nil
	case !known && !g.reconciledAt.After(g.decision.ReconciledAt):
		return nil // It is older than what was decided on, or cannot be told from that.
	case claimed:
		return errors.New("another comparison is being decided on")
	case !known:
		g.decision = GateDecision{Subject: g.subject, ReconciledAt: g.reconciledAt}
	}
	g.decision.Claim = &GateClaim{Event: g.event.ID, Until: g.deadline(ctx)}
	if err := g.save(ctx); err != nil {
		return err
	}
	report, err := g.decide(ctx)
	if err != nil {
		return err
	}
	report.Application = g.GatedApplication
	report.ID = hashedName("gate", fmt.Sprintf("%s %s %q", g.subject, report.Outcome, report.Denials))
	if report.ID != g.decision.Report {
		if err := g.actions.Report(ctx, report); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	g.decision.Outcome, g.decision.DecidedAt, g.decision.Report, g.decision.Claim = report.Outcome, g.event.Received, report.ID, nil
	return g.save(ctx)
}

// due reports whether there is anything to do about a subject that is known.
func (g *gate) due() bool {
	switch g.decision.Outcome {
	case "":
		return true
	case GateHeld:
		return g.event.Received.Sub(g.decision.DecidedAt) >= g.recheck
	case GateSynced:
		return g.follows(g.decision)
	}
	return false
}

// deadline is when a claim ends: the event is not acted on any more then.
func (g *gate) deadline(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = g.event.Received.Add(time.Minute)
	}
	return deadline.Add(claimMargin)
}

func (g *gate) save(ctx context.Context) error {
	version, err := g.actions.Decisions.Save(ctx, g.key, g.decision, g.version)
	if err == nil {
		g.version = version
	}
	return err
}

// decide judges and syncs, unless it was done before. That it was done is saved at once, so that a report that fails does
// not lead to another sync.
func (g *gate) decide(ctx context.Context) (GateReport, error) {
	switch {
	case g.read.Spec.IsAutomated():
		return GateReport{Outcome: GateBypassed}, nil
	case g.decision.Outcome == GateSynced:
		return GateReport{Outcome: GateLeft, Message: g.syncResult()}, nil
	case g.decision.SyncedAt != nil:
		return GateReport{Outcome: GateSynced}, nil
	}
	objects, err := g.actions.Render(ctx, g.GatedApplication)
	if err != nil {
		return GateReport{}, fmt.Errorf("render: %w", err)
	}
	denials, err := g.actions.Judge(ctx, g.GatedApplication, objects)
	if err != nil {
		return GateReport{}, fmt.Errorf("judge: %w", err)
	}
	if len(denials) > 0 {
		return GateReport{Outcome: GateHeld, Denials: denials}, nil
	}
	if err := g.actions.Sync(ctx, g.GatedApplication); err != nil {
		return GateReport{}, fmt.Errorf("sync: %w", err)
	}
	g.decision.SyncedAt, g.decision.OperationBefore = &g.event.Received, g.operationStarted()
	return GateReport{Outcome: GateSynced}, g.save(ctx)
}
