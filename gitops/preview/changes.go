package preview

import (
	"cmp"
	"slices"
)

// Changes are what a commit does to the Applications of a set of repositories, and to what they deploy. Lists are
// ordered by namespace and name, and their JSON form is stable. Values of Secrets and passwords in URLs are not in it.
type Changes struct {
	// Added Applications are new at the head.
	Added []ApplicationChange `json:"added"`
	// Changed Applications are at the base and at the head, and differ in their object or in what they deploy.
	Changed []ApplicationChange `json:"changed"`
	// Deleted Applications are no longer at the head. Outcome says what becomes of each.
	Deleted []ApplicationChange `json:"deleted"`
	// Failures are Applications that could not be rendered: what they deploy is unknown.
	Failures []Failure `json:"failures"`
}

// ApplicationChange is what becomes of one Application.
type ApplicationChange struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Project and Destination are those at the head, or at the base for a deleted Application. Destination is
	// "cluster/namespace".
	Project     string `json:"project"`
	Destination string `json:"destination"`
	// ApplicationSet that generates the Application, and Parent: the Application that deploys it or its ApplicationSet,
	// as "namespace/name". Empty without one.
	ApplicationSet string `json:"applicationSet,omitempty"`
	Parent         string `json:"parent,omitempty"`
	// RenamedFrom and RenamedTo pair an addition with the deletion of an Application that deployed the same, as
	// "namespace/name".
	RenamedFrom string `json:"renamedFrom,omitempty"`
	RenamedTo   string `json:"renamedTo,omitempty"`
	// Outcome of the Application itself.
	Outcome Outcome `json:"outcome"`
	// Fields of the Application's object that differ; none for one that is added or deleted.
	Fields []FieldChange `json:"fields"`
	// Resources that the Application deploys, deployed or would deploy differently. None unless both sides are rendered.
	Resources []ResourceChange `json:"resources"`
	// Warnings, the worst first.
	Warnings []Warning `json:"warnings"`
}

// ResourceChange is what becomes of one resource of an Application.
type ResourceChange struct {
	Group     string `json:"group"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Change is what differs in the sources.
	Change Change `json:"change"`
	// Outcome is what becomes of the resource in the cluster.
	Outcome Outcome `json:"outcome"`
	// Fields that differ in a changed resource.
	Fields []FieldChange `json:"fields"`
}

// FieldChange is one field that differs.
type FieldChange struct {
	// Path such as `spec.containers[name=app].image`: items of lists are named by what identifies them, if anything.
	Path string `json:"path"`
	// Old and New values; nil where the field is absent, and for hidden ones.
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
	// Hidden says that the values are secret.
	Hidden bool `json:"hidden,omitempty"`
}

// Change is how a resource differs between base and head.
type Change string

// The ways in which resources differ.
const (
	Added   Change = "added"
	Changed Change = "changed"
	Removed Change = "removed"
)

// Outcome is what becomes of an Application or a resource in the cluster.
type Outcome string

// The outcomes, from argo-cd's controller/appcontroller.go and gitops-engine's pkg/sync.
const (
	// Creates and Updates happen without anybody's doing: the sync is automated.
	Creates Outcome = "creates"
	Updates Outcome = "updates"
	// Deletes happens without anybody's doing.
	Deletes Outcome = "deletes"
	// Leaves means that the object stays in the cluster, and that nothing looks after it any more.
	Leaves Outcome = "leaves"
	// AwaitsSync means that the Application is out of sync until somebody syncs it.
	AwaitsSync Outcome = "awaitsSync"
	// AwaitsPrune means that the Application is out of sync until somebody syncs it with prune.
	AwaitsPrune Outcome = "awaitsPrune"
	// AwaitsConfirmation means that Argo CD deletes it as soon as somebody confirms.
	AwaitsConfirmation Outcome = "awaitsConfirmation"
	// RunsAsHook means that it is a hook: it runs in a sync, and is not pruned.
	RunsAsHook Outcome = "runsAsHook"
)

// Severity of a [Warning].
type Severity string

// The severities, the worst first.
const (
	// Critical is the loss of data or of what others depend on: Namespaces, CustomResourceDefinitions, volumes.
	Critical Severity = "critical"
	// Danger is a deletion, or something left behind.
	Danger Severity = "danger"
	// Notice is a change of behaviour that a reviewer should know of.
	Notice Severity = "notice"
)

// Warning is what a reviewer must not overlook.
type Warning struct {
	Severity Severity    `json:"severity"`
	Code     WarningCode `json:"code"`
	Message  string      `json:"message"`
}

// WarningCode identifies the kind of a [Warning]. It does not change its meaning.
type WarningCode string

// The kinds of warnings.
const (
	// DeletesData is the deletion of a Namespace, CustomResourceDefinition, PersistentVolume or PersistentVolumeClaim.
	DeletesData WarningCode = "deletesData"
	// DeletesResources is the deletion of an Application that deletes what it deployed.
	DeletesResources WarningCode = "deletesResources"
	// LeavesResources is the deletion of an Application, or its move, that leaves behind what it deployed.
	LeavesResources WarningCode = "leavesResources"
	// ApplicationStays is an Application that stays in the cluster although nothing declares it any more.
	ApplicationStays WarningCode = "applicationStays"
	// Prunes is an Application that deletes resources that left its sources.
	Prunes WarningCode = "prunes"
	// PruneAwaited is an Application that keeps resources that left its sources until somebody acts.
	PruneAwaited WarningCode = "pruneAwaited"
	// SyncRefused is an Application that nothing is left of, which Argo CD does not sync unless allowEmpty is set.
	SyncRefused WarningCode = "syncRefused"
	// Renamed is a deletion and an addition that deploy the same.
	Renamed WarningCode = "renamed"
	// Moved is an Application that changes its cluster, namespace or project.
	Moved WarningCode = "moved"
	// OwnerChanged is an Application that another ApplicationSet generates, or none any more.
	OwnerChanged WarningCode = "ownerChanged"
	// HandedOver is a resource that another Application deploys from now on.
	HandedOver WarningCode = "handedOver"
	// AutomationChanged is automated sync, prune or self-heal turned on or off.
	AutomationChanged WarningCode = "automationChanged"
	// NotRendered is an Application whose resources are unknown.
	NotRendered WarningCode = "notRendered"
)

// Failure is an Application that could not be rendered.
type Failure struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Side is "base" or "head".
	Side string `json:"side"`
	// Error says why.
	Error string `json:"error"`
}

// Empty reports whether nothing differs.
func (c Changes) Empty() bool { return len(c.Added)+len(c.Changed)+len(c.Deleted) == 0 }

// Deletions counts the Applications and the resources that are deleted without anybody's doing once the commit is
// merged.
func (c Changes) Deletions() (applications, resources int) {
	for _, change := range slices.Concat(c.Changed, c.Deleted) {
		if change.Outcome == Deletes {
			applications++
		}
		for _, resource := range change.Resources {
			if resource.Outcome == Deletes {
				resources++
			}
		}
	}
	return applications, resources
}

// sortWarnings puts the worst first.
func sortWarnings(warnings []Warning) {
	rank := []Severity{Critical, Danger, Notice}
	slices.SortStableFunc(warnings, func(a, b Warning) int {
		return cmp.Compare(slices.Index(rank, a.Severity), slices.Index(rank, b.Severity))
	})
}
