package policy

import (
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// vital are the kinds that controllers cannot do without. A policy that denies them in the namespaces of the platform's
// own components can stop the platform.
var vital = strings.Fields("Pod Deployment DaemonSet StatefulSet Job CronJob ConfigMap Secret Service ServiceAccount " +
	"Lease EndpointSlice Role RoleBinding Application ApplicationSet AppProject")

// ownNamespaces returns the namespaces of the platform's own components that policies reach: Argo CD's, and those that
// the configuration of Kyverno in the set does not filter, as the default one does.
// kyverno: config/install-latest-testing.yaml, ConfigMap kyverno
func (c *checker) ownNamespaces() []string {
	names := []string{"argocd"}
	for _, obj := range c.objects {
		if obj.GetKind() != "ConfigMap" || obj.GetNamespace() != "kyverno" || obj.GetName() != "kyverno" {
			continue
		}
		filters, _, _ := unstructured.NestedString(obj.Object, "data", "resourceFilters")
		for _, name := range []string{"kube-system", "kyverno"} {
			if !strings.Contains(filters, "[*/*,"+name+",*]") {
				names = append(names, name)
			}
		}
	}
	return names
}

// checkReachOf reports that an enforcing rule of a ClusterPolicy reaches the platform's own components.
func (c *checker) checkReachOf(rule place) {
	// Who writes preconditions may mean these namespaces.
	if !rule.Child("preconditions").Empty() || !rule.Child("celPreconditions").Empty() {
		return
	}
	for _, namespace := range c.ownNamespaces() {
		for _, filter := range filtersOf(rule.Child("match")) {
			if reachesFilter(filter, namespace) && !excludesNamespace(rule.Child("exclude"), namespace) {
				filter.Report(checkReach, "it holds for %s in the namespace %s",
					strings.Join(vitalOf(filter), ", "), namespace)
			}
		}
	}
}

func reachesFilter(filter place, namespace string) bool {
	resources := filter.Child("resources")
	for _, field := range []string{"namespaceSelector", "selector", "names", "name", "annotations"} {
		if !resources.Child(field).Empty() {
			return false
		}
	}
	namespaces := resources.Child("namespaces")
	return isEmptyUser(filter) && len(vitalOf(filter)) > 0 && (namespaces.Empty() || matchesAnyPattern(namespaces.Texts(), namespace))
}

// vitalOf returns the vital kinds of a filter.
func vitalOf(filter place) []string {
	var out []string
	for _, text := range filter.Child("resources", "kinds").Texts() {
		selector, ok := selectKind(text)
		if ok && selector.subresource == "" && (selector.kind == "*" || slices.Contains(vital, selector.kind)) {
			out = append(out, text)
		}
	}
	return out
}

// excludesNamespace reports whether an exclude block may hold for all of a namespace.
func excludesNamespace(exclude place, namespace string) bool {
	return slices.ContainsFunc(filtersOf(exclude), func(filter place) bool {
		resources := filter.Child("resources")
		namespaces := resources.Child("namespaces")
		return matchesAnyPattern(namespaces.Texts(), namespace) || !resources.Child("namespaceSelector").Empty() ||
			namespaces.Empty() && !isEmptyUser(filter)
	})
}

// matchesAnyPattern matches Kyverno's wildcards, * and ?.
func matchesAnyPattern(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, err := path.Match(pattern, name)
		return err == nil && matched
	})
}

// checkCELReach is checkReachOf for policies of policies.kyverno.io.
func (c *checker) checkCELReach(constraints, conditions place) {
	if !constraints.Child("namespaceSelector").Empty() || !constraints.Child("objectSelector").Empty() {
		return
	}
	var expressions strings.Builder
	for _, condition := range conditions.Items() {
		expressions.WriteString(condition.Child("expression").Text() + "\n")
	}
	for _, namespace := range c.ownNamespaces() {
		// Conditions that exempt kube-system are about namespaces; what others mean is open.
		text := expressions.String()
		if strings.Contains(text, namespace) || text != "" && !strings.Contains(text, "kube-system") {
			continue
		}
		for _, rule := range constraints.Child("resourceRules").Items() {
			if !rule.Child("resourceNames").Empty() || !rule.Child("excludeResourceRules").Empty() {
				continue
			}
			for _, resource := range rule.Child("resources").Items() {
				if c.isVitalResource(resource.Text()) {
					resource.Report(checkReach, "it holds for %s in the namespace %s", resource.Text(), namespace)
				}
			}
		}
	}
}

func (c *checker) isVitalResource(resource string) bool {
	if resource == "*" || resource == "*/*" {
		return true
	}
	return slices.ContainsFunc(vital, func(kind string) bool {
		group, _ := c.kinds.groupOf(kind)
		return c.kinds.plural(group, kind) == resource
	})
}
