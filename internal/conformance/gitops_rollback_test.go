package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// stage is an Application "app" with its owners, in a namespace of its own where the test plays Argo CD.
type stage struct {
	client    client.WithWatch
	namespace string
	// originals are the objects before the rollback.
	originals []*unstructured.Unstructured
	// finish changes the status that follows an operation. Default: none.
	finish func(status map[string]any)
}

// newStage creates the objects in their order. NS stands for the namespace and UID for the uid of the object before.
// Every Application has deployed the revision "good", then "bad".
func newStage(t *testing.T, c client.WithWatch, manifests string) *stage {
	t.Helper()
	s := &stage{client: c, namespace: namespace(t, c)}
	uid := ""
	for _, manifest := range strings.Split(manifests, "\n---\n") {
		obj := &unstructured.Unstructured{}
		manifest = strings.NewReplacer("NS", s.namespace, "UID", uid).Replace(manifest)
		require.NoError(t, yaml.Unmarshal([]byte(manifest), &obj.Object), manifest)
		obj.SetAPIVersion("argoproj.io/v1alpha1")
		obj.SetNamespace(s.namespace)
		spec := obj.Object["spec"].(map[string]any)
		if obj.GetKind() == "ApplicationSet" {
			spec["generators"] = []any{map[string]any{"list": map[string]any{"elements": []any{}}}}
			spec["template"] = map[string]any{"metadata": map[string]any{"name": "x"}, "spec": applicationSpec()}
		} else {
			for key, value := range applicationSpec() {
				spec[key] = value
			}
			obj.Object["status"] = deployedStatus("good", "bad")
		}
		require.NoError(t, c.Create(t.Context(), obj))
		uid = string(obj.GetUID())
		s.originals = append(s.originals, obj)
	}
	// Owners that are known by a label only are believed when they list the object.
	for _, obj := range s.originals {
		if owner := obj.GetLabels()["app.kubernetes.io/instance"]; owner != "" {
			s.patch(t, "Application", owner, map[string]any{"status": map[string]any{"resources": []any{map[string]any{
				"group": "argoproj.io", "kind": obj.GetKind(), "namespace": s.namespace, "name": obj.GetName(),
			}}}})
		}
	}
	return s
}

func applicationSpec() map[string]any {
	return map[string]any{
		"project":     "default",
		"source":      map[string]any{"repoURL": "file:///srv/repo", "path": "a"},
		"destination": map[string]any{"server": "https://kubernetes.default.svc"},
	}
}

// deployedStatus is that of an Application that has deployed the revisions, the last of them just now.
func deployedStatus(revisions ...string) map[string]any {
	source := map[string]any{"repoURL": "file:///srv/repo", "path": "a"}
	var history []any
	for i, revision := range revisions {
		history = append(history, map[string]any{
			"id": int64(i), "revision": revision, "source": source, "deployedAt": stamp(time.Now()),
		})
	}
	last := revisions[len(revisions)-1]
	status := syncedStatus()
	status["history"] = history
	status["reconciledAt"] = stamp(time.Now())
	status["operationState"] = map[string]any{
		"phase": "Succeeded", "startedAt": stamp(time.Now()), "finishedAt": stamp(time.Now()),
		"operation":  map[string]any{"sync": map[string]any{"revision": last}, "initiatedBy": map[string]any{"automated": true}},
		"syncResult": map[string]any{"revision": last, "source": source},
	}
	return status
}

func (s *stage) get(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(argoapp.Kind(kind))
	require.NoError(t, s.client.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, obj))
	return obj
}

func (s *stage) patch(t *testing.T, kind, name string, patch map[string]any) {
	t.Helper()
	obj := s.get(t, kind, name)
	encoded, err := json.Marshal(patch)
	require.NoError(t, err)
	require.NoError(t, s.client.Patch(t.Context(), obj, client.RawPatch(types.MergePatchType, encoded)))
}

// play carries out operations as the application controller does, until the test ends: with this phase, and the
// requested revision.
func (s *stage) play(t *testing.T, phase string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	carryOut := func(obj *unstructured.Unstructured) {
		operation, requested, _ := unstructured.NestedMap(obj.Object, "operation")
		if !requested {
			return
		}
		before := obj.DeepCopy()
		delete(obj.Object, "operation")
		revision, _, _ := unstructured.NestedString(operation, "sync", "revision")
		status := deployedStatus("good", "bad", revision)
		state := status["operationState"].(map[string]any)
		state["phase"], state["operation"] = phase, operation
		result := map[string]any{"revision": revision, "source": map[string]any{"repoURL": ""}}
		for _, key := range []string{"source", "sources", "revisions"} {
			if value, found, _ := unstructured.NestedFieldNoCopy(operation, "sync", key); found {
				result[key] = value
			}
		}
		state["syncResult"] = result
		status["sync"].(map[string]any)["status"] = "OutOfSync"
		if s.finish != nil {
			s.finish(status)
		}
		obj.Object["status"] = status
		// A conflict is followed by another event.
		_ = s.client.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	}
	go func() {
		defer close(done)
		_ = listwatch.Follow(ctx, s.client, listwatch.Selection{Kind: argoapp.Kind("Application"), Namespace: s.namespace}, listwatch.Follower{
			Listed: func(items []unstructured.Unstructured) (bool, error) {
				for i := range items {
					carryOut(&items[i])
				}
				return false, nil
			},
			Changed: func(kind watch.EventType, obj *unstructured.Unstructured) (bool, error) {
				if kind != watch.Deleted {
					carryOut(obj)
				}
				return false, nil
			},
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (s *stage) argocd(c client.WithWatch) *gitops.Client {
	return gitops.NewClient(c, gitops.ClientOptions{Namespace: s.namespace})
}

// inTime is the test's context with a deadline for one call.
func inTime(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// requireOriginal requires the specs and the annotations of all objects to be what they were.
func (s *stage) requireOriginal(t *testing.T) {
	t.Helper()
	for _, original := range s.originals {
		now := s.get(t, original.GetKind(), original.GetName())
		if diff := cmp.Diff(original.Object["spec"], now.Object["spec"]); diff != "" {
			t.Fatalf("spec of %s %s (-before +after):\n%s", original.GetKind(), original.GetName(), diff)
		}
		require.Equal(t, original.GetAnnotations(), now.GetAnnotations(), "%s %s", original.GetKind(), original.GetName())
	}
}

// requireRolledBack requires the Application to have deployed "good" again, without automated sync, and each owner to
// be guarded.
func (s *stage) requireRolledBack(t *testing.T) {
	t.Helper()
	app := s.get(t, "Application", "app")
	_, automated, err := unstructured.NestedFieldNoCopy(app.Object, "spec", "syncPolicy", "automated")
	require.NoError(t, err)
	require.False(t, automated, "automated sync is on")
	revision, _, _ := unstructured.NestedString(app.Object, "status", "operationState", "syncResult", "revision")
	require.Equal(t, "good", revision)
	for _, original := range s.originals {
		owner := s.get(t, original.GetKind(), original.GetName())
		list := map[string]string{"Application": "ignoreDifferences", "ApplicationSet": "ignoreApplicationDifferences"}[owner.GetKind()]
		entries, _, _ := unstructured.NestedSlice(owner.Object, "spec", list)
		if original.GetKind() == "Application" && strings.HasPrefix(original.GetName(), "app") &&
			!strings.HasPrefix(original.GetAnnotations()["argocd.argoproj.io/tracking-id"], "app:") {
			continue
		}
		before, _, _ := unstructured.NestedSlice(original.Object, "spec", list)
		require.Greater(t, len(entries), len(before), "%s %s is not guarded", owner.GetKind(), owner.GetName())
		if owner.GetKind() == "Application" {
			options, _, _ := unstructured.NestedStringSlice(owner.Object, "spec", "syncPolicy", "syncOptions")
			require.Contains(t, options, "RespectIgnoreDifferences=true")
		}
	}
}

const generatedByASet = `
kind: Application
metadata: {name: root, annotations: {argocd.argoproj.io/tracking-id: "root:argoproj.io/Application:NS/root"}}
spec: {syncPolicy: {automated: {prune: true}}}
---
kind: ApplicationSet
metadata: {name: set, labels: {app.kubernetes.io/instance: root}}
spec: {goTemplate: true}
---
kind: Application
metadata:
  name: app
  annotations: {team: a}
  ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, name: set, uid: UID, controller: true}]
spec: {syncPolicy: {automated: {}}}
`

var ownerships = map[string]string{
	"standalone": `
kind: Application
metadata: {name: app}
spec: {syncPolicy: {automated: {prune: true, selfHeal: true}, syncOptions: [ServerSideApply=true], retry: {limit: 3}}}
`,
	"generated by an ApplicationSet that is deployed by an Application that deploys itself": generatedByASet,
	"deployed by an Application that an ApplicationSet with its own ignore rules generates": `
kind: ApplicationSet
metadata: {name: set, annotations: {team: platform}}
spec: {ignoreApplicationDifferences: [{jsonPointers: [/spec/info]}], syncPolicy: {applicationsSync: create-only}}
---
kind: Application
metadata:
  name: parent
  annotations: {note: kept}
  ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, name: set, uid: UID, controller: true}]
spec:
  syncPolicy: {automated: {selfHeal: true}, syncOptions: [ServerSideApply=true]}
  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]
---
kind: Application
metadata: {name: app, annotations: {argocd.argoproj.io/tracking-id: "parent:argoproj.io/Application:NS/app"}}
spec: {syncPolicy: {automated: {selfHeal: true, allowEmpty: false}}}
`,
	"deployed by itself": `
kind: Application
metadata: {name: app, annotations: {argocd.argoproj.io/tracking-id: "app:argoproj.io/Application:NS/app"}}
spec: {syncPolicy: {automated: {selfHeal: true}, syncOptions: [RespectIgnoreDifferences=true]}}
`,
}

var errCrash = errors.New("crashed")

// crashing is the real client of a process that dies at one of its writes: right before, or right after.
type crashing struct {
	client.WithWatch
	left  int
	after bool
}

func (c *crashing) Patch(ctx context.Context, obj client.Object, patch client.Patch, options ...client.PatchOption) error {
	c.left--
	if c.left < 0 || c.left == 0 && !c.after {
		return errCrash
	}
	err := c.WithWatch.Patch(ctx, obj, patch, options...)
	if c.left == 0 {
		return errCrash
	}
	return err
}

// eachCrash runs the steps with a crash at each write in turn, until they come through without one.
func eachCrash(t *testing.T, c client.WithWatch, run func(client.WithWatch) error, then func(point int, after bool)) {
	t.Helper()
	for point := 1; ; point++ {
		for _, after := range []bool{false, true} {
			err := run(&crashing{WithWatch: c, left: point, after: after})
			if err == nil {
				require.Greater(t, point, 2, "no write was crashed")
				return
			}
			require.ErrorIs(t, err, errCrash)
			then(point, after)
		}
	}
}

func TestRollbackSurvivesACrashAtAnyWrite(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	for name, manifests := range ownerships {
		t.Run(name, func(t *testing.T) { testCrashes(t, c, manifests) })
	}
}

func testCrashes(t *testing.T, c client.WithWatch, manifests string) {
	t.Helper()
	s := newStage(t, c, manifests)
	s.play(t, "Succeeded")
	argocd := s.argocd(c)
	prune := gitops.RollbackRequest{Prune: true}
	reset := func() {
		s.requireOriginal(t)
		for _, obj := range s.originals {
			if obj.GetKind() == "Application" {
				status := deployedStatus("good", "bad")
				delete(status, "resources")
				s.patch(t, obj.GetKind(), obj.GetName(), map[string]any{"status": status})
			}
		}
	}
	rollBack := func(c client.WithWatch) error {
		reset()
		_, err := s.argocd(c).Rollback(inTime(t), "app", prune)
		return err
	}
	var events []string
	_, err := argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{Prune: true, OnEvent: func(e gitops.RollbackEvent) {
		if e.Done {
			events = append(events, string(e.Step.Action)+" "+e.Step.Object.Name)
		}
	}})
	require.NoError(t, err)
	t.Log(events)
	s.requireRolledBack(t)
	require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))

	t.Run("a second call continues", func(t *testing.T) {
		eachCrash(t, c, rollBack, func(point int, after bool) {
			_, err := argocd.Rollback(inTime(t), "app", prune)
			require.NoError(t, err, "write %d, after: %t", point, after)
			s.requireRolledBack(t)
			require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))
		})
		s.requireRolledBack(t)
		require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))
	})
	t.Run("restoring undoes it", func(t *testing.T) {
		eachCrash(t, c, rollBack, func(point int, after bool) {
			require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"), "write %d, after: %t", point, after)
		})
		require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))
	})
	crashedRestore := func(c client.WithWatch) error {
		reset()
		if _, err := argocd.Rollback(inTime(t), "app", prune); err != nil {
			return err
		}
		return s.argocd(c).RestoreAutomation(inTime(t), "app")
	}
	t.Run("a crashed restore continues", func(t *testing.T) {
		eachCrash(t, c, crashedRestore, func(point int, after bool) {
			require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"), "write %d, after: %t", point, after)
		})
	})
	t.Run("after a crashed restore the rollback can be made again", func(t *testing.T) {
		eachCrash(t, c, crashedRestore, func(point int, after bool) {
			_, err := argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{Revision: "good"})
			require.NoError(t, err, "write %d, after: %t", point, after)
			s.requireRolledBack(t)
			require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))
		})
	})
	s.requireOriginal(t)
}

// Fields that only Argo CD 3 knows come through a rollback and its restoration, also the remembered ones.
func TestRollbackKeepsTheFieldsOfArgoCD3(t *testing.T) {
	c := v3Kube(t)
	testCrashes(t, c, `
kind: Application
metadata: {name: parent}
spec:
  sourceHydrator:
    drySource: {repoURL: "file:///srv/dry", path: a, targetRevision: HEAD}
    syncSource: {path: a, targetBranch: wet}
  syncPolicy: {retry: {limit: 2, refresh: true}}
---
kind: ApplicationSet
metadata: {name: set, labels: {app.kubernetes.io/instance: parent}}
spec: {strategy: {type: AllAtOnce, deletionOrder: Reverse}}
---
kind: Application
metadata:
  name: app
  ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, name: set, uid: UID, controller: true}]
spec: {syncPolicy: {automated: {enabled: true, prune: true}, retry: {limit: 2, refresh: true}}}
`)
}

func TestRollbackRefusesBeforeItChangesAnything(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	cases := map[string]struct {
		manifests string
		request   gitops.RollbackRequest
		change    func(*testing.T, *stage)
		as        any
	}{
		"a deployment that is not in the history": {request: gitops.RollbackRequest{HistoryID: new(int64(7))}, as: new(*gitops.HistoryError)},
		"a revision that was never deployed":      {request: gitops.RollbackRequest{Revision: "other"}, as: new(*gitops.HistoryError)},
		"no earlier deployment": {as: new(*gitops.HistoryError), change: func(t *testing.T, s *stage) {
			s.patch(t, "Application", "app", map[string]any{"status": deployedStatus("bad")})
		}},
		"an operation in progress": {as: new(*gitops.OperationInProgressError), change: func(t *testing.T, s *stage) {
			s.patch(t, "Application", "app", map[string]any{"operation": map[string]any{"sync": map[string]any{}}})
		}},
		"an ApplicationSet that syncs on its own": {as: new(*gitops.UnguardableOwnerError), change: func(t *testing.T, s *stage) {
			set := s.get(t, "ApplicationSet", "set")
			step := map[string]any{"matchExpressions": []any{}}
			strategy := map[string]any{"type": "RollingSync", "rollingSync": map[string]any{"steps": []any{step}}}
			require.NoError(t, unstructured.SetNestedMap(set.Object, strategy, "spec", "strategy"))
			require.NoError(t, c.Update(t.Context(), set))
			require.NoError(t, unstructured.SetNestedSlice(set.Object, []any{map[string]any{
				"application": "app", "message": "", "status": "Healthy", "step": "1", "targetRevisions": []any{},
			}}, "status", "applicationStatus"))
			require.NoError(t, c.Status().Update(t.Context(), set))
		}},
		"an owner that Argo CD does not know": {as: new(*gitops.UnguardableOwnerError), manifests: `
kind: Application
metadata: {name: app, ownerReferences: [{apiVersion: example.com/v1, kind: Platform, name: p, uid: a-b-c, controller: true}]}
spec: {}`},
		"an owner that is in another cluster": {as: new(*gitops.UnguardableOwnerError), manifests: `
kind: Application
metadata: {name: app, annotations: {argocd.argoproj.io/tracking-id: "elsewhere:argoproj.io/Application:NS/app"}}
spec: {}`},
		"a record that somebody has broken": {as: new(*gitops.AnnotationError), change: func(t *testing.T, s *stage) {
			s.patch(t, "ApplicationSet", "set", map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{gitops.RollbackGuardsAnnotation: "{"}},
			})
		}},
		"two targets at once": {request: gitops.RollbackRequest{HistoryID: new(int64(0)), Revision: "good"}, as: new(*apierrors.StatusError)},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if test.manifests == "" {
				test.manifests = generatedByASet
			}
			s := newStage(t, c, test.manifests)
			if test.change != nil {
				test.change(t, s)
			}
			before := s.versions(t)
			_, err := s.argocd(c).Rollback(inTime(t), "app", test.request)
			require.ErrorAs(t, err, test.as)
			require.Equal(t, before, s.versions(t))
		})
	}
	t.Run("a missing Application", func(t *testing.T) {
		s := newStage(t, c, ownerships["standalone"])
		_, err := s.argocd(c).Rollback(inTime(t), "missing", gitops.RollbackRequest{})
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		require.True(t, apierrors.IsNotFound(s.argocd(c).RestoreAutomation(inTime(t), "missing")))
	})
}

// versions are the resource versions of all objects.
func (s *stage) versions(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, obj := range s.originals {
		versions[obj.GetKind()+" "+obj.GetName()] = s.get(t, obj.GetKind(), obj.GetName()).GetResourceVersion()
	}
	return versions
}

func TestRollbackPlansWithoutAWrite(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	s := newStage(t, c, generatedByASet)
	before := s.versions(t)
	result, err := s.argocd(c).Rollback(inTime(t), "app", gitops.RollbackRequest{DryRun: true, RestoreAutomation: true})
	require.NoError(t, err)
	require.Equal(t, before, s.versions(t))
	require.Equal(t, int64(0), result.Target.ID)
	var steps []string
	for _, step := range result.Steps {
		steps = append(steps, string(step.Action)+" "+step.Object.Name)
	}
	require.Equal(t, []string{
		"Guard root", "Guard set", "Suspend app", "Sync app", "Verify app", "Restore app", "Release set", "Release root",
	}, steps)
}

func TestRollbackDeploysWhatTheHistoryRecords(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	s := newStage(t, c, ownerships["standalone"])
	s.play(t, "Succeeded")
	argocd := s.argocd(c)
	result, err := argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{Prune: true, InitiatedBy: "sensor"})
	require.NoError(t, err)
	require.Equal(t, []string{"good"}, result.Target.Revisions)
	require.Equal(t, []string{"good"}, result.Status.Operation.Revisions)
	require.Equal(t, "sensor", result.Status.Operation.InitiatedBy)
	operation, _, err := unstructured.NestedMap(s.get(t, "Application", "app").Object, "status", "operationState", "operation")
	require.NoError(t, err)
	delete(operation, "info")
	want := map[string]any{
		"initiatedBy": map[string]any{"username": "sensor"},
		"retry":       map[string]any{"limit": int64(3)},
		"sync": map[string]any{
			"revision": "good", "prune": true, "source": map[string]any{"repoURL": "file:///srv/repo", "path": "a"},
			"syncOptions": []any{"ServerSideApply=true"}, "syncStrategy": map[string]any{"apply": map[string]any{}},
		},
	}
	if diff := cmp.Diff(want, operation); diff != "" {
		t.Errorf("operation (-want +got):\n%s", diff)
	}
	status, err := argocd.RollbackStatus(inTime(t), "app")
	require.NoError(t, err)
	require.Equal(t, gitops.RollbackSucceeded, status.Phase)
	require.Equal(t, map[string]any{"prune": true, "selfHeal": true}, status.Automated)

	// A complete rollback is not made twice.
	before := s.versions(t)
	result, err = argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{})
	require.NoError(t, err)
	require.Empty(t, result.Steps)
	require.Equal(t, before, s.versions(t))

	// Another target is another rollback, which remembers what the first one did.
	_, err = argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{HistoryID: new(int64(1))})
	require.NoError(t, err)
	status, err = argocd.RollbackStatus(inTime(t), "app")
	require.NoError(t, err)
	require.Equal(t, []string{"bad"}, status.Revisions)
	require.Equal(t, map[string]any{"prune": true, "selfHeal": true}, status.Automated)
	require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))
	s.requireOriginal(t)
	status, err = argocd.RollbackStatus(inTime(t), "app")
	require.NoError(t, err)
	require.Empty(t, status)
}

func TestRollbackThatFailsLeavesAutomationSuspended(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	s := newStage(t, c, generatedByASet)
	argocd := s.argocd(c)
	t.Run("the sync fails", func(t *testing.T) {
		s.play(t, "Failed")
		_, err := argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{})
		var failed *gitops.RollbackFailedError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, gitops.PhaseFailed, failed.Operation.Phase)
		status, err := argocd.RollbackStatus(inTime(t), "app")
		require.NoError(t, err)
		require.Equal(t, gitops.RollbackFailed, status.Phase)
		s.requireRolledBack(t)
	})
	t.Run("nobody carries it out in time, and the next call does", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := argocd.Rollback(ctx, "app", gitops.RollbackRequest{})
		var missing *gitops.WaitError
		require.ErrorAs(t, err, &missing)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		s.play(t, "Succeeded")
		_, err = argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{})
		require.NoError(t, err)
	})
	require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))
	s.requireOriginal(t)
}

// Guards of several Applications share an owner, while others write to the same lists.
func TestRollbacksOfSiblingsLeaveEachOtherAlone(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	const siblings = 6
	s := newStage(t, c, generatedByASet)
	set := s.get(t, "ApplicationSet", "set")
	names := []string{"app"}
	for i := 1; i < siblings; i++ {
		app := s.originals[2].DeepCopy()
		app.SetResourceVersion("")
		app.SetUID("")
		app.SetName("app" + string(rune('0'+i)))
		require.NoError(t, c.Create(t.Context(), app))
		s.originals = append(s.originals, app)
		names = append(names, app.GetName())
	}
	s.play(t, "Succeeded")
	argocd := s.argocd(c)
	all := func(do func(name string) error) {
		results := make(chan error, len(names))
		for _, name := range names {
			go func() { results <- do(name) }()
		}
		for range names {
			require.NoError(t, <-results)
		}
	}
	all(func(name string) error {
		_, err := argocd.Rollback(inTime(t), name, gitops.RollbackRequest{})
		return err
	})
	s.requireRolledBack(t)
	entries := func() []any {
		entries, _, err := unstructured.NestedSlice(s.get(t, "ApplicationSet", set.GetName()).Object, "spec", "ignoreApplicationDifferences")
		require.NoError(t, err)
		return entries
	}
	require.Len(t, entries(), siblings)

	foreign := map[string]any{"name": "other", "jsonPointers": []any{"/spec/info"}}
	s.patch(t, "ApplicationSet", "set", map[string]any{"spec": map[string]any{"ignoreApplicationDifferences": append(entries(), foreign)}})
	require.NoError(t, argocd.RestoreAutomation(inTime(t), names[0]))
	require.Len(t, entries(), siblings)
	options, _, _ := unstructured.NestedStringSlice(s.get(t, "Application", "root").Object, "spec", "syncPolicy", "syncOptions")
	require.Equal(t, []string{"RespectIgnoreDifferences=true"}, options, "the others' guards need it")

	names = names[1:]
	all(func(name string) error { return argocd.RestoreAutomation(inTime(t), name) })
	require.Equal(t, []any{foreign}, entries())
	s.patch(t, "ApplicationSet", "set", map[string]any{"spec": map[string]any{"ignoreApplicationDifferences": nil}})
	s.requireOriginal(t)
}

func TestRestoreFollowsOwnersThatHaveChanged(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	cases := map[string]func(*testing.T, *stage){
		"the Application was deleted": func(t *testing.T, s *stage) {
			require.NoError(t, c.Delete(t.Context(), s.get(t, "Application", "app")))
		},
		"nobody owns the Application any more": func(t *testing.T, s *stage) {
			s.patch(t, "Application", "app", map[string]any{"metadata": map[string]any{"ownerReferences": nil}})
		},
		"an owner in between was deleted": func(t *testing.T, s *stage) {
			// Without the reference, which would have the garbage collector delete the Application too.
			s.patch(t, "Application", "app", map[string]any{"metadata": map[string]any{"ownerReferences": nil}})
			require.NoError(t, c.Delete(t.Context(), s.get(t, "ApplicationSet", "set")))
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c, generatedByASet)
			s.play(t, "Succeeded")
			argocd := s.argocd(c)
			_, err := argocd.Rollback(inTime(t), "app", gitops.RollbackRequest{})
			require.NoError(t, err)
			change(t, s)
			require.NoError(t, argocd.RestoreAutomation(inTime(t), "app"))
			var left []*unstructured.Unstructured
			for _, obj := range s.originals {
				now := &unstructured.Unstructured{}
				now.SetGroupVersionKind(obj.GroupVersionKind())
				if err := c.Get(t.Context(), client.ObjectKeyFromObject(obj), now); !apierrors.IsNotFound(err) {
					require.NoError(t, err)
					left = append(left, obj)
				}
			}
			require.NotEmpty(t, left)
			s.originals = left
			s.requireOriginal(t)
		})
	}
}

// Who restores a field must not keep it when whoever declared it removes it.
func TestRestoreLeavesAutomatedSyncToWhoAppliesIt(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	s := newStage(t, c, generatedByASet)
	s.play(t, "Succeeded")
	declared := &unstructured.Unstructured{Object: map[string]any{"spec": applicationSpec()}}
	declared.SetGroupVersionKind(argoapp.Kind("Application"))
	declared.SetNamespace(s.namespace)
	declared.SetName("app")
	apply := func(syncPolicy map[string]any) {
		t.Helper()
		obj := declared.DeepCopy()
		obj.Object["spec"].(map[string]any)["syncPolicy"] = syncPolicy
		require.NoError(t, c.Patch(t.Context(), obj, client.Apply, client.FieldOwner("argocd-controller"), client.ForceOwnership))
	}
	// The creator of the stage owns the field too.
	s.patch(t, "Application", "app", map[string]any{"spec": map[string]any{"syncPolicy": nil}})
	apply(map[string]any{"automated": map[string]any{"prune": true}, "syncOptions": []any{"CreateNamespace=true"}})

	_, err := s.argocd(c).Rollback(inTime(t), "app", gitops.RollbackRequest{})
	require.NoError(t, err)
	require.NoError(t, s.argocd(c).RestoreAutomation(inTime(t), "app"))
	apply(map[string]any{"automated": map[string]any{"prune": true}, "syncOptions": []any{"CreateNamespace=true"}})
	status, err := s.argocd(c).Get(inTime(t), "app")
	require.NoError(t, err)
	require.True(t, status.Automated, "restored")
	apply(map[string]any{"syncOptions": []any{"CreateNamespace=true"}})
	status, err = s.argocd(c).Get(inTime(t), "app")
	require.NoError(t, err)
	require.False(t, status.Automated, "removed by its owner")
	_, found, err := unstructured.NestedFieldNoCopy(s.get(t, "Application", "app").Object, "spec", "syncPolicy", "syncOptions")
	require.NoError(t, err)
	require.True(t, found)
}

// An ApplicationSet controller that is still at work on its old state undoes a suspension once, with the annotation.
func TestRollbackSuspendsAgainWhatALateWriteHasUndone(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	undo := map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{gitops.RollbackAnnotation: nil}},
		"spec":     map[string]any{"syncPolicy": map[string]any{"automated": map[string]any{}}},
	}
	t.Run("once", func(t *testing.T) {
		s := newStage(t, c, generatedByASet)
		s.play(t, "Succeeded")
		undone := false
		_, err := s.argocd(c).Rollback(inTime(t), "app", gitops.RollbackRequest{OnEvent: func(e gitops.RollbackEvent) {
			if e.Step.Action == gitops.RollbackSync && e.Done && !undone {
				undone = true
				s.patch(t, "Application", "app", undo)
			}
		}})
		require.NoError(t, err)
		require.True(t, undone)
		s.requireRolledBack(t)
		require.NoError(t, s.argocd(c).RestoreAutomation(inTime(t), "app"))
		s.requireOriginal(t)
	})
	t.Run("always", func(t *testing.T) {
		s := newStage(t, c, generatedByASet)
		s.play(t, "Succeeded")
		_, err := s.argocd(c).Rollback(inTime(t), "app", gitops.RollbackRequest{OnEvent: func(e gitops.RollbackEvent) {
			if e.Step.Action == gitops.RollbackSuspend && e.Done {
				s.patch(t, "Application", "app", undo)
			}
		}})
		var undone *gitops.RollbackUndoneError
		require.ErrorAs(t, err, &undone)
		require.NoError(t, s.argocd(c).RestoreAutomation(inTime(t), "app"))
		s.requireOriginal(t)
	})
}

// A sync that began before the guard does not know the option, and would undo the rollback with its next retry.
func TestRollbackWaitsForASyncOfAnOwner(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	s := newStage(t, c, ownerships["deployed by an Application that an ApplicationSet with its own ignore rules generates"])
	s.patch(t, "Application", "parent", map[string]any{"operation": map[string]any{"sync": map[string]any{}}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := s.argocd(c).Rollback(ctx, "app", gitops.RollbackRequest{})
	var missing *gitops.WaitError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "parent", missing.Unmet[0].Name)
	status, err := s.argocd(c).Get(inTime(t), "app")
	require.NoError(t, err)
	require.True(t, status.Automated)
	s.play(t, "Succeeded")
	_, err = s.argocd(c).Rollback(inTime(t), "app", gitops.RollbackRequest{})
	require.NoError(t, err)
	s.requireRolledBack(t)
}

func TestRollbackChoosesTheDeployment(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	operation := func(phase, revision string) map[string]any {
		state := deployedStatus(revision)["operationState"].(map[string]any)
		state["phase"] = phase
		return state
	}
	cases := map[string]struct {
		status  map[string]any
		request gitops.RollbackRequest
		want    int64
	}{
		"the one before, when the last sync succeeded":        {status: deployedStatus("old", "good", "bad"), want: 1},
		"the last one, when a later revision could not sync":  {status: with(deployedStatus("old", "good"), "operationState", operation("Failed", "bad")), want: 1},
		"none of the same revision, however often it synced":  {status: deployedStatus("old", "good", "bad", "bad"), want: 1},
		"the newest of a revision":                            {status: deployedStatus("good", "bad", "good", "bad"), request: gitops.RollbackRequest{Revision: "good"}, want: 2},
		"the one with the ID":                                 {status: deployedStatus("old", "good", "bad"), request: gitops.RollbackRequest{HistoryID: new(int64(0))}, want: 0},
		"the last one, when nothing is known of an operation": {status: with(deployedStatus("old", "good", "bad"), "operationState", nil), want: 1},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c, ownerships["standalone"])
			s.patch(t, "Application", "app", map[string]any{"status": nil})
			s.patch(t, "Application", "app", map[string]any{"status": test.status})
			test.request.DryRun = true
			result, err := s.argocd(c).Rollback(inTime(t), "app", test.request)
			require.NoError(t, err)
			require.Equal(t, test.want, result.Target.ID)
		})
	}
}

func with(status map[string]any, key string, value any) map[string]any {
	status[key] = value
	return status
}

func TestRollbackOfSeveralSources(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	s := newStage(t, c, ownerships["standalone"])
	sources := []any{map[string]any{"repoURL": "file:///srv/a", "path": "a"}, map[string]any{"repoURL": "file:///srv/b", "path": "b"}}
	entry := func(id int64, revisions ...any) map[string]any {
		return map[string]any{"id": id, "revision": "", "revisions": revisions, "sources": sources, "source": map[string]any{"repoURL": ""}, "deployedAt": stamp(time.Now())}
	}
	s.patch(t, "Application", "app", map[string]any{"status": map[string]any{
		"operationState": nil, "history": []any{entry(0, "a1", "b1"), entry(1, "a1", "b2")},
	}})
	s.play(t, "Succeeded")
	result, err := s.argocd(c).Rollback(inTime(t), "app", gitops.RollbackRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"a1", "b1"}, result.Status.Operation.Revisions)
	sync, _, err := unstructured.NestedMap(s.get(t, "Application", "app").Object, "status", "operationState", "operation", "sync")
	require.NoError(t, err)
	require.Equal(t, sources, sync["sources"])
	require.NotContains(t, sync, "source")
}

func TestRollbackVerifiesTheHealth(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	resource := func(name, health string) map[string]any {
		fields := map[string]any{"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "n", "name": name, "status": "OutOfSync"}
		if health != "" {
			fields["health"] = map[string]any{"status": health}
		}
		return fields
	}
	cases := map[string]struct {
		health    string
		resources []any
		waits     bool
	}{
		"healthy":   {health: "Healthy"},
		"suspended": {health: "Suspended"},
		"degraded":  {health: "Degraded", waits: true, resources: []any{resource("web", "Degraded")}},
		"missing, because the newer revision has more":                     {health: "Missing", resources: []any{resource("web", "Healthy"), resource("new", "Missing")}},
		"missing, and another resource is not ready":                       {health: "Missing", waits: true, resources: []any{resource("web", "Progressing"), resource("new", "Missing")}},
		"missing, and only the Application is assessed":                    {health: "Missing", resources: []any{resource("web", "")}},
		"progressing, and only the Application is assessed":                {health: "Progressing", waits: true, resources: []any{resource("web", "")}},
		"progressing since the last comparison, and all resources healthy": {health: "Progressing", resources: []any{resource("web", "Healthy")}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c, ownerships["standalone"])
			s.finish = func(status map[string]any) {
				status["health"], status["resources"] = map[string]any{"status": test.health}, test.resources
			}
			s.play(t, "Succeeded")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if test.waits {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			}
			defer cancel()
			_, err := s.argocd(c).Rollback(ctx, "app", gitops.RollbackRequest{})
			if !test.waits {
				require.NoError(t, err)
				return
			}
			var missing *gitops.WaitError
			require.ErrorAs(t, err, &missing)
			require.Equal(t, []string{"Healthy"}, missing.Unmet[0].Conditions)
			status, err := s.argocd(c).RollbackStatus(inTime(t), "app")
			require.NoError(t, err)
			require.Equal(t, gitops.RollbackSucceeded, status.Phase)
		})
	}
}
