package gitops_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/controlbackbone/backbone/gitops"
)

// What a rollback does is proven against a real API server and a real Argo CD in internal/conformance.

func TestRollbackRequestValidation(t *testing.T) {
	cases := map[string]struct {
		request gitops.RollbackRequest
		paths   []string
	}{
		"the zero value is valid":             {},
		"an ID is valid, also the first one":  {request: gitops.RollbackRequest{HistoryID: new(int64)}},
		"a revision is valid":                 {request: gitops.RollbackRequest{Revision: "abc"}},
		"an ID and a revision contradict":     {request: gitops.RollbackRequest{HistoryID: new(int64), Revision: "abc"}, paths: []string{"revision"}},
		"texts must be printable":             {request: gitops.RollbackRequest{InitiatedBy: "a\xff"}, paths: []string{"initiatedBy"}},
		"every fault is reported, not just 1": {request: gitops.RollbackRequest{HistoryID: new(int64), Revision: "a\xff"}, paths: []string{"revision", "revision"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, fault := range test.request.Validate() {
				paths = append(paths, fault.Field)
			}
			require.Equal(t, test.paths, paths)
		})
	}
}

func TestRollbackErrorsSayWhatToDo(t *testing.T) {
	app := gitops.Resource{Group: "argoproj.io", Kind: "Application", Namespace: "argocd", Name: "app"}
	set := gitops.Resource{Group: "argoproj.io", Kind: "ApplicationSet", Namespace: "argocd", Name: "set"}
	cause := apierrors.NewUnauthorized("no")
	refused := &gitops.UnguardableOwnerError{Owner: set, Object: app, Reason: "the API server refuses the guard", Cause: cause}
	require.ErrorIs(t, refused, cause)
	failed := &gitops.RollbackFailedError{
		Namespace: "argocd", Name: "app", Target: gitops.HistoryEntry{ID: 3, Revisions: []string{"abc"}},
		Operation: gitops.OperationStatus{Phase: gitops.PhaseFailed, Message: "denied"},
	}
	var operation *gitops.OperationError
	require.True(t, errors.As(failed, &operation))
	require.Equal(t, gitops.PhaseFailed, operation.Operation.Phase)
	history := &gitops.HistoryError{Asked: "deployment with ID 7", History: []gitops.HistoryEntry{{ID: 3, Revisions: []string{"abc"}}}}
	for text, err := range map[string]error{
		"ApplicationSet.argoproj.io argocd/set owns Application.argoproj.io argocd/app": refused,
		"deployment ID 3 (abc) could not be synced, automated sync stays suspended":     failed,
		"ID 3 (abc)": history,
		"5 times":    &gitops.RollbackUndoneError{Attempts: 5},
	} {
		require.ErrorContains(t, err, text)
	}
	require.Equal(t, "Guard ApplicationSet.argoproj.io argocd/set", gitops.RollbackStep{Action: gitops.RollbackGuard, Object: set}.String())
}
