package policy

import (
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/object"
)

// controller is one of Kyverno's, each of which has an account of its own.
type controller string

const (
	admissionController  controller = "admission-controller"
	backgroundController controller = "background-controller"
	cleanupController    controller = "cleanup-controller"
	reportsController    controller = "reports-controller"
)

// aggregationLabel makes a ClusterRole part of the controller's.
// kyverno: charts/kyverno/templates, aggregationRule
func (c controller) aggregationLabel() string { return "rbac.kyverno.io/aggregate-to-" + string(c) }

// clusterRole returns a ClusterRole that becomes part of those of the controllers.
func clusterRole(name string, rules []rbacv1.PolicyRule, controllers ...controller) *unstructured.Unstructured {
	labels := map[string]string{}
	for _, c := range controllers {
		labels[c.aggregationLabel()] = "true"
	}
	items := make([]any, len(rules))
	for i, rule := range rules {
		items[i] = object.Compact(map[string]any{
			"apiGroups": anyList(rule.APIGroups), "resources": anyList(rule.Resources),
			"resourceNames": anyList(rule.ResourceNames), "verbs": anyList(rule.Verbs),
		})
	}
	return object.New(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"), object.Meta{Name: name, Labels: labels},
		map[string]any{"rules": items})
}

// reportsRole returns the ClusterRole that lets Kyverno's reports controller look at resources, by group: a
// ValidatingPolicy does not become ready without it (kyverno: pkg/controllers/policystatus/controller.go).
func reportsRole(rule string, resources map[string][]string) *unstructured.Unstructured {
	var rules []rbacv1.PolicyRule
	for _, group := range slices.Sorted(maps.Keys(resources)) {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources[group], Verbs: readVerbs})
	}
	return clusterRole("kyverno:"+rule+":reports-controller", rules, reportsController)
}

// kindsRole is reportsRole for kinds.
func kindsRole(rule string, kinds []ResourceKind) *unstructured.Unstructured {
	resources := map[string][]string{}
	for _, kind := range kinds {
		resources[kind.Group] = append(resources[kind.Group], kind.resources()...)
	}
	return reportsRole(rule, resources)
}
