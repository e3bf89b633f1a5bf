package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// reachTime bounds the first request of a run, so that a cluster that does not
// answer is reported soon.
const reachTime = 30 * time.Second

// Run installs what is not installed yet and returns when every component has
// ended. The package comment describes what it does.
//
// The error is an Invalid error (apierrors.IsInvalid) for a faulty plan, an
// [UpgradeRequiredError], or, joined, the errors of all components that failed:
// [ApplyError] or [NotReadyError]. The Result is complete in the last case, and
// empty in the others. When ctx ends, so does the run, at once; it leaves what
// is applied so far to the next run.
func (c *Client) Run(ctx context.Context, plan Plan) (Result, error) {
	rendered, err := plan.Render(ctx)
	if err != nil {
		return Result{}, err
	}
	s, err := c.session(ctx, rendered)
	if err != nil {
		return Result{}, err
	}
	inventory, err := s.reach(ctx, plan, rendered)
	if err != nil {
		return Result{}, err
	}
	steps := plan.steps(rendered, inventory)
	if !c.options.Upgrade {
		if err := upgradeRequired(plan, steps); err != nil {
			return Result{}, err
		}
	}
	var running sync.WaitGroup
	for _, step := range steps {
		running.Add(1)
		go func() {
			defer running.Done()
			defer close(step.done)
			s.runStep(context.WithValue(ctx, componentKey{}, step.component.Name), step)
		}()
	}
	running.Wait()
	return gather(steps)
}

// reach makes the run's first requests: it reads the inventory and gives the
// objects their namespaces.
func (s *session) reach(ctx context.Context, plan Plan, rendered []Rendered) (Inventory, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	inventory, err := s.loadInventory(ctx, plan.Name)
	if err == nil {
		err = s.placeAll(ctx, plan, rendered)
	}
	if err != nil {
		return inventory, fmt.Errorf("plan %s: %w", plan.Name, err)
	}
	return inventory, nil
}

// step is a component in a run.
type step struct {
	plan      string
	component Component
	rendered  Rendered
	before    Installed
	known     bool
	needs     []*step
	// kept are the objects of the whole plan, which are nobody's orphans.
	kept []ObjectRef
	done chan struct{}

	// result may be read when done is closed.
	result ComponentResult
}

// steps gives the components in the order of the plan.
func (p Plan) steps(rendered []Rendered, inventory Inventory) []*step {
	index := p.index()
	steps := make([]*step, len(p.Components))
	for i, component := range p.Components {
		before, known := inventory.Components[component.Name]
		steps[i] = &step{plan: p.Name, component: component, before: before, known: known, done: make(chan struct{}),
			result: ComponentResult{Name: component.Name, Version: component.Version, Orphans: before.Orphans}}
	}
	var kept []ObjectRef
	for _, each := range rendered {
		steps[index[each.Component]].rendered = each
		kept = append(kept, refsOf(each.Objects)...)
		kept = append(kept, unplaced(each.Objects, p.Components[index[each.Component]].Namespace)...)
	}
	for _, step := range steps {
		step.kept = kept
		step.result.Objects = len(step.rendered.Objects)
		for _, name := range step.component.DependsOn {
			step.needs = append(step.needs, steps[index[name]])
		}
	}
	return steps
}

// finished reports whether the component was ready before the run.
func (s *step) finished() bool { return s.known && s.before.State == Ready }

// changed reports whether the plan holds something else than what is recorded.
func (s *step) changed() bool {
	return s.before.Version != s.component.Version || s.before.Digest != s.rendered.Digest
}

func upgradeRequired(plan Plan, steps []*step) error {
	refused := &UpgradeRequiredError{Plan: plan.Name}
	for _, step := range steps {
		if step.finished() && step.changed() {
			refused.Components = append(refused.Components, VersionChange{
				Component: step.component.Name, Installed: step.before.Version, Wanted: step.component.Version})
		}
	}
	if len(refused.Components) == 0 {
		return nil
	}
	return refused
}

func gather(steps []*step) (Result, error) {
	var result Result
	var failures []error
	for _, step := range steps {
		result.Components = append(result.Components, step.result)
		if step.result.Err != nil {
			failures = append(failures, step.result.Err)
		}
	}
	return result, errors.Join(failures...)
}

// runStep waits for what the component needs, and brings it to its end.
func (s *session) runStep(ctx context.Context, step *step) {
	name := step.component.Name
	var missing []string
	for _, need := range step.needs {
		<-need.done
		if outcome := need.result.Outcome; outcome == OutcomeFailed || outcome == OutcomeSkipped {
			missing = append(missing, need.component.Name)
		}
	}
	switch {
	case len(missing) > 0:
		step.result.Outcome = OutcomeSkipped
		s.emit(ComponentSkipped{Component: name, Because: missing})
	case ctx.Err() != nil:
		step.result.Outcome = OutcomeSkipped
		step.result.Err = fmt.Errorf("component %s: not started: %w", name, context.Cause(ctx))
		s.emit(ComponentSkipped{Component: name})
	case step.finished() && !step.changed() && !s.wantsPrune(step):
		step.result.Outcome = OutcomeUnchanged
		s.emit(ComponentUnchanged{Component: name, Version: step.component.Version})
	default:
		s.runStarted(ctx, step)
	}
}

func (s *session) wantsPrune(step *step) bool {
	return s.options.Prune && slices.ContainsFunc(step.before.Orphans, func(ref ObjectRef) bool {
		return !slices.Contains(keptKinds, ref.GroupKind())
	})
}

func (s *session) runStarted(ctx context.Context, step *step) {
	name, limit := step.component.Name, step.component.timeout()
	started := time.Now()
	s.emit(ComponentStarted{Component: name, Version: step.component.Version, Objects: step.result.Objects})
	ctx, cancel := context.WithTimeoutCause(ctx, limit, timeoutError{after: limit})
	defer cancel()
	err := s.install(ctx, step)
	step.result.Duration = time.Since(started)
	if err != nil {
		step.result.Outcome, step.result.Err = OutcomeFailed, err
		s.emit(ComponentFailed{Component: name, Err: err, Duration: step.result.Duration})
		return
	}
	step.result.Outcome = OutcomeInstalled
	if step.finished() {
		step.result.Outcome = OutcomeUpgraded
	}
	s.emit(ComponentReady{Component: name, Version: step.component.Version, Duration: step.result.Duration})
}

// install applies the component's objects, waits for them, and records both.
// The record is written before the first object, so that nothing is ever in the
// cluster that is not in the inventory.
func (s *session) install(ctx context.Context, step *step) error {
	component, objects := step.component, step.rendered.Objects
	record := Installed{Version: component.Version, Digest: step.rendered.Digest, State: Applying, Objects: refsOf(objects)}
	record.Orphans = without(slices.Concat(step.before.Orphans, step.before.Objects), record.Objects, step.kept)
	step.result.Orphans = record.Orphans
	if err := s.saveInventory(ctx, step.plan, component.Name, record); err != nil {
		return fmt.Errorf("component %s: %w", component.Name, err)
	}
	if err := s.bringUp(ctx, step); err != nil {
		return err
	}
	if s.options.Prune {
		var err error
		step.result.Pruned, record.Orphans, err = s.prune(ctx, record.Orphans)
		step.result.Orphans = record.Orphans
		if err != nil {
			return fmt.Errorf("component %s: %w", component.Name, err)
		}
	}
	// Kinds that were unknown at first have their namespace by now.
	record.State, record.Objects = Ready, refsOf(objects)
	if err := s.saveInventory(ctx, step.plan, component.Name, record); err != nil {
		return fmt.Errorf("component %s: %w", component.Name, err)
	}
	return nil
}

// bringUp applies in two stages and waits for readiness. What others of the
// component are defined by must be there first.
func (s *session) bringUp(ctx context.Context, step *step) error {
	done := 0
	var mu sync.Mutex
	a := &applier{session: s, component: step.component, applied: func() {
		mu.Lock()
		defer mu.Unlock()
		done++
		s.emit(ObjectsApplied{Component: step.component.Name, Done: done, Total: step.result.Objects})
	}}
	first, rest := split(step.rendered.Objects)
	states, err := a.apply(ctx, first)
	if err == nil {
		err = s.wait(ctx, step.component, states)
	}
	if err != nil {
		return err
	}
	states, err = a.apply(ctx, rest)
	if err != nil {
		return s.explain(ctx, step.component, states, err)
	}
	return s.wait(ctx, step.component, states)
}

// explain adds to an error of the second stage which objects are not ready yet:
// when time ran out, one of them is often the cause, as the pod behind a
// webhook.
func (s *session) explain(ctx context.Context, component Component, states []objectState, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return errors.Join(err, s.wait(ctx, component, states))
}
