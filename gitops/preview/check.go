package preview

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
)

// Check reports what [gitops.Check] finds in the declared objects, and in the Applications and resources that they come
// to: resources that an Application's AppProject does not permit ([gitops.CheckResources]), and resources that their
// sync applies too early ([gitops.CheckOrder]). What an ApplicationSet's template has been found to lack is not repeated
// for each of its Applications. Resources are those of a rendered state.
func Check(objects []*unstructured.Unstructured, state *State) []gitops.Finding {
	var declared, limits []*unstructured.Unstructured
	add := func(obj *unstructured.Unstructured) {
		if obj == nil || isApplication(obj) {
			return
		}
		declared = append(declared, obj)
		if !isApplicationSet(obj) {
			limits = append(limits, obj)
		}
	}
	for _, obj := range objects {
		add(obj)
	}
	for _, app := range state.Applications {
		for _, resource := range app.Resources {
			if isApplicationSet(resource) || isKind(resource, "AppProject") {
				add(resource)
			}
		}
	}
	all := slices.Clone(limits)
	for _, app := range state.Applications {
		all = append(all, app.Object)
		if app.ApplicationSet == "" {
			declared = append(declared, app.Object)
		}
	}
	findings := gitops.Check(declared)
	findings = append(findings, ofGenerated(state, findings, gitops.Check(all))...)
	for _, app := range state.Applications {
		findings = append(findings, gitops.CheckResources(limits, app.Object, app.Resources)...)
		findings = append(findings, gitops.CheckOrder(app.Resources...)...)
	}
	return findings
}

// ofGenerated returns the findings about generated Applications that say more than those about their ApplicationSets.
func ofGenerated(state *State, declared, all []gitops.Finding) []gitops.Finding {
	type place struct{ object, code string }
	known := map[place]bool{}
	for _, finding := range declared {
		known[place{finding.Object, finding.Code}] = true
	}
	sets := map[string][]string{}
	for _, app := range state.Applications {
		if app.ApplicationSet != "" {
			// The ApplicationSet may have been declared without its namespace.
			namespace := app.Object.GetNamespace() + "/"
			sets["Application "+namespace+app.Object.GetName()] = []string{
				"ApplicationSet " + namespace + app.ApplicationSet, "ApplicationSet " + app.ApplicationSet,
			}
		}
	}
	return slices.DeleteFunc(all, func(finding gitops.Finding) bool {
		names, generated := sets[finding.Object]
		return !generated || slices.ContainsFunc(names, func(set string) bool { return known[place{set, finding.Code}] })
	})
}
