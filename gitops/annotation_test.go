package gitops_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/gitops"
)

const (
	waveKey           = "argocd.argoproj.io/sync-wave"
	hookKey           = "argocd.argoproj.io/hook"
	deletePolicyKey   = "argocd.argoproj.io/hook-delete-policy"
	syncOptionsKey    = "argocd.argoproj.io/sync-options"
	compareOptionsKey = "argocd.argoproj.io/compare-options"
	skipReconcileKey  = "argocd.argoproj.io/skip-reconcile"
	trackingKey       = "argocd.argoproj.io/tracking-id"
)

// annotated returns a typed object; the helpers take any.
func annotated(pairs ...string) *corev1.ConfigMap {
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}}
	for i := 0; i < len(pairs); i += 2 {
		metav1.SetMetaDataAnnotation(&obj.ObjectMeta, pairs[i], pairs[i+1])
	}
	return obj
}

func requireAnnotationError(t *testing.T, err error, annotation, value string) {
	t.Helper()
	var fault *gitops.AnnotationError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, annotation, fault.Annotation)
	require.Equal(t, value, fault.Value)
}

func TestAnnotationsOfOthersStay(t *testing.T) {
	for name, write := range map[string]func(metav1.Object) error{
		"wave": func(obj metav1.Object) error { gitops.SetSyncWave(obj, 1); return nil },
		"hook": func(obj metav1.Object) error {
			return gitops.SetHook(obj, gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync}})
		},
		"sync options":    func(obj metav1.Object) error { return gitops.SetSyncOptions(obj, gitops.OptionNoPrune) },
		"compare options": func(obj metav1.Object) error { return gitops.SetCompareOptions(obj, gitops.CompareIgnoreExtraneous) },
		"skip reconcile":  func(obj metav1.Object) error { gitops.SetSkipReconcile(obj, true); return nil },
		"tracking":        func(obj metav1.Object) error { gitops.SetTracking(obj, gitops.Tracking{Application: "a"}); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			typed := annotated("example.com/note", "mine")
			shared := typed.Annotations
			require.NoError(t, write(typed))
			require.Equal(t, "mine", typed.Annotations["example.com/note"])
			require.Len(t, typed.Annotations, 2)
			require.Len(t, shared, 1, "a map that another object may share")

			// Not a string: SetAnnotations of the unstructured object would drop it.
			untyped := &unstructured.Unstructured{Object: map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{"example.com/number": int64(1)}},
			}}
			require.NoError(t, write(untyped))
			annotations := untyped.Object["metadata"].(map[string]any)["annotations"].(map[string]any)
			require.Equal(t, int64(1), annotations["example.com/number"])
			require.Len(t, annotations, 2)

			require.NoError(t, write(&unstructured.Unstructured{}), "an empty object")
		})
	}
}

func TestSyncWave(t *testing.T) {
	for name, test := range map[string]struct {
		obj        client.Object
		want       int
		annotation string
		value      string
	}{
		"is 0 when nothing is said":              {obj: annotated()},
		"is that of the annotation":              {obj: annotated(waveKey, "-5", "helm.sh/hook-weight", "3"), want: -5},
		"is Helm's weight otherwise":             {obj: annotated("helm.sh/hook-weight", "3"), want: 3},
		"is Helm's weight when it is unreadable": {obj: annotated(waveKey, "one", "helm.sh/hook-weight", "3"), want: 3, annotation: waveKey, value: "one"},
		"is 0 when it is unreadable":             {obj: annotated(waveKey, "1.5"), annotation: waveKey, value: "1.5"},
		"is 0 when it is empty":                  {obj: annotated(waveKey, ""), annotation: waveKey},
		"is 0 when it is padded":                 {obj: annotated(waveKey, " 1"), annotation: waveKey, value: " 1"},
		"is 0 when Helm's weight is unreadable":  {obj: annotated("helm.sh/hook-weight", "x"), annotation: "helm.sh/hook-weight", value: "x"},
		"is 0 when the quotes are missing in YAML": {
			obj:        &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"annotations": map[string]any{waveKey: int64(5)}}}},
			annotation: waveKey, value: "5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			wave, err := gitops.SyncWave(test.obj)
			require.Equal(t, test.want, wave)
			if test.annotation == "" {
				require.NoError(t, err)
				return
			}
			requireAnnotationError(t, err, test.annotation, test.value)
		})
	}
	obj := annotated(waveKey, "wrong")
	gitops.SetSyncWave(obj, -3)
	wave, err := gitops.SyncWave(obj)
	require.NoError(t, err)
	require.Equal(t, -3, wave)
}

func TestSetHook(t *testing.T) {
	obj := annotated(hookKey, "PostSync", deletePolicyKey, "HookFailed")
	hook := gitops.Hook{
		Phases:         []gitops.HookPhase{gitops.PreSync, gitops.SyncFail},
		DeletePolicies: []gitops.HookDeletePolicy{gitops.HookSucceeded, gitops.BeforeHookCreation},
	}
	require.NoError(t, gitops.SetHook(obj, hook))
	require.Equal(t, map[string]string{hookKey: "PreSync,SyncFail", deletePolicyKey: "HookSucceeded,BeforeHookCreation"}, obj.Annotations)
	got, err := gitops.HookOf(obj)
	require.NoError(t, err)
	require.Equal(t, hook, got)

	require.Error(t, gitops.SetHook(obj, gitops.Hook{Phases: []gitops.HookPhase{"PreSink"}}))
	got, err = gitops.HookOf(obj)
	require.NoError(t, err)
	require.Equal(t, hook, got, "unchanged")

	require.NoError(t, gitops.SetHook(obj, gitops.Hook{}))
	require.Empty(t, obj.Annotations)
}

func TestHookValidation(t *testing.T) {
	for name, test := range map[string]struct {
		hook gitops.Hook
		want []string
	}{
		"accepts an ordinary object":        {},
		"accepts several phases of a sync":  {hook: gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync, gitops.Sync, gitops.PostSync, gitops.SyncFail}}},
		"accepts a deletion alone":          {hook: gitops.Hook{Phases: []gitops.HookPhase{gitops.PostDelete}}},
		"rejects a deletion beside others":  {hook: gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync, gitops.PreDelete}}, want: []string{"phases[1]"}},
		"rejects Skip beside others":        {hook: gitops.Hook{Phases: []gitops.HookPhase{gitops.Skip, gitops.PreSync}}, want: []string{"phases[0]"}},
		"rejects unknown and repeated ones": {hook: gitops.Hook{Phases: []gitops.HookPhase{"presync", gitops.Sync, gitops.Sync}}, want: []string{"phases[0]", "phases[2]"}},
		"rejects delete policies":           {hook: gitops.Hook{Phases: []gitops.HookPhase{gitops.Sync}, DeletePolicies: []gitops.HookDeletePolicy{"Never", gitops.HookFailed, gitops.HookFailed}}, want: []string{"deletePolicies[0]", "deletePolicies[2]"}},
		"rejects a policy without a phase":  {hook: gitops.Hook{DeletePolicies: []gitops.HookDeletePolicy{gitops.HookFailed}}, want: []string{"phases"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, fault := range test.hook.Validate() {
				got = append(got, fault.Field)
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestHookOf(t *testing.T) {
	before := []gitops.HookDeletePolicy{gitops.BeforeHookCreation}
	for name, test := range map[string]struct {
		obj        client.Object
		want       gitops.Hook
		annotation string
		value      string
	}{
		"an ordinary object is none":                    {obj: annotated(deletePolicyKey, "HookFailed")},
		"a delete policy has a default":                 {obj: annotated(hookKey, " PreSync , Sync,PreSync"), want: gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync, gitops.Sync}, DeletePolicies: before}},
		"Helm's hooks count":                            {obj: annotated("helm.sh/hook", "pre-install,pre-upgrade,test", "helm.sh/hook-delete-policy", "hook-succeeded"), want: gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync}, DeletePolicies: []gitops.HookDeletePolicy{gitops.HookSucceeded}}},
		"Helm's hooks do not count beside Argo CD's":    {obj: annotated(hookKey, "Sync", "helm.sh/hook", "pre-install"), want: gitops.Hook{Phases: []gitops.HookPhase{gitops.Sync}, DeletePolicies: before}},
		"Helm's hooks of a deletion are hooks":          {obj: annotated("helm.sh/hook", "post-delete"), want: gitops.Hook{Phases: []gitops.HookPhase{gitops.PostDelete}, DeletePolicies: before}},
		"Helm's CRDs are ordinary objects":              {obj: annotated("helm.sh/hook", "crd-install")},
		"a misspelt phase is reported":                  {obj: annotated(hookKey, "Sync,presync"), want: gitops.Hook{Phases: []gitops.HookPhase{gitops.Sync}, DeletePolicies: before}, annotation: hookKey, value: "presync"},
		"an object with only such phases has none":      {obj: annotated(hookKey, "presync"), want: gitops.Hook{DeletePolicies: before}, annotation: hookKey, value: "presync"},
		"an empty list is reported":                     {obj: annotated(hookKey, ""), want: gitops.Hook{DeletePolicies: before}, annotation: hookKey},
		"a misspelt delete policy falls to the default": {obj: annotated(hookKey, "Sync", deletePolicyKey, "OnSuccess"), want: gitops.Hook{Phases: []gitops.HookPhase{gitops.Sync}, DeletePolicies: before}, annotation: deletePolicyKey, value: "OnSuccess"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gitops.HookOf(test.obj)
			require.Equal(t, test.want.Phases, got.Phases)
			require.Equal(t, test.want.DeletePolicies, got.DeletePolicies)
			if test.annotation == "" {
				require.NoError(t, err)
				return
			}
			requireAnnotationError(t, err, test.annotation, test.value)
		})
	}
}

func TestSyncOptionsMerge(t *testing.T) {
	for name, test := range map[string]struct {
		before string
		add    []gitops.SyncOption
		want   string
		fails  bool
	}{
		"begin a list":                        {add: []gitops.SyncOption{gitops.OptionNoPrune, gitops.OptionReplace}, want: "Prune=false,Replace=true"},
		"are added to others":                 {before: "Validate=false, FromTheFuture=true", add: []gitops.SyncOption{gitops.OptionNoPrune}, want: "Validate=false,FromTheFuture=true,Prune=false"},
		"replace the same key":                {before: "Prune=false,Force=true", add: []gitops.SyncOption{gitops.OptionConfirmPrune}, want: "Force=true,Prune=confirm"},
		"do not confuse PruneLast with Prune": {before: "PruneLast=true", add: []gitops.SyncOption{gitops.OptionNoPrune}, want: "PruneLast=true,Prune=false"},
		"are added once":                      {before: "Prune=false", add: []gitops.SyncOption{gitops.OptionNoPrune, gitops.OptionNoPrune}, want: "Prune=false"},
		"of an Application are refused":       {before: "Prune=false", add: []gitops.SyncOption{"CreateNamespace=true"}, want: "Prune=false", fails: true},
		"that contradict are refused":         {add: []gitops.SyncOption{gitops.OptionServerSideApply, gitops.OptionClientSideApply}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			obj := annotated(syncOptionsKey, test.before)
			err := gitops.SetSyncOptions(obj, test.add...)
			require.Equal(t, test.fails, err != nil, "%v", err)
			require.Equal(t, test.want, obj.Annotations[syncOptionsKey])
		})
	}
	options, err := gitops.SyncOptions(annotated(syncOptionsKey, "Prune=false,Replace=yes"))
	require.Equal(t, []gitops.SyncOption{gitops.OptionNoPrune, "Replace=yes"}, options)
	requireAnnotationError(t, err, syncOptionsKey, "Replace=yes")
}

func TestCompareOptionsMerge(t *testing.T) {
	obj := annotated(compareOptionsKey, "IgnoreExtraneous,ServerSideDiff=false")
	require.NoError(t, gitops.SetCompareOptions(obj, gitops.CompareServerSide, gitops.CompareMutations))
	options, err := gitops.CompareOptions(obj)
	require.NoError(t, err)
	require.Equal(t, []gitops.CompareOption{gitops.CompareIgnoreExtraneous, gitops.CompareServerSide, gitops.CompareMutations}, options)
}

func TestSkipReconcile(t *testing.T) {
	obj := annotated()
	gitops.SetSkipReconcile(obj, true)
	skip, err := gitops.SkipReconcile(obj)
	require.NoError(t, err)
	require.True(t, skip)
	gitops.SetSkipReconcile(obj, false)
	require.NotContains(t, obj.Annotations, skipReconcileKey)
	skip, err = gitops.SkipReconcile(annotated(skipReconcileKey, "yes"))
	require.False(t, skip)
	requireAnnotationError(t, err, skipReconcileKey, "yes")
}

func TestTracking(t *testing.T) {
	role := &unstructured.Unstructured{}
	role.SetAPIVersion("rbac.authorization.k8s.io/v1")
	role.SetKind("ClusterRole")
	role.SetName("system:reader")
	tracking := gitops.TrackingOf(client.ObjectKey{Namespace: "team", Name: "app"}, "", "production", role)
	require.Equal(t, "team_app:rbac.authorization.k8s.io/ClusterRole:production/system:reader", tracking.ID())
	require.Equal(t, "app", gitops.TrackingOf(client.ObjectKey{Namespace: "argocd", Name: "app"}, "", "", role).Application)
	require.Equal(t, "argocd_app", gitops.TrackingOf(client.ObjectKey{Namespace: "argocd", Name: "app"}, "gitops", "", role).Application)
	gitops.SetTracking(role, tracking)
	got, err := gitops.ReadTracking(role)
	require.NoError(t, err)
	require.Equal(t, tracking, got)

	got, err = gitops.ReadTracking(annotated())
	require.NoError(t, err)
	require.Zero(t, got)
	for _, id := range []string{"", "app", "app:kind:ns/name", "app:a/b/c:ns/name", "app:/Pod:ns/a/b"} {
		_, err := gitops.ReadTracking(annotated(trackingKey, id))
		requireAnnotationError(t, err, trackingKey, id)
	}
}
