// Package argoapp reads Argo CD's Application resources: the part of the resource that says what was compared, what
// runs and what ran. It models the fields that Backbone uses of argo-cd's pkg/apis/application/v1alpha1, because
// importing that package costs more than a thousand others.
package argoapp

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group and Version of Argo CD's resources.
const (
	Group   = "argoproj.io"
	Version = "v1alpha1"
)

// DefaultNamespace is where Argo CD's upstream manifests install it.
const DefaultNamespace = "argocd"

// InClusterServer is Argo CD's name for the cluster that it runs in.
const InClusterServer = "https://kubernetes.default.svc"

// RefreshAnnotation asks the application controller to compare again; it removes the annotation when it has done so.
const RefreshAnnotation = "argocd.argoproj.io/refresh"

// ResourcesFinalizer makes the deletion of an Application delete what it deployed. The other two do the same and say
// how; the first of them that an Application has counts.
// argo-cd: pkg/apis/application/v1alpha1/application_defaults.go
const (
	ResourcesFinalizer           = "resources-finalizer.argocd.argoproj.io"
	ForegroundResourcesFinalizer = ResourcesFinalizer + "/foreground"
	BackgroundResourcesFinalizer = ResourcesFinalizer + "/background"
)

// Kind returns the full kind of one of Argo CD's resources.
func Kind(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: Group, Version: Version, Kind: kind}
}

// Application is what Backbone reads of an Application.
type Application struct {
	Metadata  Metadata   `json:"metadata"`
	Spec      Spec       `json:"spec"`
	Operation *Operation `json:"operation"`
	Status    Status     `json:"status"`
}

// Metadata is the part of the metadata that identifies the Application, asks for a refresh, and says who owns it and
// what happens when it is deleted.
type Metadata struct {
	Name              string                  `json:"name"`
	Namespace         string                  `json:"namespace"`
	UID               string                  `json:"uid"`
	ResourceVersion   string                  `json:"resourceVersion"`
	Annotations       map[string]string       `json:"annotations"`
	Finalizers        []string                `json:"finalizers"`
	DeletionTimestamp *metav1.Time            `json:"deletionTimestamp"`
	OwnerReferences   []metav1.OwnerReference `json:"ownerReferences"`
}

// Operation is a requested or running operation.
type Operation struct {
	Sync        *SyncOperation `json:"sync"`
	InitiatedBy InitiatedBy    `json:"initiatedBy"`
}

// SyncOperation is a sync; Resources is empty when everything is synced.
type SyncOperation struct {
	Revision  string        `json:"revision"`
	Revisions []string      `json:"revisions"`
	Prune     bool          `json:"prune"`
	DryRun    bool          `json:"dryRun"`
	Resources []ResourceRef `json:"resources"`
	// SelfHealAttempts counts self-heal syncs in a row; a later sync to a new revision carries the number on.
	SelfHealAttempts int64 `json:"autoHealAttemptsCount"`
}

// InitiatedBy says who started an operation.
type InitiatedBy struct {
	Username  string `json:"username"`
	Automated bool   `json:"automated"`
}

// ResourceRef names one resource; a sync operation's references may lack the namespace.
type ResourceRef struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Status is the Application's status.
type Status struct {
	Resources      []Resource      `json:"resources"`
	Sync           Sync            `json:"sync"`
	Health         Health          `json:"health"`
	History        []Deployment    `json:"history"`
	Conditions     []Condition     `json:"conditions"`
	ReconciledAt   *metav1.Time    `json:"reconciledAt"`
	OperationState *OperationState `json:"operationState"`
	Summary        Summary         `json:"summary"`
}

// Summary says what the deployed resources use and where they are reached.
type Summary struct {
	Images       []string `json:"images"`
	ExternalURLs []string `json:"externalURLs"`
}

// Resource is one managed resource as last compared.
type Resource struct {
	Group           string  `json:"group"`
	Version         string  `json:"version"`
	Kind            string  `json:"kind"`
	Namespace       string  `json:"namespace"`
	Name            string  `json:"name"`
	Status          string  `json:"status"`
	Health          *Health `json:"health"`
	RequiresPruning bool    `json:"requiresPruning"`
}

// Sync is the result of the last comparison.
type Sync struct {
	Status     string     `json:"status"`
	Revision   string     `json:"revision"`
	Revisions  []string   `json:"revisions"`
	ComparedTo ComparedTo `json:"comparedTo"`
}

// ComparedTo is the declaration that the live state was compared to.
type ComparedTo struct {
	Source  map[string]any   `json:"source"`
	Sources []map[string]any `json:"sources"`
}

// Health is a health assessment.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Deployment is one entry of the history: a complete, successful sync.
type Deployment struct {
	ID              int64            `json:"id"`
	Revision        string           `json:"revision"`
	Revisions       []string         `json:"revisions"`
	Source          map[string]any   `json:"source"`
	Sources         []map[string]any `json:"sources"`
	DeployStartedAt *metav1.Time     `json:"deployStartedAt"`
	DeployedAt      metav1.Time      `json:"deployedAt"`
	InitiatedBy     InitiatedBy      `json:"initiatedBy"`
}

// Condition is a problem that Argo CD found with the Application.
type Condition struct {
	Type               string       `json:"type"`
	Message            string       `json:"message"`
	LastTransitionTime *metav1.Time `json:"lastTransitionTime"`
}

// OperationState is the running or the last operation.
type OperationState struct {
	Operation  Operation    `json:"operation"`
	Phase      string       `json:"phase"`
	Message    string       `json:"message"`
	StartedAt  metav1.Time  `json:"startedAt"`
	FinishedAt *metav1.Time `json:"finishedAt"`
	RetryCount int64        `json:"retryCount"`
	SyncResult *SyncResult  `json:"syncResult"`
}

// SyncResult lists what a sync did.
type SyncResult struct {
	Revision  string           `json:"revision"`
	Revisions []string         `json:"revisions"`
	Resources []ResourceResult `json:"resources"`
}

// ResourceResult is what a sync did with one resource.
type ResourceResult struct {
	Group     string `json:"group"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Status    string `json:"status"`
	Message   string `json:"message"`
	HookPhase string `json:"hookPhase"`
}

// Read decodes an Application; fields that Backbone does not know are ignored.
func Read(obj *unstructured.Unstructured) (Application, error) {
	var app Application
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &app); err != nil {
		return Application{}, fmt.Errorf("read Application %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
	}
	return app, nil
}

// Completed reports whether an operation has ended (sync-waves, hooks and retries included).
func (s OperationState) Completed() bool {
	return s.Phase == "Succeeded" || s.Phase == "Failed" || s.Phase == "Error"
}
