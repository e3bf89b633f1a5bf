package drift

import (
	"reflect"
	"slices"
	"time"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// heal is a self-heal sync. Argo CD's controller (controller/appcontroller.go, autoSync) starts one when a resource is
// out of sync with the revision that was synced last: automated, and restricted to the resources that depart. No other
// automated sync is restricted to resources.
type heal struct {
	resources  []Resource
	results    []argoapp.ResourceResult
	phase      string
	attempts   int64
	startedAt  time.Time
	finishedAt time.Time
}

// healID tells one self-heal from the next: they are some seconds apart, and counted.
type healID struct {
	startedAt time.Time
	attempts  int64
}

// healOf returns the self-heal that is requested, runs, or was the last operation. Nil if there is none.
func healOf(app argoapp.Application) *heal {
	state := app.Status.OperationState
	if requested := app.Operation; requested != nil && (state == nil || state.Completed()) {
		if !isSelfHeal(*requested) {
			return nil
		}
		return &heal{resources: healResources(app, *requested), attempts: requested.Sync.SelfHealAttempts}
	}
	if state == nil || !isSelfHeal(state.Operation) {
		return nil
	}
	out := &heal{
		resources: healResources(app, state.Operation),
		phase:     state.Phase,
		attempts:  state.Operation.Sync.SelfHealAttempts,
		startedAt: state.StartedAt.Time,
	}
	if state.FinishedAt != nil {
		out.finishedAt = state.FinishedAt.Time
	}
	if state.SyncResult != nil {
		out.results = state.SyncResult.Resources
	}
	return out
}

func isSelfHeal(operation argoapp.Operation) bool {
	return operation.InitiatedBy.Automated && operation.Sync != nil && len(operation.Sync.Resources) > 0
}

// healResources returns the resources of a self-heal with their namespaces, which the operation itself leaves out.
func healResources(app argoapp.Application, operation argoapp.Operation) []Resource {
	var out []Resource
	for _, reference := range operation.Sync.Resources {
		resource := Resource{Group: reference.Group, Kind: reference.Kind, Namespace: reference.Namespace, Name: reference.Name}
		var matches []Resource
		for _, managed := range app.Status.Resources {
			sameKind := managed.Group == reference.Group && managed.Kind == reference.Kind && managed.Name == reference.Name
			if sameKind && (reference.Namespace == "" || managed.Namespace == reference.Namespace) {
				matches = append(matches, nameOf(managed))
			}
		}
		if len(matches) == 0 {
			matches = []Resource{withNamespace(app, resource)}
		}
		for _, match := range matches {
			if !slices.Contains(out, match) {
				out = append(out, match)
			}
		}
	}
	return out
}

// withNamespace takes the namespace from what the sync did, for a resource that was pruned and is not managed any more.
func withNamespace(app argoapp.Application, resource Resource) Resource {
	state := app.Status.OperationState
	if state == nil || state.SyncResult == nil || resource.Namespace != "" {
		return resource
	}
	for _, result := range state.SyncResult.Resources {
		if result.Group == resource.Group && result.Kind == resource.Kind && result.Name == resource.Name {
			resource.Namespace = result.Namespace
		}
	}
	return resource
}

func (h *heal) id() healID { return healID{startedAt: h.startedAt, attempts: h.attempts} }

func (h *heal) completed() bool {
	return h != nil && (h.phase == "Succeeded" || h.failed())
}

func (h *heal) failed() bool { return h != nil && (h.phase == "Failed" || h.phase == "Error") }

func (h *heal) names(resource Resource) bool {
	return h != nil && slices.Contains(h.resources, resource)
}

func (h *heal) undid(resource Resource) bool {
	return h.names(resource) && h.phase == "Succeeded"
}

func (h *heal) result(resource Resource) (argoapp.ResourceResult, bool) {
	for _, result := range h.results {
		if result.Group == resource.Group && result.Kind == resource.Kind && result.Name == resource.Name &&
			(result.Namespace == resource.Namespace || resource.Namespace == "") {
			return result, true
		}
	}
	return argoapp.ResourceResult{}, false
}

func (h *heal) message(resource Resource) string {
	result, _ := h.result(resource)
	return result.Message
}

// change tells from what the sync did how the resource had departed.
func (h *heal) change(resource Resource) Change {
	if result, found := h.result(resource); found && result.Status == "Pruned" {
		return Extra
	}
	return Modified
}

func equalSources(a, b map[string]any) bool { return reflect.DeepEqual(a, b) }
