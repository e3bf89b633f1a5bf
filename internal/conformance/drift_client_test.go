package conformance_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/drift"
)

// version is one version of an Application that Argo CD's controller would write.
type version struct {
	operation map[string]any
	status    map[string]any
}

// resources of the Application, in all of which "c" is a ConfigMap in the namespace n.
func managed(status, health string, requiresPruning bool) []any {
	resource := map[string]any{"version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "c", "status": status}
	if health != "" {
		resource["health"] = map[string]any{"status": health}
	}
	if requiresPruning {
		resource["requiresPruning"] = true
	}
	return []any{resource, map[string]any{"version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "other", "status": "Synced"}}
}

// compared is a version in which revision abc is deployed and the revision was compared.
func compared(revision string, resources []any, state map[string]any) version {
	status := map[string]any{
		"sync":      map[string]any{"status": "OutOfSync", "revision": revision, "comparedTo": comparedTo()},
		"history":   []any{map[string]any{"id": int64(0), "revision": "abc", "deployedAt": stamp(time.Now()), "source": comparedTo()["source"]}},
		"resources": resources,
	}
	if state != nil {
		status["operationState"] = state
	}
	return version{status: status}
}

// selfHeal is an operation as Argo CD's controller makes it: without the resource's namespace.
func selfHeal(attempts int64) map[string]any {
	return map[string]any{
		"initiatedBy": map[string]any{"automated": true},
		"sync": map[string]any{
			"revision": "abc", "autoHealAttemptsCount": attempts,
			"resources": []any{map[string]any{"kind": "ConfigMap", "name": "c"}},
		},
	}
}

func state(operation map[string]any, phase string, at time.Time) map[string]any {
	out := map[string]any{"operation": operation, "phase": phase, "startedAt": stamp(at)}
	if phase != "Running" {
		out["finishedAt"] = stamp(at.Add(time.Second))
		out["syncResult"] = map[string]any{
			"revision": "abc", "source": map[string]any{"repoURL": "file:///srv/repo"},
			"resources": []any{map[string]any{"group": "", "version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "c", "status": "Synced", "message": "serverside-applied"}},
		}
	}
	return out
}

func (v version) requesting(operation map[string]any) version {
	v.operation = operation
	return v
}

// deployed is the version when the revision def has been deployed.
func deployed(v version) version {
	v.status["history"].([]any)[0].(map[string]any)["revision"] = "def"
	return v
}

func TestWatchReportsDrift(t *testing.T) {
	synced, modified := managed("Synced", "", false), managed("OutOfSync", "", false)
	now := time.Now()
	// Recorded by a clock that is ahead of ours, so that every version counts as seen live.
	soon := now.Add(time.Hour)
	first := func(phase string) map[string]any { return state(selfHeal(1), phase, now) }
	tests := map[string]struct {
		before version
		after  []version
		want   []string
	}{
		"a self-heal that is seen at work": {
			before: compared("abc", synced, nil),
			after: []version{
				compared("abc", synced, nil).requesting(selfHeal(1)),
				compared("abc", modified, nil).requesting(selfHeal(1)),
				compared("abc", modified, first("Running")).requesting(selfHeal(1)),
				compared("abc", modified, first("Succeeded")),
				compared("abc", synced, first("Succeeded")),
			},
			want: []string{"ConfigMap n/c Modified Drifted 1", "ConfigMap n/c Modified Healed 1"},
		},
		"a self-heal of which only the trace is seen": {
			before: compared("abc", synced, nil),
			after:  []version{compared("abc", synced, first("Succeeded"))},
			want:   []string{"ConfigMap n/c Modified Healed 1"},
		},
		"a comparison that is written after its self-heal": {
			before: compared("abc", synced, nil),
			after: []version{
				compared("abc", synced, state(selfHeal(1), "Succeeded", soon)),
				compared("abc", modified, state(selfHeal(1), "Succeeded", soon)),
				compared("abc", synced, state(selfHeal(1), "Succeeded", soon)),
			},
			want: []string{"ConfigMap n/c Modified Healed 1"},
		},
		"a self-heal before the baseline is none of ours": {
			before: compared("abc", synced, first("Succeeded")),
			after:  []version{compared("abc", synced, first("Succeeded"))},
		},
		"the next self-heal of the same resource": {
			before: compared("abc", synced, state(selfHeal(1), "Succeeded", now.Add(-time.Hour))),
			after: []version{
				compared("abc", modified, state(selfHeal(1), "Succeeded", now.Add(-time.Hour))),
				compared("abc", synced, state(selfHeal(2), "Succeeded", now)),
			},
			want: []string{"ConfigMap n/c Modified Drifted 0", "ConfigMap n/c Modified Healed 2"},
		},
		"a self-heal that fails at first": {
			before: compared("abc", synced, nil),
			after: []version{
				compared("abc", modified, first("Running")).requesting(selfHeal(1)),
				compared("abc", modified, first("Failed")),
				compared("abc", synced, state(selfHeal(2), "Succeeded", now.Add(time.Second))),
			},
			want: []string{"ConfigMap n/c Modified Drifted 1", "ConfigMap n/c Modified HealFailed 1", "ConfigMap n/c Modified Healed 2"},
		},
		"drift that is undone by hand": {
			before: compared("abc", synced, nil),
			after:  []version{compared("abc", modified, nil), compared("abc", synced, nil)},
			want:   []string{"ConfigMap n/c Modified Drifted 0", "ConfigMap n/c Modified Resolved 0"},
		},
		"a missing and an extra resource": {
			before: compared("abc", synced, nil),
			after: []version{
				compared("abc", managed("OutOfSync", "Missing", false), nil), compared("abc", synced, nil),
				compared("abc", managed("OutOfSync", "", true), nil), compared("abc", synced[1:], nil),
			},
			want: []string{
				"ConfigMap n/c Missing Drifted 0", "ConfigMap n/c Missing Resolved 0", "ConfigMap n/c Extra Drifted 0", "ConfigMap n/c Extra Resolved 0",
			},
		},
		"a commit that waits to be synced is no drift": {
			before: compared("abc", synced, nil),
			after:  []version{compared("def", modified, nil), compared("def", synced, nil)},
		},
		"a comparison that is older than the sync of its commit is no drift": {
			before: compared("abc", synced, nil),
			after: []version{
				compared("def", modified, nil), deployed(compared("def", modified, nil)), deployed(compared("def", synced, nil)),
			},
		},
		"drift after a commit was synced": {
			before: compared("abc", synced, nil),
			after: []version{
				compared("def", modified, nil), deployed(compared("def", synced, nil)), deployed(compared("def", modified, nil)),
			},
			want: []string{"ConfigMap n/c Modified Drifted 0"},
		},
		"drift from before the baseline comes first": {
			before: compared("abc", modified, nil),
			after:  []version{compared("abc", synced, nil)},
			want:   []string{"ConfigMap n/c Modified Drifted 0", "ConfigMap n/c Modified Resolved 0"},
		},
	}
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			own := namespace(t, c)
			client := drift.NewClient(c, drift.ClientOptions{Namespace: own})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			app, last := createApplication(t, c, own, "a"), createApplication(t, c, own, "last")
			app.become(t, test.before.operation, test.before.status)
			baseline, err := client.Baseline(ctx)
			require.NoError(t, err)
			for _, version := range test.after {
				app.become(t, version.operation, version.status)
			}
			last.become(t, nil, compared("abc", modified, nil).status)

			var got []string
			for finding, err := range client.Watch(ctx, baseline) {
				require.NoError(t, err)
				if finding.Application == "last" {
					break
				}
				got = append(got, fmt.Sprintf("%s %s %s %d", finding.Resource, finding.Change, finding.State, finding.Attempts))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReportListsWhatLasts(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	client := drift.NewClient(c, drift.ClientOptions{Namespace: own})
	report, err := client.Report(t.Context())
	require.NoError(t, err)
	require.Empty(t, report)

	drifted := compared("abc", managed("OutOfSync", "", false), nil)
	createApplication(t, c, own, "a").become(t, nil, drifted.status)
	healthy := compared("abc", managed("Synced", "", false), nil)
	createApplication(t, c, own, "b").become(t, nil, healthy.status)
	report, err = client.Report(t.Context())
	require.NoError(t, err)
	want := []drift.Finding{{
		Namespace: own, Application: "a", Resource: drift.Resource{Kind: "ConfigMap", Namespace: "n", Name: "c"}, Change: drift.Modified, State: drift.Drifted,
	}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var last error
	for _, err := range drift.NewClient(c, drift.ClientOptions{Namespace: namespace(t, c)}).Watch(ctx, drift.Baseline{}) {
		last = err
	}
	require.ErrorIs(t, last, context.DeadlineExceeded)
}
