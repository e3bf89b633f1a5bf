package preview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/gitops"
)

// Compare tells what becomes of the Applications when the sources go from base to head. With both states rendered (see
// [Render]) it reaches the resources. The states are not changed.
func Compare(base, head *State) Changes {
	c := comparison{base: index(base), head: index(head), fates: map[string]Outcome{}}
	c.policies = policies(head)
	c.takers = takers(head)
	changes := Changes{Added: []ApplicationChange{}, Changed: []ApplicationChange{}, Deleted: []ApplicationChange{}, Failures: []Failure{}}
	for _, name := range names(keys(c.base), keys(c.head)) {
		before, after := c.base[name], c.head[name]
		if unknown := c.unknown(before, after); unknown != nil {
			changes.Failures = append(changes.Failures, *unknown)
			continue
		}
		switch {
		case before == nil:
			changes.Added = append(changes.Added, c.added(after))
		case after == nil:
			changes.Deleted = append(changes.Deleted, c.deleted(before))
		default:
			if change := c.changed(before, after); len(change.Fields)+len(change.Resources)+len(change.Warnings) > 0 {
				changes.Changed = append(changes.Changed, change)
			}
		}
		changes.Failures = append(changes.Failures, failures(before, after)...)
	}
	c.pairRenames(&changes)
	for _, list := range [][]ApplicationChange{changes.Added, changes.Changed, changes.Deleted} {
		for i := range list {
			sortWarnings(list[i].Warnings)
		}
	}
	return changes
}

// comparison is what the parts of Compare share.
type comparison struct {
	base, head map[string]*Application
	// policies of the ApplicationSets at the head, by namespace and name.
	policies map[string]gitops.ApplicationsSync
	// takers are the Applications at the head that deploy a resource, by cluster and resource.
	takers map[string]string
	// fates of the deleted Applications that are known so far.
	fates map[string]Outcome
}

func index(state *State) map[string]*Application {
	out := map[string]*Application{}
	if state == nil {
		return out
	}
	for i := range state.Applications {
		if app := &state.Applications[i]; app.Object != nil {
			out[qualified(app.Object)] = app
		}
	}
	return out
}

func keys(apps map[string]*Application) map[string]any {
	out := make(map[string]any, len(apps))
	for name := range apps {
		out[name] = nil
	}
	return out
}

// qualified is an object's "namespace/name".
func qualified(obj *unstructured.Unstructured) string {
	return obj.GetNamespace() + "/" + obj.GetName()
}

func policies(state *State) map[string]gitops.ApplicationsSync {
	out := map[string]gitops.ApplicationsSync{}
	for _, app := range index(state) {
		if app.ApplicationSet != "" {
			out[app.Object.GetNamespace()+"/"+app.ApplicationSet] = app.ApplicationsSync
		}
	}
	return out
}

func takers(state *State) map[string]string {
	out := map[string]string{}
	apps := index(state)
	for _, name := range names(keys(apps), nil) {
		for _, resource := range apps[name].Resources {
			if resource != nil && !isHook(resource) {
				out[cluster(apps[name])+" "+keyOf(resource).String()] = name
			}
		}
	}
	return out
}

// resourceKey identifies a resource of an Application, whatever its version, as gitops-engine does.
type resourceKey struct {
	schema.GroupKind
	Namespace, Name string
}

func keyOf(obj *unstructured.Unstructured) resourceKey {
	return resourceKey{GroupKind: obj.GroupVersionKind().GroupKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// String returns "Kind.group namespace/name".
func (k resourceKey) String() string {
	if k.Namespace == "" {
		return k.GroupKind.String() + " " + k.Name
	}
	return k.GroupKind.String() + " " + k.Namespace + "/" + k.Name
}

func (c comparison) added(app *Application) ApplicationChange {
	change := describe(app)
	change.Outcome = Creates
	for _, resource := range inOrder(app.Resources) {
		change.Resources = append(change.Resources, resourceChange(resource, Added, syncOutcome(app, resource, Creates)))
	}
	return change
}

func (c comparison) changed(before, after *Application) ApplicationChange {
	change := describe(after)
	change.Outcome = Updates
	change.Fields = append(change.Fields, diffObjects(before.Object, after.Object)...)
	if policy := after.ApplicationsSync; after.ApplicationSet != "" && len(change.Fields) > 0 &&
		(policy == gitops.CreateOnly || policy == gitops.CreateDelete) {
		// argo-cd: docs/operator-manual/applicationset/Controlling-Resource-Modification.md
		change.Outcome = Leaves
		change.warn(Notice, ApplicationStays, "the ApplicationSet's policy %s keeps the Application as it is", policy)
	}
	if (before.RenderError == nil) != (after.RenderError == nil) {
		change.warn(Notice, NotRendered, "what changes in its resources is unknown: it could not be rendered at the %s", side(after.RenderError != nil))
	}
	if before.Resources != nil && after.Resources != nil {
		change.Resources = append(change.Resources, c.resources(before, after)...)
	}
	c.warnOfChange(&change, before, after)
	return change
}

// resources returns the differences between the resources of two versions of an Application.
func (c comparison) resources(before, after *Application) []ResourceChange {
	old := byKey(before.Resources)
	kept := map[resourceKey]bool{}
	var changes []ResourceChange
	for _, resource := range inOrder(after.Resources) {
		key := keyOf(resource)
		kept[key] = true
		was := old[key]
		if was == nil {
			changes = append(changes, resourceChange(resource, Added, syncOutcome(after, resource, Creates)))
			continue
		}
		if fields := diffObjects(was, resource); len(fields) > 0 {
			change := resourceChange(resource, Changed, syncOutcome(after, resource, Updates))
			change.Fields = fields
			changes = append(changes, change)
		}
	}
	for _, resource := range inOrder(before.Resources) {
		if !kept[keyOf(resource)] {
			changes = append(changes, resourceChange(resource, Removed, c.pruned(before, after, resource)))
		}
	}
	return changes
}

func (c comparison) deleted(app *Application) ApplicationChange {
	change := describe(app)
	change.Outcome = c.fate(app)
	for _, resource := range inOrder(app.Resources) {
		change.Resources = append(change.Resources, resourceChange(resource, Removed, c.cascaded(app, resource)))
	}
	c.warnOfDeletion(&change, app)
	return change
}

func describe(app *Application) ApplicationChange {
	project, _, _ := unstructured.NestedString(app.Object.Object, "spec", "project")
	namespace, _, _ := unstructured.NestedString(app.Object.Object, "spec", "destination", "namespace")
	return ApplicationChange{
		Namespace: app.Object.GetNamespace(), Name: app.Object.GetName(), Project: project,
		Destination:    maskText(cluster(app)) + "/" + namespace,
		ApplicationSet: app.ApplicationSet, Parent: app.Parent,
		Fields: []FieldChange{}, Resources: []ResourceChange{}, Warnings: []Warning{},
	}
}

func (a *ApplicationChange) warn(severity Severity, code WarningCode, format string, arguments ...any) {
	a.Warnings = append(a.Warnings, Warning{Severity: severity, Code: code, Message: maskText(fmt.Sprintf(format, arguments...))})
}

func resourceChange(obj *unstructured.Unstructured, change Change, outcome Outcome) ResourceChange {
	gvk := obj.GroupVersionKind()
	return ResourceChange{
		Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: obj.GetNamespace(), Name: resourceName(obj),
		Change: change, Outcome: outcome, Fields: []FieldChange{},
	}
}

func resourceName(obj *unstructured.Unstructured) string {
	return cmp.Or(obj.GetName(), obj.GetGenerateName()+"*")
}

// cluster of the Application's destination, by server or name.
func cluster(app *Application) string {
	server, _, _ := unstructured.NestedString(app.Object.Object, "spec", "destination", "server")
	name, _, _ := unstructured.NestedString(app.Object.Object, "spec", "destination", "name")
	return cmp.Or(server, name)
}

func byKey(resources []*unstructured.Unstructured) map[resourceKey]*unstructured.Unstructured {
	out := make(map[resourceKey]*unstructured.Unstructured, len(resources))
	for _, resource := range resources {
		if resource != nil {
			out[keyOf(resource)] = resource
		}
	}
	return out
}

// inOrder returns the resources by kind, namespace and name.
func inOrder(resources []*unstructured.Unstructured) []*unstructured.Unstructured {
	out := slices.DeleteFunc(slices.Clone(resources), func(obj *unstructured.Unstructured) bool { return obj == nil })
	slices.SortStableFunc(out, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(strings.Compare(a.GetKind(), b.GetKind()), strings.Compare(keyOf(a).String(), keyOf(b).String()))
	})
	return out
}
