package preview

import (
	"slices"
	"strings"

	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/argoapp"
)

// syncPolicy is what decides on the outcome of a sync.
type syncPolicy struct{ automated, prune, selfHeal, allowEmpty bool }

func policyOf(app *Application) syncPolicy {
	automated, found, _ := unstructured.NestedFieldNoCopy(app.Object.Object, "spec", "syncPolicy", "automated")
	settings, _ := automated.(map[string]any)
	if !found || automated == nil || settings["enabled"] == false { // "enabled" since Argo CD 3.1
		return syncPolicy{}
	}
	return syncPolicy{automated: true, prune: settings["prune"] == true, selfHeal: settings["selfHeal"] == true,
		allowEmpty: settings["allowEmpty"] == true}
}

// syncOutcome is what becomes of a resource that is new or different.
func syncOutcome(app *Application, resource *unstructured.Unstructured, done Outcome) Outcome {
	switch {
	case isHook(resource):
		return RunsAsHook
	case policyOf(app).automated:
		return done
	}
	return AwaitsSync
}

// pruned is what becomes of a resource that an Application no longer has (gitops-engine: pkg/sync/sync_context.go).
func (c comparison) pruned(before, after *Application, resource *unstructured.Unstructured) Outcome {
	policy := policyOf(after)
	switch {
	case isHook(resource):
		return RunsAsHook
	case cluster(before) != cluster(after), annotated(resource, syncOptionsAnnotation, "Prune=false"):
		return Leaves
	case !policy.automated, !policy.prune, emptied(after) && !policy.allowEmpty:
		return AwaitsPrune
	case annotated(resource, syncOptionsAnnotation, "Prune=confirm"):
		return AwaitsConfirmation
	}
	return Deletes
}

// emptied reports whether nothing is left to deploy: argo-cd's controller/appcontroller.go refuses such an automated
// sync.
func emptied(app *Application) bool { return deployed(app) == 0 }

// cascaded is what becomes of a resource of an Application that is no longer declared (argo-cd:
// controller/appcontroller.go, finalizeApplicationDeletion and shouldBeDeleted).
func (c comparison) cascaded(app *Application, resource *unstructured.Unstructured) Outcome {
	fate := c.fate(app)
	switch {
	case isHook(resource):
		return RunsAsHook
	case fate == AwaitsPrune, fate == AwaitsConfirmation:
		return fate
	case fate != Deletes, !cascades(app), isDefinition(resource),
		annotated(resource, syncOptionsAnnotation, "Delete=false"), annotated(resource, "helm.sh/resource-policy", "keep"):
		return Leaves
	case slices.ContainsFunc(app.Resources, func(obj *unstructured.Unstructured) bool {
		return obj != nil && annotated(obj, syncOptionsAnnotation, "Delete=confirm")
	}):
		return AwaitsConfirmation
	}
	return Deletes
}

// fate is what becomes of an Application that is no longer declared: its ApplicationSet, the Application that deploys
// it, or whoever applied it decides.
func (c comparison) fate(app *Application) Outcome {
	name := qualified(app.Object)
	if known, ok := c.fates[name]; ok {
		return known
	}
	c.fates[name] = Leaves // what a cycle of parents comes to: none of them is deleted by another
	outcome := c.decide(app)
	c.fates[name] = outcome
	return outcome
}

func (c comparison) decide(app *Application) Outcome {
	declared := resourceKey{GroupKind: argoapp.Kind("Application").GroupKind(), Namespace: app.Object.GetNamespace(), Name: app.Object.GetName()}
	if app.ApplicationSet != "" {
		declared.Kind, declared.Name = "ApplicationSet", app.ApplicationSet
	}
	if parent := c.base[app.Parent]; parent != nil {
		if outcome, removed := c.removed(parent, declared); removed {
			// The Applications of a deleted ApplicationSet are deleted with it, whatever its policy: it owns them.
			return outcome
		}
	}
	policy, ok := c.policies[app.Object.GetNamespace()+"/"+app.ApplicationSet]
	if !ok {
		policy = app.ApplicationsSync
	}
	if app.ApplicationSet != "" && (policy == gitops.CreateOnly || policy == gitops.CreateUpdate) {
		return Leaves
	}
	return Deletes
}

// removed is what becomes of a resource of a parent, if the parent no longer deploys it.
func (c comparison) removed(parent *Application, key resourceKey) (Outcome, bool) {
	resource := byKey(parent.Resources)[key]
	if resource == nil {
		return "", false
	}
	head := c.head[qualified(parent.Object)]
	if head == nil {
		return c.cascaded(parent, resource), true
	}
	if byKey(head.Resources)[key] != nil {
		return "", false
	}
	return c.pruned(parent, head, resource), true
}

// cascades reports whether the deletion of the Application deletes what it deployed (argo-cd:
// pkg/apis/application/v1alpha1/types.go, CascadedDeletion).
func cascades(app *Application) bool {
	return slices.ContainsFunc(app.Object.GetFinalizers(), func(finalizer string) bool {
		policy, found := strings.CutPrefix(finalizer, argoapp.ResourcesFinalizer)
		return found && (policy == "" || policy == "/foreground" || policy == "/background")
	})
}

const syncOptionsAnnotation = "argocd.argoproj.io/sync-options"

// annotated reports whether a comma-separated annotation holds the option.
func annotated(obj *unstructured.Unstructured, annotation, option string) bool {
	for value := range strings.SplitSeq(obj.GetAnnotations()[annotation], ",") {
		if strings.TrimSpace(value) == option {
			return true
		}
	}
	return false
}

// isHook reports whether Argo CD runs the resource in a sync instead of keeping it.
func isHook(obj *unstructured.Unstructured) bool { return hook.IsHook(obj) }

// isDefinition reports whether the resource is a CustomResourceDefinition, which Argo CD never deletes with an
// Application.
func isDefinition(obj *unstructured.Unstructured) bool {
	kind := obj.GroupVersionKind()
	return kind.Group == "apiextensions.k8s.io" && kind.Kind == "CustomResourceDefinition"
}
