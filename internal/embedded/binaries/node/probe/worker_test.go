package probe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/probe"
)

func TestJudgeTurnsAtTheThresholds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		success, failure int32
		results          string // one + or - per check
		want             string // the outcome after each turn, a dot where none
	}{
		"the first success is enough by default":          {0, 0, "+", "+"},
		"three failures in a row are needed by default":   {0, 0, "---", "..-"},
		"a success in between starts the count again":     {0, 0, "+--+--", "+....."},
		"an outcome turns only once":                      {1, 1, "++--++", "+.-.+."},
		"successes are counted too":                       {3, 1, "++-+++", "..-..+"},
		"a failure before any success makes it unhealthy": {1, 2, "--+", ".-+"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judge := probe.NewJudge(&corev1.Probe{SuccessThreshold: test.success, FailureThreshold: test.failure})
			got := ""
			for _, result := range test.results {
				switch {
				case !judge.Observe(result == '+'):
					got += "."
				case judge.Healthy():
					got += "+"
				default:
					got += "-"
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWorkerKeepsToItsTimes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		probe    corev1.Probe
		eager    bool
		okAfter  time.Duration // checks succeed from then on
		checks   []time.Duration
		failures int // that count
		turned   []time.Duration
	}{
		"a check at once and then one in each period": {
			probe: corev1.Probe{PeriodSeconds: 2}, checks: []time.Duration{0, 2 * time.Second, 4 * time.Second}, turned: []time.Duration{0},
		},
		"none before the initial delay": {
			probe: corev1.Probe{PeriodSeconds: 2, InitialDelaySeconds: 3}, checks: []time.Duration{3 * time.Second, 5 * time.Second}, turned: []time.Duration{3 * time.Second},
		},
		"every failure counts": {
			probe: corev1.Probe{PeriodSeconds: 2, FailureThreshold: 2}, okAfter: time.Hour,
			checks: []time.Duration{0, 2 * time.Second, 4 * time.Second}, failures: 3, turned: []time.Duration{2 * time.Second},
		},
		"an eager one checks more often until the first success, and only periodic failures count": {
			probe: corev1.Probe{PeriodSeconds: 2, FailureThreshold: 2}, eager: true, okAfter: 400 * time.Millisecond,
			checks:   []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 350 * time.Millisecond, 600 * time.Millisecond, 2 * time.Second, 4 * time.Second},
			failures: 1, turned: []time.Duration{600 * time.Millisecond},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var checks, turned []time.Duration
				failures := 0
				ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
				defer cancel()
				probe.Worker{
					Probe: &test.probe, Eager: test.eager,
					Check: func(context.Context) (bool, string) {
						checks = append(checks, time.Since(began))
						return time.Since(began) >= test.okAfter, ""
					},
					Failed:  func(string) { failures++ },
					Changed: func(bool, string) { turned = append(turned, time.Since(began)) },
				}.Run(ctx)
				if diff := cmp.Diff(test.checks, checks); diff != "" {
					t.Error("checks:", diff)
				}
				if diff := cmp.Diff(test.turned, turned); diff != "" {
					t.Error("turns:", diff)
				}
				if diff := cmp.Diff(test.failures, failures); diff != "" {
					t.Error("failures:", diff)
				}
			})
		})
	}
}
