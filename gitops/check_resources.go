package gitops

import (
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/finding"
)

// CheckResources reports the resources that the AppProject of an Application does not let it deploy, because of their
// kind or their namespace; Argo CD fails the sync of an Application with any such resource. The resources are the
// manifests as they are applied: namespaced ones name their namespace, and one without is cluster-scoped. The objects
// are those of Check. An Application whose project they do not hold has no findings.
func CheckResources(
	objects []*unstructured.Unstructured, app *unstructured.Unstructured, resources []*unstructured.Unstructured,
) []Finding {
	c := &checker{}
	c.read(slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool { return obj == nil }))
	silent := &checker{}
	spec := silent.root(app).child("spec")
	name := spec.child("project").text()
	if name == "" {
		name = "default"
	}
	project := c.projectOf(name, app.GetNamespace())
	if project == nil || project.open {
		return nil
	}
	destination := spec.child("destination")
	server, cluster := destination.child("server").text(), destination.child("name").text()
	for _, resource := range resources {
		if resource == nil {
			continue
		}
		at := c.root(resource)
		if !project.kinds.permit(resource) {
			at.child("kind").report(ruleDeniedKind, "AppProject %q does not permit %s to deploy this kind", name, objectName(app))
			continue
		}
		namespace := resource.GetNamespace()
		if namespace != "" && !permitsDestination(project.destinations, c.target(server, cluster, maybe{text: namespace})) {
			at.child("metadata", "namespace").report(ruleDeniedNamespace,
				"AppProject %q does not permit %s to deploy into the namespace %q", name, objectName(app), namespace)
		}
	}
	finding.Sort(c.findings)
	return slices.Compact(c.findings)
}

// projectKinds are the kinds that a project permits and denies.
type projectKinds struct {
	clusterAllowed, clusterDenied, namespacedAllowed, namespacedDenied []kindPattern
	// limited is false for a project without a list of permitted namespaced kinds, which permits all of them. An empty
	// list permits none.
	limited bool
}

// kindPattern matches group, kind and, for cluster-scoped kinds since Argo CD 3.3, name.
type kindPattern struct{ group, kind, name string }

func readKinds(spec node) projectKinds {
	read := func(field string) []kindPattern {
		var out []kindPattern
		for _, item := range spec.child(field).items() {
			out = append(out, kindPattern{item.child("group").text(), item.child("kind").text(), item.child("name").text()})
		}
		return out
	}
	return projectKinds{
		clusterAllowed: read("clusterResourceWhitelist"), clusterDenied: read("clusterResourceBlacklist"),
		namespacedAllowed: read("namespaceResourceWhitelist"), namespacedDenied: read("namespaceResourceBlacklist"),
		limited: spec.child("namespaceResourceWhitelist").present(),
	}
}

func (k *projectKinds) inherit(from projectKinds) {
	k.clusterAllowed = slices.Concat(k.clusterAllowed, from.clusterAllowed)
	k.clusterDenied = slices.Concat(k.clusterDenied, from.clusterDenied)
	k.namespacedAllowed = slices.Concat(k.namespacedAllowed, from.namespacedAllowed)
	k.namespacedDenied = slices.Concat(k.namespacedDenied, from.namespacedDenied)
	// An empty list that is inherited adds nothing to a missing one.
	k.limited = k.limited || len(from.namespacedAllowed) > 0
}

func (k projectKinds) permit(resource *unstructured.Unstructured) bool {
	if resource.GetNamespace() != "" {
		allowed := !k.limited || containsKind(k.namespacedAllowed, resource)
		return allowed && !containsKind(k.namespacedDenied, resource)
	}
	return containsKind(k.clusterAllowed, resource) && !containsKind(k.clusterDenied, resource)
}

func containsKind(patterns []kindPattern, resource *unstructured.Unstructured) bool {
	kind := resource.GroupVersionKind().GroupKind()
	return slices.ContainsFunc(patterns, func(pattern kindPattern) bool {
		return matchesPath(pattern.kind, kind.Kind) && matchesPath(pattern.group, kind.Group) &&
			(pattern.name == "" || matchesPath(pattern.name, resource.GetName()))
	})
}

// matchesPath matches as a shell does; a pattern that cannot be read matches nothing.
func matchesPath(pattern, text string) bool {
	matched, err := path.Match(pattern, text)
	return err == nil && matched
}
