package bootstrap

import "time"

// Result says what a run did, component by component in the order of the plan.
type Result struct {
	Components []ComponentResult
}

// ComponentResult says what a run did for one component.
type ComponentResult struct {
	Name    string
	Version string
	Outcome Outcome
	// Objects of the component.
	Objects int
	// Duration from the component's start to its end. 0 if it was not started.
	Duration time.Duration
	// Orphans are objects of earlier versions that stay in the cluster.
	Orphans []ObjectRef
	// Pruned are the orphans that this run deleted.
	Pruned []ObjectRef
	// Err is why the component failed.
	Err error
}

// Outcome is how a component ended in a run.
type Outcome string

const (
	// OutcomeInstalled means that the component is ready for the first time.
	OutcomeInstalled Outcome = "Installed"
	// OutcomeUpgraded means that the component was ready before, and is ready
	// with other objects now.
	OutcomeUpgraded Outcome = "Upgraded"
	// OutcomeUnchanged means that the component was ready, and was left alone.
	OutcomeUnchanged Outcome = "Unchanged"
	// OutcomeFailed means that the component was started and is not ready.
	OutcomeFailed Outcome = "Failed"
	// OutcomeSkipped means that the component was not started, because
	// something it depends on is not ready or the run was cancelled.
	OutcomeSkipped Outcome = "Skipped"
)
