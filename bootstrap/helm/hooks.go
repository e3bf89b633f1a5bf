package helm

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Hooks says what becomes of objects that Helm would create before or after an
// installation or an upgrade only.
type Hooks string

const (
	// RefuseHooks makes such objects a [HookError], since leaving them out or
	// keeping them is a decision. It is the default.
	RefuseHooks Hooks = ""
	// DropHooks leaves them out.
	DropHooks Hooks = "Drop"
	// ApplyHooks makes the hooks of an installation ordinary objects of the
	// component, applied together with all others and, as Jobs, waited for. It
	// fits a Job that prepares something once, such as a Secret. Hooks of an
	// upgrade alone are left out.
	ApplyHooks Hooks = "Apply"
)

// hookAnnotation marks a hook; its value lists the events (Helm documentation:
// Chart Hooks).
const hookAnnotation = "helm.sh/hook"

// Hook is an object that a chart wants to be created at certain events only.
type Hook struct {
	Kind   string
	Name   string
	Events []string
}

// HookError says that a chart has install or upgrade hooks and that
// [Chart.Hooks] does not say what to do with them.
type HookError struct {
	Hooks []Hook
}

// Error implements error.
func (e *HookError) Error() string {
	parts := make([]string, len(e.Hooks))
	for i, hook := range e.Hooks {
		parts[i] = fmt.Sprintf("%s %s (%s)", hook.Kind, hook.Name, strings.Join(hook.Events, ", "))
	}
	return "has hooks, which Chart.Hooks must decide on: " + strings.Join(parts, "; ")
}

// decide keeps the ordinary objects and treats hooks as h says.
func (h Hooks) decide(objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	if h != RefuseHooks && h != DropHooks && h != ApplyHooks {
		return nil, fmt.Errorf("hooks %q: must be %q, %q or empty", h, DropHooks, ApplyHooks)
	}
	var kept []*unstructured.Unstructured
	refused := &HookError{}
	for _, object := range objects {
		events := hookEvents(object)
		switch {
		case len(events) == 0, h == ApplyHooks && atInstall(events):
			kept = append(kept, object)
		case h == RefuseHooks && (atInstall(events) || atUpgrade(events)):
			refused.Hooks = append(refused.Hooks, Hook{Kind: object.GetKind(), Name: object.GetName(), Events: events})
		}
	}
	if len(refused.Hooks) > 0 {
		return nil, refused
	}
	return kept, nil
}

// hookEvents lists the events of a hook; an ordinary object has none.
func hookEvents(object *unstructured.Unstructured) []string {
	annotation, isHook := object.GetAnnotations()[hookAnnotation]
	if !isHook {
		return nil
	}
	var events []string
	for _, event := range strings.Split(annotation, ",") {
		events = append(events, strings.ToLower(strings.TrimSpace(event)))
	}
	return events
}

func atInstall(events []string) bool {
	return slices.Contains(events, "pre-install") || slices.Contains(events, "post-install") || slices.Contains(events, "crd-install")
}

func atUpgrade(events []string) bool {
	return slices.Contains(events, "pre-upgrade") || slices.Contains(events, "post-upgrade")
}
