package probe

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The delays between the extra checks of an eager worker.
const (
	firstEagerDelay = 50 * time.Millisecond
	lastEagerDelay  = 250 * time.Millisecond
)

// Worker runs one probe of a running container again and again.
type Worker struct {
	Probe *corev1.Probe
	// Check runs the probe's action once.
	Check func(ctx context.Context) (ok bool, message string)
	// Eager makes extra checks between the periods until the first success, so
	// that a container counts as started or ready within a quarter of a second
	// of being so. An extra check that fails does not count.
	Eager bool
	// Failed, if set, hears of each failure that counts.
	Failed func(message string)
	// Changed hears when the thresholds turn the outcome, including the first
	// time it is known.
	Changed func(healthy bool, message string)
}

// Run probes until the context ends.
func (w Worker) Run(ctx context.Context) {
	if !sleep(ctx, time.Duration(w.Probe.InitialDelaySeconds)*time.Second) {
		return
	}
	period := max(time.Duration(w.Probe.PeriodSeconds)*time.Second, time.Second)
	judge := NewJudge(w.Probe)
	eager, delay, due := w.Eager, firstEagerDelay, time.Now()
	for {
		counts := !time.Now().Before(due)
		if counts {
			due = time.Now().Add(period)
		}
		ok, message := w.Check(ctx)
		if ctx.Err() != nil {
			return
		}
		if !ok && counts && w.Failed != nil {
			w.Failed(message)
		}
		if (ok || counts) && judge.Observe(ok) {
			w.Changed(judge.Healthy(), message)
		}
		eager = eager && !ok
		wait := time.Until(due)
		if eager && delay < wait {
			wait, delay = delay, min(2*delay, lastEagerDelay)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// Judge applies the thresholds of a probe to the results of its checks.
type Judge struct {
	success, failure int32
	known, healthy   bool
	last             bool
	streak           int32
}

// NewJudge returns the judge of a probe. Thresholds that are not set are 1 for
// success and 3 for failure.
func NewJudge(probe *corev1.Probe) *Judge {
	j := &Judge{success: probe.SuccessThreshold, failure: probe.FailureThreshold}
	if j.success < 1 {
		j.success = 1
	}
	if j.failure < 1 {
		j.failure = 3
	}
	return j
}

// Observe takes the result of one check and reports whether the outcome turned.
func (j *Judge) Observe(ok bool) bool {
	if ok != j.last {
		j.streak = 0
	}
	j.last = ok
	j.streak++
	threshold := j.failure
	if ok {
		threshold = j.success
	}
	if j.streak < threshold || j.known && j.healthy == ok {
		return false
	}
	j.known, j.healthy = true, ok
	return true
}

// Healthy is the outcome so far; false until a threshold was reached.
func (j *Judge) Healthy() bool { return j.healthy }

// sleep reports whether d passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
