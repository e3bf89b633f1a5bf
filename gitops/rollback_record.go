package gitops

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// RollbackAnnotation on an Application records its rollback: how far it is, what it returned to, and what automated
// sync was. RestoreAutomation removes it.
const RollbackAnnotation = "gitops.backbone.dev/rollback"

// RollbackGuardsAnnotation on an ApplicationSet or an Application records, for each rolled back Application that it
// owns directly or through others, what the rollback has added to it. RestoreAutomation removes it.
const RollbackGuardsAnnotation = "gitops.backbone.dev/rollback-guards"

// RollbackPhase is how far a rollback is.
type RollbackPhase string

const (
	// RollbackSuspended means that the owners are guarded and automated sync is off.
	RollbackSuspended RollbackPhase = "Suspended"
	// RollbackRequested means that the sync of the earlier deployment is requested or runs.
	RollbackRequested RollbackPhase = "Requested"
	// RollbackSucceeded means that the earlier deployment is synced.
	RollbackSucceeded RollbackPhase = "Succeeded"
	// RollbackFailed means that the earlier deployment could not be synced.
	RollbackFailed RollbackPhase = "Failed"
	// RollbackRestoring means that automated sync is as it was before; some owners may still be guarded.
	RollbackRestoring RollbackPhase = "Restoring"
)

// RollbackStatus is what the Application's annotation says about its rollback.
type RollbackStatus struct {
	// Phase is empty when there is no rollback; owners may be guarded already.
	Phase RollbackPhase
	// HistoryID and Revisions of the deployment that is returned to.
	HistoryID int64
	Revisions []string
	// Automated is spec.syncPolicy.automated as it was before. Nil if there was none.
	Automated map[string]any
	// Owners that are guarded, from the top down.
	Owners []Resource
	// StartedAt is when automated sync was suspended; precise to a second.
	StartedAt time.Time
}

// RollbackStatus returns how far the rollback of an Application is. A malformed record is an *AnnotationError.
func (c *Client) RollbackStatus(ctx context.Context, name string) (RollbackStatus, error) {
	obj := c.application(name)
	if err := c.kube.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return RollbackStatus{}, fmt.Errorf("get Application %s/%s: %w", c.namespace, name, err)
	}
	record, err := rollbackRecordOf(obj)
	if record == nil || err != nil {
		return RollbackStatus{}, err
	}
	status := RollbackStatus{
		Phase: record.Phase, HistoryID: record.HistoryID, Revisions: record.Revisions, StartedAt: record.StartedAt,
	}
	for _, owner := range record.Owners {
		status.Owners = append(status.Owners, owner.resource())
	}
	if len(record.Automated) > 0 {
		if err := json.Unmarshal(record.Automated, &status.Automated); err != nil {
			return RollbackStatus{}, malformed(obj, RollbackAnnotation, err)
		}
	}
	return status, nil
}

// rollbackRecord is the value of RollbackAnnotation.
type rollbackRecord struct {
	Phase     RollbackPhase `json:"phase"`
	HistoryID int64         `json:"historyID"`
	Revisions []string      `json:"revisions,omitempty"`
	// Operation marks the requested operation in its info, so that it is recognised after a crash.
	Operation string `json:"operation,omitempty"`
	// Automated keeps an empty value apart from none.
	Automated json.RawMessage `json:"automated,omitempty"`
	Owners    []recordedOwner `json:"owners,omitempty"`
	StartedAt time.Time       `json:"startedAt"`
}

// recordedOwner is an ApplicationSet or an Application.
type recordedOwner struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (o recordedOwner) resource() Resource {
	return Resource{Group: argoapp.Group, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
}

func (r rollbackRecord) targets(deployment argoapp.Deployment) bool {
	return r.HistoryID == deployment.ID && slices.Equal(r.Revisions, revisions(deployment.Revision, deployment.Revisions))
}

// rollbackRecordOf returns nil if there is none.
func rollbackRecordOf(obj *unstructured.Unstructured) (*rollbackRecord, error) {
	text, found := obj.GetAnnotations()[RollbackAnnotation]
	if !found {
		return nil, nil
	}
	record := &rollbackRecord{}
	if err := json.Unmarshal([]byte(text), record); err != nil {
		return nil, malformed(obj, RollbackAnnotation, err)
	}
	return record, nil
}

// patch returns the merge patch that writes the record together with the step that it records.
func (r rollbackRecord) patch() (map[string]any, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{RollbackAnnotation: string(text)}}}, nil
}

func malformed(obj *unstructured.Unstructured, key string, cause error) error {
	return fmt.Errorf("read %s: %w", resourceOf(obj), &AnnotationError{
		Annotation: key, Value: obj.GetAnnotations()[key],
		Problem: fmt.Sprintf("is not what Rollback writes (%v): put it right or remove it", cause),
	})
}

func resourceOf(obj *unstructured.Unstructured) Resource {
	return Resource{Group: obj.GroupVersionKind().Group, Kind: obj.GetKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
}
