package bootstrap_test

import (
	"context"
	"io"
	"net/http"
	"path"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
)

// workload gives a Deployment, or a Job, of one container.
func (f *fixture) workload(apiVersion, kind, name, image string) *unstructured.Unstructured {
	u := object(apiVersion, kind, f.namespace, name)
	pod := map[string]any{
		"terminationGracePeriodSeconds": int64(0),
		"containers":                    []any{map[string]any{"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}},
	}
	template := map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": name}}, "spec": pod}
	if kind == "Job" {
		pod["restartPolicy"] = "Never"
		u.Object["spec"] = map[string]any{"backoffLimit": int64(0), "template": template}
		return u
	}
	u.Object["spec"] = map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": name}}, "template": template}
	return u
}

func TestRunWaitsForWorkloads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deployment := f.workload("apps/v1", "Deployment", "sleep", "test/sleep:1")
	statefulSet := f.workload("apps/v1", "StatefulSet", "sleep-set", "test/sleep:1")
	job := f.workload("batch/v1", "Job", "once", "test/true:1")
	later := configMap(f.namespace, "later", nil)
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(
		bootstrap.Component{Name: "workloads", Source: bootstrap.Objects(deployment, statefulSet, job)},
		bootstrap.Component{Name: "later", DependsOn: []string{"workloads"}, Source: bootstrap.Objects(later)},
	))
	require.NoError(t, err)
	available, _, _ := unstructured.NestedInt64(f.get(deployment).Object, "status", "availableReplicas")
	require.EqualValues(t, 1, available)
	ready, _, _ := unstructured.NestedInt64(f.get(statefulSet).Object, "status", "readyReplicas")
	require.EqualValues(t, 1, ready)
	succeeded, _, _ := unstructured.NestedInt64(f.get(job).Object, "status", "succeeded")
	require.EqualValues(t, 1, succeeded)
	require.NotEmpty(t, eventsOf[bootstrap.Waiting](f))
}

func TestRunShowsWhyAWorkloadIsNotReady(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deployment := f.workload("apps/v1", "Deployment", "missing", "test/not-in-the-table:1")
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{Name: "a", Timeout: 8 * time.Second, Source: bootstrap.Objects(deployment)}))
	unready := &bootstrap.NotReadyError{}
	require.ErrorAs(t, err, &unready)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Len(t, unready.Objects, 1)
	object := unready.Objects[0]
	require.Equal(t, "missing", object.Name)
	require.Equal(t, "InProgress", object.Status)
	require.Equal(t, "Available: 0/1", object.Message)
	require.Len(t, object.Pods, 1)
	require.Equal(t, "main", object.Pods[0].Container)
	require.Equal(t, "ErrImageNeverPull", object.Pods[0].Reason)
	require.Contains(t, object.Pods[0].Message, "test/not-in-the-table:1")
	require.ErrorContains(t, err, "ErrImageNeverPull")
}

func TestRunEndsEarlyWhenAWorkloadHasFailed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		workload func(*fixture) *unstructured.Unstructured
		message  string
	}{
		"a Job that failed": {
			workload: func(f *fixture) *unstructured.Unstructured {
				return f.workload("batch/v1", "Job", "fails", "test/false:1")
			},
			message: "Job Failed. failed: 1/1",
		},
		"a Deployment that makes no progress": {
			workload: func(f *fixture) *unstructured.Unstructured {
				u := f.workload("apps/v1", "Deployment", "stuck", "test/not-in-the-table:1")
				u.Object["spec"].(map[string]any)["progressDeadlineSeconds"] = int64(3)
				return u
			},
			message: "Progress deadline exceeded",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			started := time.Now()
			_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(test.workload(f))}))
			unready := &bootstrap.NotReadyError{}
			require.ErrorAs(t, err, &unready)
			require.NoError(t, unready.Err)
			require.Equal(t, "Failed", unready.Objects[0].Status)
			require.Equal(t, test.message, unready.Objects[0].Message)
			require.NotEmpty(t, unready.Objects[0].Pods)
			require.Less(t, time.Since(started), 40*time.Second)
		})
	}
}

func TestRunCuresAWorkloadThatHadFailed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deployment := f.workload("apps/v1", "Deployment", "app", "test/not-in-the-table:1")
	deployment.Object["spec"].(map[string]any)["progressDeadlineSeconds"] = int64(3)
	c := f.client(bootstrap.Options{})
	_, err := c.Run(f.ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(deployment)}))
	unready := &bootstrap.NotReadyError{}
	require.ErrorAs(t, err, &unready)
	cured := f.workload("apps/v1", "Deployment", "app", "test/sleep:1")
	_, err = c.Run(f.ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(cured)}))
	require.NoError(t, err)
}

// widgets is a component of a Widget that must have the condition Ready.
func (f *fixture) widgets() bootstrap.Component {
	return bootstrap.Component{Name: "a", Source: bootstrap.Objects(f.definition("Widget"), f.custom("Widget", "w"), f.custom("Widget", "v")),
		Ready: bootstrap.Readiness{Conditions: []bootstrap.Condition{{GroupKind: schema.GroupKind{Group: f.group(), Kind: "Widget"}, Type: "Ready"}}}}
}

func (f *fixture) setStatus(name, status string) {
	err := f.api.Status().Patch(f.ctx, f.custom("Widget", name), client.RawPatch(types.MergePatchType, []byte(`{"status": `+status+`}`)))
	if err != nil {
		f.t.Errorf("set status of %s: %v", name, err)
	}
}

func TestRunWaitsForAConditionOfTheCurrentGeneration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var messages []string
	steps := []string{
		`{"conditions": [{"type": "Ready", "status": "False", "reason": "Busy", "message": "almost"}]}`,
		`{"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 7}]}`,
		`{"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}`,
	}
	c := f.client(bootstrap.Options{Progress: func(event bootstrap.Event) {
		waiting, ok := event.(bootstrap.Waiting)
		if !ok || waiting.Unready[0].Kind != "Widget" || waiting.Unready[len(waiting.Unready)-1].Name != "w" {
			return
		}
		messages = append(messages, waiting.Unready[len(waiting.Unready)-1].Message)
		if len(steps) > 0 {
			f.setStatus("w", steps[0])
			steps = steps[1:]
		}
		if len(steps) == 0 {
			f.setStatus("v", `{"conditions": [{"type": "Ready", "status": "True"}]}`)
		}
	}})
	_, err := c.Run(f.ctx, plan(f.widgets()))
	require.NoError(t, err)
	require.Subset(t, messages, []string{"condition Ready is not set", "almost", "condition Ready is about generation 7, not 1"})
}

func TestRunWatchesAgainWhenAWatchEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var watches atomic.Int32
	var ready sync.Once
	cut := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if path.Base(request.URL.Path) != "widgets" || request.URL.Query().Get("watch") == "" {
				return next.RoundTrip(request)
			}
			switch watches.Add(1) {
			case 1:
				return nil, io.ErrUnexpectedEOF
			case 2:
				return &http.Response{StatusCode: http.StatusOK, Request: request, Body: http.NoBody,
					Header: http.Header{"Content-Type": {"application/json"}}}, nil
			}
			ready.Do(func() {
				for _, name := range []string{"v", "w"} {
					f.setStatus(name, `{"conditions": [{"type": "Ready", "status": "True"}]}`)
				}
			})
			return next.RoundTrip(request)
		})
	}
	_, err := f.client(bootstrap.Options{}, cut).Run(f.ctx, plan(f.widgets()))
	require.NoError(t, err)
	require.GreaterOrEqual(t, watches.Load(), int32(3))
}

func TestRunShowsTheEventsThatExplainAWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deployment := f.workload("apps/v1", "Deployment", "app", "test/sleep:1")
	require.NoError(t, unstructured.SetNestedField(deployment.Object, "absent", "spec", "template", "spec", "serviceAccountName"))
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{Name: "a", Timeout: 3 * time.Second, Source: bootstrap.Objects(deployment)}))
	unready := &bootstrap.NotReadyError{}
	require.ErrorAs(t, err, &unready)
	require.Contains(t, unready.Objects[0].Message, `serviceaccount "absent" not found`)
	require.Len(t, unready.Objects[0].Warnings, 1)
	require.Contains(t, unready.Objects[0].Warnings[0], "FailedCreate of ReplicaSet app-")
}

func TestRunReportsAnObjectThatWasDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deleted := false
	widgets := f.widgets()
	widgets.Timeout = 2 * time.Second
	_, err := f.client(bootstrap.Options{Progress: func(event bootstrap.Event) {
		if waiting, ok := event.(bootstrap.Waiting); ok && waiting.Unready[0].Kind == "Widget" && !deleted {
			deleted = true
			if err := f.api.Delete(f.ctx, f.custom("Widget", "w")); err != nil {
				t.Error(err)
			}
		}
	}}).Run(f.ctx, plan(widgets))
	unready := &bootstrap.NotReadyError{}
	require.ErrorAs(t, err, &unready)
	require.Len(t, unready.Objects, 2)
	require.Equal(t, "InProgress", unready.Objects[0].Status)
	require.Equal(t, "NotFound", unready.Objects[1].Status)
}

func TestRunDoesNotWaitForIgnoredKinds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	claim := object("v1", "PersistentVolumeClaim", f.namespace, "data")
	claim.Object["spec"] = map[string]any{"accessModes": []any{"ReadWriteOnce"}, "storageClassName": "later",
		"resources": map[string]any{"requests": map[string]any{"storage": "1Mi"}}}
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(claim),
		Ready: bootstrap.Readiness{Ignore: []schema.GroupKind{{Kind: "PersistentVolumeClaim"}}}}))
	require.NoError(t, err)
	require.Empty(t, eventsOf[bootstrap.Waiting](f))
}
