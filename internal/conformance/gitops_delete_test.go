package conformance_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/gitops"
)

const (
	cascade    = "resources-finalizer.argocd.argoproj.io"
	foreground = "resources-finalizer.argocd.argoproj.io/foreground"
	background = "resources-finalizer.argocd.argoproj.io/background"
	postDelete = "post-delete-finalizer.argocd.argoproj.io"
	keep       = "example.com/keep"
)

func TestDeleteSetsTheFinalizersOfTheCascade(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	tests := map[string]struct {
		before  []any
		cascade gitops.CascadePolicy
		// deleting deletes the Application before, with the finalizers that it has.
		deleting bool
		want     []any
	}{
		"a cascade is the default":                  {before: []any{keep}, want: []any{keep, cascade}},
		"foreground is what it is":                  {before: []any{cascade, keep}, cascade: gitops.CascadeForeground, want: []any{cascade, keep}},
		"foreground by its other name":              {before: []any{keep, foreground}, want: []any{keep, foreground}},
		"foreground replaces background":            {before: []any{background, keep}, want: []any{keep, cascade}},
		"background replaces foreground":            {before: []any{cascade, keep, foreground}, cascade: gitops.CascadeBackground, want: []any{keep, background}},
		"none removes all cascades, and only these": {before: []any{cascade, keep, foreground, postDelete, background}, cascade: gitops.CascadeNone, want: []any{keep, postDelete}},
		"none stops a cascade that has begun":       {before: []any{cascade, keep}, cascade: gitops.CascadeNone, deleting: true, want: []any{keep}},
		"a cascade cannot be added any more":        {before: []any{keep}, deleting: true, want: []any{keep}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app := createApplication(t, c, own, "a")
			setFinalizers(t, app, test.before)
			if test.deleting {
				require.NoError(t, c.Delete(t.Context(), app.obj))
			}
			require.NoError(t, argocd.Delete(t.Context(), "a", gitops.DeleteRequest{Cascade: test.cascade}))
			require.Equal(t, test.want, app.read(t, "metadata", "finalizers"))
			require.NotNil(t, app.read(t, "metadata", "deletionTimestamp"))
			require.NoError(t, argocd.Delete(t.Context(), "a", gitops.DeleteRequest{Cascade: test.cascade}), "again")
			setFinalizers(t, app, nil)
			require.True(t, apierrors.IsNotFound(argocd.Delete(t.Context(), "a", gitops.DeleteRequest{})))
		})
	}
	err := argocd.Delete(t.Context(), "a", gitops.DeleteRequest{Cascade: "Sideways"})
	require.Equal(t, []string{"cascade"}, faultPaths(t, err))
}

// Whoever adds finalizers at the same time loses none, and those who add the cascade again, as the ApplicationSet
// controller does, come before the deletion and are heard, or after it and are too late.
func TestDeleteMeansTheStateThatItHasSeen(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	for round := range 5 {
		app := createApplication(t, c, own, fmt.Sprintf("a-%d", round))
		setFinalizers(t, app, []any{cascade, keep})
		add := func(finalizer string) error {
			patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"add","path":"/metadata/finalizers/-","value":"`+finalizer+`"}]`))
			return c.Patch(context.Background(), app.obj.DeepCopy(), patch)
		}
		begun, written := make(chan struct{}), make(chan []any)
		go func() {
			var added []any
			for i := range 100 {
				finalizer := fmt.Sprintf("example.com/keep-%d", i)
				// An error means that it is being deleted.
				if add(finalizer) != nil {
					break
				}
				added = append(added, finalizer)
				if i == 2 {
					close(begun)
				}
				if add(cascade) != nil {
					break
				}
				time.Sleep(3 * time.Millisecond)
			}
			written <- added
		}()
		<-begun
		require.NoError(t, argocd.Delete(t.Context(), app.obj.GetName(), gitops.DeleteRequest{Cascade: gitops.CascadeNone}))
		require.Equal(t, append([]any{keep}, <-written...), app.read(t, "metadata", "finalizers"))
		setFinalizers(t, app, nil)
	}
}

func TestDeleteRefusesWhatAnApplicationSetGenerates(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	set := createApplicationSet(t, c, own, "set")
	app := createApplication(t, c, own, "a")
	app.patch(t, ownedBy(set))
	err := argocd.Delete(t.Context(), "a", gitops.DeleteRequest{})
	var generated *gitops.GeneratedError
	require.ErrorAs(t, err, &generated)
	require.Equal(t, "set", generated.ApplicationSet)
	require.Nil(t, app.read(t, "metadata", "deletionTimestamp"))
	require.Nil(t, app.read(t, "metadata", "finalizers"))

	setFinalizers(t, app, []any{keep})
	require.NoError(t, argocd.Delete(t.Context(), "a", gitops.DeleteRequest{Generated: true}))
	// What is being deleted already is not refused.
	require.NoError(t, argocd.Delete(t.Context(), "a", gitops.DeleteRequest{Cascade: gitops.CascadeNone}))
	setFinalizers(t, app, nil)

	// An ApplicationSet that is being deleted generates nothing any more.
	app = createApplication(t, c, own, "a")
	app.patch(t, ownedBy(set))
	set.patch(t, `metadata: {finalizers: [example.com/keep]}`)
	require.NoError(t, c.Delete(t.Context(), set.obj))
	require.NoError(t, argocd.Delete(t.Context(), "a", gitops.DeleteRequest{Cascade: gitops.CascadeNone}))
	set.patch(t, `metadata: {finalizers: []}`)
}

func TestDeleteWaits(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	var app controlled
	finish := make(chan struct{}, 1)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own, Progress: func(event gitops.Event) {
		if event.Status.Deleting {
			finish <- struct{}{}
		}
	}})
	app = createApplication(t, c, own, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := argocd.Delete(ctx, "a", gitops.DeleteRequest{Wait: true})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var unmet *gitops.WaitError
	require.ErrorAs(t, err, &unmet)
	require.True(t, unmet.Unmet[0].Status.Deleting)

	<-finish
	go func() {
		<-finish
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		_ = c.Patch(context.Background(), app.obj.DeepCopy(), patch)
	}()
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, argocd.Delete(ctx, "a", gitops.DeleteRequest{Wait: true}))
	_, err = argocd.Get(ctx, "a")
	require.True(t, apierrors.IsNotFound(err))
}

func TestTerminateEndsOnlyWhatRuns(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	require.True(t, apierrors.IsNotFound(argocd.Terminate(t.Context(), "a")))
	app := createApplication(t, c, own, "a")
	var none *gitops.NoOperationError
	require.ErrorAs(t, argocd.Terminate(t.Context(), "a"), &none)
	require.False(t, none.Requested)

	app.become(t, nil, withOperation(syncedStatus(), "Succeeded"))
	require.ErrorAs(t, argocd.Terminate(t.Context(), "a"), &none)
	require.False(t, none.Requested)

	require.NoError(t, argocd.Sync(t.Context(), "a", gitops.SyncRequest{}))
	require.Nil(t, app.read(t, "status", "operationState"), "the operation before is not the state of this one")
	require.ErrorAs(t, argocd.Terminate(t.Context(), "a"), &none)
	require.True(t, none.Requested)
	require.NotNil(t, app.read(t, "operation"))

	// The controller overwrites the first request, and heeds the second.
	running := withOperation(syncedStatus(), "Running")
	app.become(t, map[string]any{"sync": map[string]any{}}, running)
	requests := 0
	argocd = gitops.NewClient(c, gitops.ClientOptions{Namespace: own, Progress: func(event gitops.Event) {
		if event.Status.Operation.Phase != gitops.PhaseTerminating {
			return
		}
		if requests++; requests == 1 {
			app.become(t, map[string]any{"sync": map[string]any{}}, running)
		} else {
			app.become(t, nil, withOperation(syncedStatus(), "Failed"))
		}
	}})
	require.NoError(t, argocd.Terminate(t.Context(), "a"))
	require.Equal(t, 2, requests)
	require.Equal(t, "Failed", app.read(t, "status", "operationState", "phase"))
}

// setFinalizers replaces the finalizers, or removes them all.
func setFinalizers(t *testing.T, app controlled, finalizers []any) {
	t.Helper()
	obj := app.obj.DeepCopy()
	before := obj.DeepCopy()
	require.NoError(t, app.client.Get(t.Context(), client.ObjectKeyFromObject(obj), before))
	obj.Object = before.DeepCopy().Object
	unstructured.RemoveNestedField(obj.Object, "metadata", "finalizers")
	if len(finalizers) > 0 {
		require.NoError(t, unstructured.SetNestedSlice(obj.Object, finalizers, "metadata", "finalizers"))
	}
	require.NoError(t, app.client.Patch(t.Context(), obj, client.MergeFrom(before)))
}

// faultPaths are the field paths of an Invalid error.
func faultPaths(t *testing.T, err error) []string {
	t.Helper()
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	var status apierrors.APIStatus
	require.ErrorAs(t, err, &status)
	var paths []string
	for _, cause := range status.Status().Details.Causes {
		paths = append(paths, cause.Field)
	}
	return paths
}
