package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/internal/finding"
)

// permission is what a controller must be allowed.
type permission struct {
	controller controller
	group      string
	resource   string
	verbs      []string
}

// need is a permission and the place that asks for it.
type need struct {
	permission
	at place
}

// grants are what the controllers are allowed, as rules of ClusterRoles.
type grants map[controller][]grant

type grant struct{ groups, resources, verbs []string }

// viewed is what the ClusterRole view of Kubernetes, which Kyverno's accounts are bound to, lets them read.
// kubernetes: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go, viewRules
var viewed = []grant{
	{[]string{""}, strings.Fields("configmaps endpoints persistentvolumeclaims pods replicationcontrollers serviceaccounts services " +
		"bindings events limitranges namespaces pods/log pods/status resourcequotas"), readVerbs},
	{[]string{"apps"}, strings.Fields("controllerrevisions daemonsets deployments replicasets statefulsets"), readVerbs},
	{[]string{"autoscaling"}, []string{"horizontalpodautoscalers"}, readVerbs},
	{[]string{"batch"}, []string{"cronjobs", "jobs"}, readVerbs},
	{[]string{"policy"}, []string{"poddisruptionbudgets"}, readVerbs},
	{[]string{"networking.k8s.io"}, []string{"ingresses", "networkpolicies"}, readVerbs},
	{[]string{"discovery.k8s.io"}, []string{"endpointslices"}, readVerbs},
}

var (
	readVerbs  = []string{"get", "list", "watch"}
	writeVerbs = []string{"create", "delete", "patch", "update"}
	// kyverno: pkg/validation/cleanuppolicy/validate.go, canI; get is for the policies that name an object
	cleanupVerbs = []string{"get", "list", "delete"}
)

// grantsOf returns what Kyverno's own ClusterRoles grant, and those of the set that they aggregate.
// kyverno: config/install-latest-testing.yaml
func grantsOf(objects []*unstructured.Unstructured) grants {
	namespaces := grant{[]string{""}, []string{"namespaces", "configmaps"}, readVerbs}
	all := grants{
		admissionController: slices.Concat(viewed, []grant{
			namespaces,
			{[]string{"rbac.authorization.k8s.io"}, strings.Fields("roles clusterroles rolebindings clusterrolebindings"), readVerbs},
		}),
		backgroundController: slices.Concat(viewed, []grant{
			namespaces,
			{[]string{"networking.k8s.io"}, strings.Fields("ingresses ingressclasses networkpolicies"), writeVerbs},
			{[]string{"rbac.authorization.k8s.io"}, strings.Fields("rolebindings roles"), writeVerbs},
			{[]string{""}, strings.Fields("configmaps resourcequotas limitranges"), writeVerbs},
		}),
		cleanupController: {namespaces},
		reportsController: slices.Concat(viewed, []grant{namespaces}),
	}
	for _, obj := range objects {
		if obj.GetKind() != "ClusterRole" {
			continue
		}
		granted := rulesOf(obj)
		for who := range all {
			if obj.GetLabels()[who.aggregationLabel()] == "true" {
				all[who] = append(all[who], granted...)
			}
			if obj.GetLabels()["rbac.authorization.k8s.io/aggregate-to-view"] == "true" && who != cleanupController {
				all[who] = append(all[who], granted...)
			}
		}
	}
	return all
}

func rulesOf(role *unstructured.Unstructured) []grant {
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	var out []grant
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		list := func(field string) []string {
			texts, _, _ := unstructured.NestedStringSlice(rule, field)
			return texts
		}
		// Permissions on named objects are none to rely on.
		if len(list("resourceNames")) == 0 {
			out = append(out, grant{list("apiGroups"), list("resources"), list("verbs")})
		}
	}
	return out
}

func (g grants) missing(p permission) []string {
	return slices.DeleteFunc(slices.Clone(p.verbs), func(verb string) bool {
		return slices.ContainsFunc(g[p.controller], func(rule grant) bool {
			return holds(rule.groups, p.group) && holds(rule.resources, p.resource) && holds(rule.verbs, verb)
		})
	})
}

func holds(list []string, value string) bool {
	return slices.Contains(list, value) || slices.Contains(list, "*")
}

func (c *checker) checkNeed(n need) {
	missing := c.granted.missing(n.permission)
	if len(missing) == 0 {
		return
	}
	name := n.resource
	if n.group != "" {
		name += "." + n.group
	}
	n.at.Report(checkPermission, "the %s may not %s %s", n.controller, strings.Join(missing, ", "), name)
}

// RequiredRBAC returns the ClusterRoles that Kyverno's controllers need for the policies among the objects, beyond what
// Kyverno's own ClusterRoles and those among the objects grant: one for each controller, named after it, which Kyverno's
// own role aggregates. Nil if nothing is missing. What a GeneratingPolicy generates shows only when it runs; the rules of
// this package name their permissions themselves (see [Rule]).
func RequiredRBAC(kyverno Version, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	c := newChecker(kyverno, objects)
	type resource struct{ group, name string }
	missing := map[controller]map[resource][]string{}
	for _, obj := range c.objects {
		for _, n := range c.needsOf(obj) {
			verbs := c.granted.missing(n.permission)
			if len(verbs) == 0 {
				continue
			}
			if missing[n.controller] == nil {
				missing[n.controller] = map[resource][]string{}
			}
			at := resource{n.group, n.resource}
			missing[n.controller][at] = append(missing[n.controller][at], verbs...)
		}
	}
	var roles []*unstructured.Unstructured
	for _, who := range slices.Sorted(maps.Keys(missing)) {
		var rules []rbacv1.PolicyRule
		compare := func(a, b resource) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.name, b.name)) }
		for _, at := range slices.SortedFunc(maps.Keys(missing[who]), compare) {
			verbs := missing[who][at]
			slices.Sort(verbs)
			rules = append(rules, rbacv1.PolicyRule{
				APIGroups: []string{at.group}, Resources: []string{at.name}, Verbs: slices.Compact(verbs),
			})
		}
		roles = append(roles, clusterRole("kyverno:policies:"+string(who), rules, who))
	}
	return roles
}

// needsOf returns what a policy needs of Kyverno's controllers.
func (c *checker) needsOf(obj *unstructured.Unstructured) []need {
	// The findings about the object's shape are Check's; here they are dropped.
	root := (&finding.Report{Shape: checkShape}).Root(obj)
	spec := root.Child("spec")
	gvk := obj.GroupVersionKind()
	var needs []need
	switch {
	case isClassic(gvk):
		for _, rule := range spec.Child("rules").Items() {
			if generate := rule.Child("generate"); generate.Present() {
				for _, pattern := range generatePatterns(generate) {
					needs = append(needs, c.generateNeeds(generate, pattern)...)
				}
			}
			needs = append(needs, c.targetNeeds(rule.Child("mutate", "targets"))...)
		}
	case isCleanup(gvk):
		for _, filter := range filtersOf(spec.Child("match")) {
			for _, kind := range filter.Child("resources", "kinds").Items() {
				needs = append(needs, c.kindNeeds(kind, "", cleanupController, cleanupVerbs...)...)
			}
		}
	case gvk.Group == celGroup:
		needs = append(needs, celNeeds(spec, strings.TrimPrefix(gvk.Kind, "Namespaced"))...)
	}
	return needs
}

// generateNeeds are what a generate rule needs for one kind.
// kyverno: pkg/policy/generate/validate.go, canIGenerate; pkg/validation/policy/actions.go
func (c *checker) generateNeeds(generate, pattern place) []need {
	verbs := []string{"get", "create"}
	synchronize := generate.Child("synchronize").Flag(false)
	if synchronize {
		verbs = append(verbs, "update", "delete")
	}
	kinds := []place{pattern.Child("kind")}
	version := pattern.Child("apiVersion").Text()
	if cloned := pattern.Child("cloneList", "kinds").Items(); len(cloned) > 0 {
		kinds, version = cloned, ""
	}
	var needs []need
	for _, kind := range kinds {
		needs = append(needs, c.kindNeeds(kind, version, backgroundController, verbs...)...)
		if synchronize {
			needs = append(needs, c.kindNeeds(kind, version, admissionController, "get", "list")...)
		}
	}
	return needs
}

// targetNeeds are what mutating existing objects needs.
// kyverno: pkg/policy/mutate/validate.go, validateAuth
func (c *checker) targetNeeds(targets place) []need {
	var needs []need
	for _, target := range targets.Items() {
		needs = append(needs, c.kindNeeds(target.Child("kind"), target.Child("apiVersion").Text(), backgroundController, "get", "update")...)
	}
	return needs
}

// kindNeeds resolves a kind, whose API version may be apart or part of it. What is open is no need.
func (c *checker) kindNeeds(kind place, version string, who controller, verbs ...string) []need {
	text := kind.Text()
	selector, ok := selectKind(text)
	if !ok || strings.Contains(text+version, "{{") {
		return nil
	}
	group := selector.group
	switch {
	case version != "":
		parsed, err := schema.ParseGroupVersion(version)
		if err != nil {
			return nil
		}
		group = parsed.Group
	case group == "*":
		known, found := c.kinds.groupOf(selector.kind)
		if !found {
			return nil
		}
		group = known
	}
	if strings.ContainsAny(group+selector.kind, "*?") {
		return nil
	}
	resource := c.kinds.plural(group, selector.kind)
	if selector.subresource != "" {
		resource += "/" + selector.subresource
	}
	return []need{{permission{who, group, resource, verbs}, kind}}
}

// celNeeds are what a policy of policies.kyverno.io needs for the resources that its match blocks name.
func celNeeds(spec place, kind string) []need {
	constraints, who, verbs := spec.Child("matchConstraints"), reportsController, readVerbs
	evaluation := spec.Child("evaluation")
	switch kind {
	case "ValidatingPolicy", "ImageValidatingPolicy":
		if !evaluation.Child("background", "enabled").Flag(true) || evaluation.Child("mode").Text() == "JSON" {
			return nil
		}
	case "DeletingPolicy":
		who, verbs = cleanupController, cleanupVerbs
	case "MutatingPolicy":
		if !evaluation.Child("mutateExisting", "enabled").Flag(false) {
			return nil
		}
		who, verbs = backgroundController, []string{"get", "list", "update"}
		if targets := spec.Child("targetMatchConstraints"); !targets.Empty() {
			constraints = targets
		}
	default:
		return nil
	}
	var needs []need
	for _, rule := range constraints.Child("resourceRules").Items() {
		for _, group := range rule.Child("apiGroups").Texts() {
			for _, resource := range rule.Child("resources").Items() {
				if !strings.Contains(group+resource.Text(), "*") && resource.Text() != "" {
					needs = append(needs, need{permission{who, group, resource.Text(), verbs}, resource})
				}
			}
		}
	}
	return needs
}
