package eventing

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// outOfSync is the status of a comparison that found a difference.
const outOfSync = "OutOfSync"

// GatedApplication is an Application that is out of sync.
type GatedApplication struct {
	// Object has the name and the namespace of the Application, and the spec that was compared.
	Object *unstructured.Unstructured
	// Revision that was compared: for git the commit, for a Helm repository the version. Empty for several sources.
	Revision string
	// Revisions that were compared, one for each of several sources.
	Revisions []string
}

// comparedApplication is what Argo CD found out about an Application.
type comparedApplication struct {
	GatedApplication
	key          types.NamespacedName
	read         argoapp.Application
	reconciledAt time.Time
	// subject is the same for the same revisions and the same spec.
	subject string
}

// comparedOf reads what the sensor of [GateSync] sends.
func comparedOf(event Event) (comparedApplication, error) {
	var whole v1alpha1.Event
	if err := json.Unmarshal(event.Body, &whole); err != nil {
		return comparedApplication{}, fmt.Errorf("event: %w", err)
	}
	var data struct {
		Application map[string]any `json:"application"`
	}
	// Into integers where the API server has them.
	if err := utiljson.Unmarshal(whole.Data, &data); err != nil {
		return comparedApplication{}, fmt.Errorf("data of the event: %w", err)
	}
	app, err := argoapp.Read(&unstructured.Unstructured{Object: data.Application})
	if err != nil {
		return comparedApplication{}, err
	}
	if app.Metadata.Name == "" || app.Metadata.Namespace == "" {
		return comparedApplication{}, errors.New("the event names no Application")
	}
	return comparedWith(app, data.Application)
}

func comparedWith(app argoapp.Application, fields map[string]any) (comparedApplication, error) {
	c := comparedApplication{
		GatedApplication: GatedApplication{Revision: app.Status.Sync.Revision, Revisions: app.Status.Sync.Revisions},
		key:              types.NamespacedName{Namespace: app.Metadata.Namespace, Name: app.Metadata.Name},
		read:             app,
	}
	if c.outOfSync() && (app.Status.ReconciledAt == nil || c.Revision == "" && (len(c.Revisions) == 0 || slices.Contains(c.Revisions, ""))) {
		return comparedApplication{}, fmt.Errorf("Application %s: the event does not say what was compared, or when", c.key)
	}
	if app.Status.ReconciledAt != nil {
		c.reconciledAt = app.Status.ReconciledAt.Time
	}
	c.Object = &unstructured.Unstructured{Object: map[string]any{"spec": fields["spec"]}}
	c.Object.SetGroupVersionKind(argoapp.Kind("Application"))
	c.Object.SetNamespace(c.key.Namespace)
	c.Object.SetName(c.key.Name)
	subject, err := json.Marshal([]any{app.Metadata.UID, c.Revision, c.Revisions, fields["spec"]})
	if err != nil {
		return comparedApplication{}, fmt.Errorf("Application %s: %w", c.key, err)
	}
	c.subject = hashedName("gate", string(subject))
	return c, nil
}

func (c comparedApplication) outOfSync() bool { return c.read.Status.Sync.Status == outOfSync }

// busy reports whether the Application is being synced or deleted.
func (c comparedApplication) busy() bool {
	state := c.read.Status.OperationState
	return c.read.Metadata.DeletionTimestamp != nil || c.read.Operation != nil || state != nil && !state.Completed()
}

// operationStarted is when the last operation started, nil if there was none.
func (c comparedApplication) operationStarted() *time.Time {
	if state := c.read.Status.OperationState; state != nil {
		return &state.StartedAt.Time
	}
	return nil
}

// follows reports whether it was compared after the sync of the decision had ended. Times are precise to a second: what
// cannot be told apart does not count, and the next comparison will.
func (c comparedApplication) follows(decision GateDecision) bool {
	state := c.read.Status.OperationState
	if state == nil || state.FinishedAt == nil || !c.reconciledAt.After(state.FinishedAt.Time) {
		return false
	}
	return decision.OperationBefore == nil || state.StartedAt.After(*decision.OperationBefore)
}

// syncResult says how the last operation ended.
func (c comparedApplication) syncResult() string {
	state := c.read.Status.OperationState
	return fmt.Sprintf("out of sync, although the last operation %s: %s", state.Phase, state.Message)
}
