package gitops

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// ApplicationStatus is what Argo CD says about an Application.
type ApplicationStatus struct {
	Namespace string
	Name      string
	// UID tells an Application from an earlier one of the same name.
	UID types.UID
	// Project that limits what the Application may deploy.
	Project string
	// ApplicationSet that generates the Application. Empty if none does.
	ApplicationSet string
	// Automated is true when Argo CD syncs the Application on its own.
	Automated bool
	// Deleting is true from the request of the deletion until the Application is gone.
	Deleting bool
	// Sync is the result of the last comparison: SyncStatusSynced, SyncStatusOutOfSync, SyncStatusUnknown, or empty
	// before the first.
	Sync SyncStatus
	// Revisions that were compared: one for each source.
	Revisions []string
	// Health of the deployed resources, and Argo CD's explanation if it has one.
	Health        HealthStatus
	HealthMessage string
	// Conditions are the problems that Argo CD found.
	Conditions []ApplicationCondition
	// Resources that the Application manages.
	Resources []ResourceStatus
	// Operation is the running or the last operation. Nil before the first.
	Operation *OperationStatus
	// OperationPending is true from the request of an operation until it has ended.
	OperationPending bool
	// RefreshPending is true from the request of a refresh until Argo CD has compared again.
	RefreshPending bool
	// ReconciledAt is when Argo CD last compared. Zero before the first time; precise to a second.
	ReconciledAt time.Time
	// History of the deployments, newest first.
	History []HistoryEntry
	// Images that the deployed resources run, and ExternalURLs under which they are reached.
	Images       []string
	ExternalURLs []string
}

// SyncStatus is the result of a comparison.
type SyncStatus string

// The results that Argo CD knows.
const (
	SyncStatusSynced    SyncStatus = "Synced"
	SyncStatusOutOfSync SyncStatus = "OutOfSync"
	SyncStatusUnknown   SyncStatus = "Unknown"
)

// HealthStatus is Argo CD's assessment of resources.
type HealthStatus string

// The assessments that Argo CD knows.
const (
	HealthStatusHealthy     HealthStatus = "Healthy"
	HealthStatusProgressing HealthStatus = "Progressing"
	HealthStatusDegraded    HealthStatus = "Degraded"
	HealthStatusSuspended   HealthStatus = "Suspended"
	HealthStatusMissing     HealthStatus = "Missing"
	HealthStatusUnknown     HealthStatus = "Unknown"
)

// OperationPhase is how far an operation is.
type OperationPhase string

// The phases that Argo CD knows.
const (
	PhaseRunning     OperationPhase = "Running"
	PhaseTerminating OperationPhase = "Terminating"
	PhaseSucceeded   OperationPhase = "Succeeded"
	PhaseFailed      OperationPhase = "Failed"
	PhaseError       OperationPhase = "Error"
)

// ApplicationCondition is a problem that Argo CD found with an Application.
type ApplicationCondition struct {
	// Type, such as "ComparisonError" or "InvalidSpecError".
	Type    string
	Message string
	// Since is when Argo CD first found it. Zero when Argo CD does not say.
	Since time.Time
}

// ResourceStatus is one managed resource as last compared.
type ResourceStatus struct {
	Resource Resource
	Sync     SyncStatus
	// Health is empty for kinds that Argo CD does not assess.
	Health        HealthStatus
	HealthMessage string
	// RequiresPruning is true for a resource that has left the sources.
	RequiresPruning bool
}

// Resource names a Kubernetes resource.
type Resource struct {
	Group     string
	Kind      string
	Namespace string
	Name      string
}

// String returns "Deployment.apps namespace/name".
func (r Resource) String() string {
	kind, name := r.Kind, r.Name
	if r.Group != "" {
		kind += "." + r.Group
	}
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return kind + " " + name
}

// OperationStatus is a sync that runs or has ended.
type OperationStatus struct {
	Phase   OperationPhase
	Message string
	// Revisions that were synced, or are to be: one for each source.
	Revisions []string
	// Automated is true when Argo CD itself started it, otherwise InitiatedBy says who did.
	Automated   bool
	InitiatedBy string
	// StartedAt and FinishedAt are precise to a second. Zero when not reached yet.
	StartedAt  time.Time
	FinishedAt time.Time
	// Retries so far.
	Retries int64
	// Results for each resource that was synced.
	Results []ResourceResult
}

// ResourceResult is what a sync did with one resource.
type ResourceResult struct {
	Resource Resource
	// Status is "Synced", "SyncFailed", "Pruned" or "PruneSkipped", or empty for a hook.
	Status  string
	Message string
}

func statusOf(app argoapp.Application) ApplicationStatus {
	status := ApplicationStatus{
		Namespace:        app.Metadata.Namespace,
		Name:             app.Metadata.Name,
		UID:              types.UID(app.Metadata.UID),
		Project:          app.Spec.ProjectName(),
		ApplicationSet:   app.Metadata.OwningApplicationSet(),
		Automated:        app.Spec.IsAutomated(),
		Deleting:         app.Metadata.DeletionTimestamp != nil,
		Sync:             SyncStatus(app.Status.Sync.Status),
		Revisions:        revisions(app.Status.Sync.Revision, app.Status.Sync.Revisions),
		Health:           HealthStatus(app.Status.Health.Status),
		HealthMessage:    app.Status.Health.Message,
		OperationPending: app.Operation != nil,
		Operation:        operationOf(app),
		ReconciledAt:     timeOf(app.Status.ReconciledAt),
		History:          historyOf(app),
		Images:           app.Status.Summary.Images,
		ExternalURLs:     app.Status.Summary.ExternalURLs,
	}
	_, status.RefreshPending = app.Metadata.Annotations[argoapp.RefreshAnnotation]
	for _, condition := range app.Status.Conditions {
		status.Conditions = append(status.Conditions, ApplicationCondition{
			Type: condition.Type, Message: condition.Message, Since: timeOf(condition.LastTransitionTime),
		})
	}
	for _, resource := range app.Status.Resources {
		status.Resources = append(status.Resources, resourceStatusOf(resource))
	}
	return status
}

func resourceStatusOf(resource argoapp.Resource) ResourceStatus {
	out := ResourceStatus{
		Resource:        Resource{Group: resource.Group, Kind: resource.Kind, Namespace: resource.Namespace, Name: resource.Name},
		Sync:            SyncStatus(resource.Status),
		RequiresPruning: resource.RequiresPruning,
	}
	if resource.Health != nil {
		out.Health, out.HealthMessage = HealthStatus(resource.Health.Status), resource.Health.Message
	}
	return out
}

func operationOf(app argoapp.Application) *OperationStatus {
	state := app.Status.OperationState
	if state == nil {
		return nil
	}
	out := &OperationStatus{
		Phase:       OperationPhase(state.Phase),
		Message:     state.Message,
		Automated:   state.Operation.InitiatedBy.Automated,
		InitiatedBy: state.Operation.InitiatedBy.Username,
		StartedAt:   state.StartedAt.Time,
		FinishedAt:  timeOf(state.FinishedAt),
		Retries:     state.RetryCount,
	}
	if state.Operation.Sync != nil {
		out.Revisions = revisions(state.Operation.Sync.Revision, state.Operation.Sync.Revisions)
	}
	if state.SyncResult != nil {
		out.Revisions = revisions(state.SyncResult.Revision, state.SyncResult.Revisions)
		for _, result := range state.SyncResult.Resources {
			out.Results = append(out.Results, ResourceResult{
				Resource: Resource{Group: result.Group, Kind: result.Kind, Namespace: result.Namespace, Name: result.Name},
				Status:   result.Status,
				Message:  result.Message,
			})
		}
	}
	return out
}

// failures returns the messages of the resources that could not be synced.
func (o *OperationStatus) failures() string {
	var messages []string
	for _, result := range o.Results {
		if result.Status == "SyncFailed" {
			messages = append(messages, result.Resource.String()+": "+result.Message)
		}
	}
	return strings.Join(messages, "; ")
}

func revisions(one string, several []string) []string {
	if len(several) > 0 {
		return slices.Clone(several)
	}
	if one == "" {
		return nil
	}
	return []string{one}
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
