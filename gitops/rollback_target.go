package gitops

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// rollbackInfo is the key under which a rollback marks its operation.
const rollbackInfo = "gitops.backbone.dev/rollback"

// chooseDeployment returns the deployment of the history that the request asks for. Without a choice it is the one of
// the rollback under way, if there is one.
func chooseDeployment(
	obj *unstructured.Unstructured, app argoapp.Application, record *rollbackRecord, request RollbackRequest,
) (argoapp.Deployment, error) {
	asked, matches := "", func(argoapp.Deployment) bool { return false }
	switch {
	case request.HistoryID != nil:
		asked = fmt.Sprintf("deployment with ID %d", *request.HistoryID)
		matches = func(d argoapp.Deployment) bool { return d.ID == *request.HistoryID }
	case request.Revision != "":
		asked = fmt.Sprintf("deployment of revision %q", request.Revision)
		matches = func(d argoapp.Deployment) bool {
			return slices.Contains(revisions(d.Revision, d.Revisions), request.Revision)
		}
		// The rollback itself is in the history as well, with the same revision.
		if record != nil && record.Phase != RollbackRestoring && slices.Contains(record.Revisions, request.Revision) {
			matches = record.targets
		}
	case record != nil && record.Phase != RollbackRestoring:
		asked = fmt.Sprintf("deployment with ID %d any more, which the rollback under way returns to", record.HistoryID)
		matches = record.targets
	default:
		asked = "deployment that differs from what was synced last"
		last := lastSynced(obj, app)
		matches = func(d argoapp.Deployment) bool { return !sameDeployment(d, last) }
	}
	for _, deployment := range slices.Backward(app.Status.History) {
		// Entries of Argo CD before 0.12 have no source (argo-cd: server/application/application.go, Rollback).
		if matches(deployment) && (deployment.Source["repoURL"] != nil || len(deployment.Sources) > 0) {
			return deployment, nil
		}
	}
	return argoapp.Deployment{}, &HistoryError{
		Namespace: app.Metadata.Namespace, Name: app.Metadata.Name, Asked: asked, History: historyOf(app),
	}
}

// lastSynced returns what the last operation tried to deploy, whether or not it succeeded: a revision that could not be
// synced is not in the history, and its newest entry then is the one to return to.
func lastSynced(obj *unstructured.Unstructured, app argoapp.Application) argoapp.Deployment {
	state := app.Status.OperationState
	if state != nil && state.SyncResult != nil && state.Operation.Sync != nil && !state.Operation.Sync.DryRun {
		last := argoapp.Deployment{Revision: state.SyncResult.Revision, Revisions: state.SyncResult.Revisions}
		last.Source, _, _ = unstructured.NestedMap(obj.Object, "status", "operationState", "syncResult", "source")
		sources, _, _ := unstructured.NestedSlice(obj.Object, "status", "operationState", "syncResult", "sources")
		for _, source := range sources {
			fields, _ := source.(map[string]any)
			last.Sources = append(last.Sources, fields)
		}
		if len(revisions(last.Revision, last.Revisions)) > 0 {
			return last
		}
	}
	if len(app.Status.History) == 0 {
		return argoapp.Deployment{}
	}
	return app.Status.History[len(app.Status.History)-1]
}

func sameDeployment(a, b argoapp.Deployment) bool {
	if len(a.Sources) > 0 || len(b.Sources) > 0 {
		return slices.Equal(a.Revisions, b.Revisions) && reflect.DeepEqual(a.Sources, b.Sources)
	}
	return a.Revision == b.Revision && reflect.DeepEqual(a.Source, b.Source)
}

func historyEntryOf(deployment argoapp.Deployment) HistoryEntry {
	return historyOf(argoapp.Application{Status: argoapp.Status{History: []argoapp.Deployment{deployment}}})[0]
}

// rollbackOperation returns the operation that deploys again what the history has recorded.
// argo-cd: server/application/application.go, Rollback; controller/sync.go takes the sources of an operation over those
// of the spec.
func rollbackOperation(
	obj *unstructured.Unstructured, deployment argoapp.Deployment, request RollbackRequest, mark string,
) map[string]any {
	options, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "spec", "syncPolicy", "syncOptions")
	retry, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "spec", "syncPolicy", "retry")
	sync := object.Compact(map[string]any{"prune": request.Prune, "syncOptions": options})
	// Beside several sources Argo CD records an empty one.
	if len(deployment.Sources) > 0 {
		sync["sources"], sync["revisions"] = deployment.Sources, deployment.Revisions
	} else {
		sync["source"], sync["revision"] = deployment.Source, deployment.Revision
	}
	sync["syncStrategy"] = map[string]any{"apply": map[string]any{}}
	operation := object.Compact(map[string]any{"retry": retry})
	operation["initiatedBy"] = map[string]any{"username": orDefault(request.InitiatedBy, "backbone")}
	operation["info"] = []any{map[string]any{"name": rollbackInfo, "value": mark}}
	operation["sync"] = sync
	return operation
}

// isMarked reports whether the operation at the path carries the mark of this rollback.
func isMarked(obj *unstructured.Unstructured, mark string, path ...string) bool {
	infos, _, _ := unstructured.NestedSlice(obj.Object, append(path, "info")...)
	return mark != "" && slices.ContainsFunc(infos, func(item any) bool {
		info, _ := item.(map[string]any)
		return info["name"] == rollbackInfo && info["value"] == mark
	})
}
