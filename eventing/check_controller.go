package eventing

import (
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// controllers are where the controllers of what triggers write look for it, as far as the set holds them. Nil: not known.
type controllers struct {
	// applications and workflows are patterns of namespaces.
	applications, workflows []string
}

// controllersOf reads the workloads of Argo CD and Argo Workflows.
// argo-cd: docs/operator-manual/app-any-namespace.md; argo-workflows: docs/managed-namespace.md
func controllersOf(objects []*unstructured.Unstructured) controllers {
	var c controllers
	for _, obj := range objects {
		kind, name := obj.GetKind(), obj.GetName()
		switch {
		case (kind == "StatefulSet" || kind == "Deployment") && name == "argocd-application-controller":
			c.applications = append(c.applications, obj.GetNamespace())
		case kind == "ConfigMap" && name == "argocd-cmd-params-cm":
			patterns, _, _ := unstructured.NestedString(obj.Object, "data", "application.namespaces")
			for pattern := range strings.SplitSeq(patterns, ",") {
				if pattern = strings.TrimSpace(pattern); pattern != "" {
					c.applications = append(c.applications, pattern)
				}
			}
		case kind == "Deployment" && name == "workflow-controller":
			c.workflows = append(c.workflows, watchedBy(obj))
		}
	}
	// Settings of a controller that is not in the set do not say where it runs.
	if !slices.ContainsFunc(objects, func(obj *unstructured.Unstructured) bool { return obj.GetName() == "argocd-application-controller" }) {
		c.applications = nil
	}
	return c
}

// watchedBy is the namespace that a workflow controller watches, "*" for all.
func watchedBy(obj *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(obj.Object, "spec", "template", "spec", "containers")
	watched := "*"
	for _, container := range containers {
		fields, ok := container.(map[string]any)
		if !ok {
			continue
		}
		arguments, _, _ := unstructured.NestedStringSlice(fields, "args")
		for i, argument := range arguments {
			name, value, joined := strings.Cut(argument, "=")
			switch {
			case name == "--namespaced" && watched == "*":
				watched = obj.GetNamespace()
			case name == "--managed-namespace" && joined:
				watched = value
			case name == "--managed-namespace" && i+1 < len(arguments):
				watched = arguments[i+1]
			}
		}
	}
	return watched
}

// checkWhere finds an object that no controller will look at.
func (s *sensorCheck) checkWhere(action place) {
	obj := inlineObject(action.Child("source"))
	if obj == nil || obj.GroupVersionKind().Group != groupVersion.Group ||
		slices.ContainsFunc(parameterTargets(action.Child("parameters")), func(to string) bool { return writes(to, "metadata.namespace") }) {
		return
	}
	namespace := obj.GetNamespace()
	if namespace == "" {
		namespace = s.namespace
	}
	var watched []string
	switch obj.GetKind() {
	case "Application":
		watched = s.controllers.applications
	case "Workflow", "CronWorkflow":
		watched = s.controllers.workflows
	}
	seen := func(pattern string) bool {
		matched, err := path.Match(pattern, namespace)
		return err == nil && matched
	}
	if len(watched) > 0 && !slices.ContainsFunc(watched, seen) {
		action.Child("source").Report(checkNoController, "the %s is in namespace %s, and its controller looks at %s", obj.GetKind(), namespace, strings.Join(watched, ", "))
	}
}
