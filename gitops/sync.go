package gitops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// SyncRequest says what to sync. The zero value syncs everything to the revision that the Application follows, with the
// sync options and the retry of its sync policy.
type SyncRequest struct {
	// Revision to sync to. Default: the one that the Application follows. Only for an Application with one source.
	Revision string
	// Revisions to sync to, for an Application with several sources: one for each, in their order; "" is the one that
	// the Application follows. Default: those that the Application follows.
	Revisions []string
	// Prune deletes resources that have left the sources. Default: false.
	Prune bool
	// DryRun only reports what would be done. Default: false.
	DryRun bool
	// Resources to sync; no hooks run then, and the history does not record it. A resource without Namespace selects
	// every resource of its kind and name. Default: all.
	Resources []Resource
	// SkipHooks applies the resources without running hooks. Default: false.
	SkipHooks bool
	// Force deletes a resource that cannot be changed and creates it again. It has no effect on resources that are
	// applied on the server's side, unless they are replaced. Default: false.
	Force bool
	// Options in Argo CD's form "Key=value". Default: those of the Application's sync policy.
	Options []string
	// InitiatedBy is recorded as the one who asked. Default: "backbone".
	InitiatedBy string
}

// Validate reports every fault that is visible without the Application.
func (r SyncRequest) Validate() field.ErrorList {
	faults := object.Text(field.NewPath("revision"), r.Revision)
	if r.Revision != "" && len(r.Revisions) > 0 {
		faults = append(faults, field.Forbidden(field.NewPath("revisions"),
			"a request has a revision for one source or revisions for several, not both"))
	}
	for i, revision := range r.Revisions {
		faults = append(faults, object.Text(field.NewPath("revisions").Index(i), revision)...)
	}
	seen := map[Resource]bool{}
	for i, resource := range r.Resources {
		at := field.NewPath("resources").Index(i)
		if resource.Kind == "" {
			faults = append(faults, field.Required(at.Child("kind"), "a resource is selected by its kind and its name"))
		}
		if resource.Name == "" {
			faults = append(faults, field.Required(at.Child("name"), "a resource is selected by its kind and its name"))
		}
		if seen[resource] {
			faults = append(faults, field.Duplicate(at, resource.String()))
		}
		seen[resource] = true
	}
	keys := map[string]bool{}
	for i, option := range r.Options {
		at := field.NewPath("options").Index(i)
		key, value, _ := strings.Cut(option, "=")
		if key == "" || value == "" {
			faults = append(faults, field.Invalid(at, option, `must have the form "Key=value"`))
		} else if keys[key] {
			faults = append(faults, field.Duplicate(at, key))
		}
		keys[key] = true
		faults = append(faults, object.Text(at, option)...)
	}
	return append(faults, object.Text(field.NewPath("initiatedBy"), r.InitiatedBy)...)
}

// Sync asks Argo CD to sync an Application. It returns when the request is recorded; Wait with OperationDone waits for
// the end. While another operation is in progress it fails with an *OperationInProgressError.
//
// Like argocd-server it refuses, with a *SyncRefusedError, what would not run or not last: a sync of an Application that
// is being deleted, one that a sync window of the project forbids, and one to another revision than the Application
// follows while Argo CD syncs it on its own (a dry run may do that). An AppProject that cannot be read is passed over:
// the application controller, too, holds syncs back until the window opens, checks the project, its destinations and its
// kinds, and ends the operation with an error. Two checks of argocd-server have no counterpart here: its own RBAC
// (Kubernetes' RBAC on the Application decides) and its server-wide ban on the option Replace=true.
func (c *Client) Sync(ctx context.Context, name string, request SyncRequest) error {
	kind := argoapp.Kind("Application").GroupKind()
	if err := object.Invalid(kind, name, request.Validate()); err != nil {
		return fmt.Errorf("sync Application %s/%s: %w", c.namespace, name, err)
	}
	err := c.operate(ctx, name, func(obj *unstructured.Unstructured, app argoapp.Application) (map[string]any, error) {
		if err := object.Invalid(kind, name, request.validateFor(app.Spec)); err != nil {
			return nil, err
		}
		if err := request.refuseDetour(app); err != nil {
			return nil, err
		}
		return request.operation(obj, app), nil
	})
	if err != nil {
		return fmt.Errorf("sync Application %s/%s: %w", c.namespace, name, err)
	}
	return nil
}

// validateFor reports faults that depend on the Application's sources.
func (r SyncRequest) validateFor(spec argoapp.Spec) field.ErrorList {
	switch {
	case r.Revision != "" && spec.IsMultiSource():
		return field.ErrorList{field.Forbidden(field.NewPath("revision"),
			fmt.Sprintf("the Application has %d sources: use revisions, with one for each", len(spec.Sources)))}
	case len(r.Revisions) > 0 && !spec.IsMultiSource():
		return field.ErrorList{field.Forbidden(field.NewPath("revisions"), "the Application has one source: use revision")}
	case len(r.Revisions) > 0 && len(r.Revisions) != len(spec.Sources):
		fault := fmt.Sprintf(`must have one entry for each of the Application's %d sources; "" is the one it follows`, len(spec.Sources))
		return field.ErrorList{field.Invalid(field.NewPath("revisions"), r.Revisions, fault)}
	}
	return nil
}

// refuseDetour refuses another revision than the followed one where automation would undo it.
// argo-cd: server/application/application.go, resolveSourceRevisions.
func (r SyncRequest) refuseDetour(app argoapp.Application) error {
	if r.DryRun || !app.Spec.IsAutomated() {
		return nil
	}
	asked := r.Revisions
	if r.Revision != "" {
		asked = []string{r.Revision}
	}
	// The number of revisions was validated before; an Application without any source has none.
	follows := app.Spec.FollowedRevisions()
	for i := range min(len(asked), len(follows)) {
		if asked[i] != "" && asked[i] != follows[i] {
			return &SyncRefusedError{Namespace: app.Metadata.Namespace, Name: app.Metadata.Name, Reason: RefusedAutomated,
				Detail: fmt.Sprintf("it is synced automatically to %q, not to %q; suspend the automation or change the declaration",
					follows[i], asked[i])}
		}
	}
	return nil
}

// operation returns the request in Argo CD's form. argocd-server fills in sync options and retry from the sync policy
// when it makes an operation; the controller does not, so it is done here.
func (r SyncRequest) operation(obj *unstructured.Unstructured, app argoapp.Application) map[string]any {
	var options any = r.Options
	if len(r.Options) == 0 {
		options, _, _ = unstructured.NestedFieldNoCopy(obj.Object, "spec", "syncPolicy", "syncOptions")
	}
	retry, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "spec", "syncPolicy", "retry")
	var resources []map[string]any
	for _, resource := range r.Resources {
		fields := object.Compact(map[string]any{"group": resource.Group, "namespace": resource.Namespace})
		fields["kind"], fields["name"] = resource.Kind, resource.Name
		resources = append(resources, fields)
	}
	operation := object.Compact(map[string]any{"retry": retry})
	operation["initiatedBy"] = map[string]any{"username": orDefault(r.InitiatedBy, "backbone")}
	sync := object.Compact(map[string]any{
		"revision":     r.Revision,
		"prune":        r.Prune,
		"dryRun":       r.DryRun,
		"resources":    resources,
		"syncOptions":  options,
		"syncStrategy": r.strategy(),
	})
	if len(r.Revisions) > 0 {
		sync["sources"], sync["revisions"] = r.sources(obj, app.Spec)
	}
	// An empty sync is a sync of everything, so the key stays.
	operation["sync"] = sync
	return operation
}

// strategy returns Argo CD's sync strategy; hooks are its default.
func (r SyncRequest) strategy() map[string]any {
	force := object.Compact(map[string]any{"force": r.Force})
	switch {
	case r.SkipHooks:
		return map[string]any{"apply": force}
	case r.Force:
		return map[string]any{"hook": force}
	default:
		return nil
	}
}

// sources returns the declared sources at the requested revisions, and these revisions. Argo CD 2.14 reads the revision
// of a source that others refer to from the one or from the other, so both say the same (argo-cd: util/argo/argo.go,
// GetRefSources).
func (r SyncRequest) sources(obj *unstructured.Unstructured, spec argoapp.Spec) ([]any, []string) {
	declared, _, _ := unstructured.NestedSlice(obj.Object, "spec", "sources")
	revisions := slices.Clone(r.Revisions)
	for i, source := range declared {
		if revisions[i] == "" {
			revisions[i] = spec.Sources[i].TargetRevision
		}
		if fields, isMap := source.(map[string]any); isMap && revisions[i] != "" {
			fields["targetRevision"] = revisions[i]
		}
	}
	return declared, revisions
}
