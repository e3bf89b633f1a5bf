package gitops_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops"
)

func TestCheckResourcesKeepsWithinTheProject(t *testing.T) {
	const (
		web       = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}"
		elsewhere = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: other}"
		role      = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: web}"
		shop      = "destinations: [{server: '*', namespace: shop}]"
	)
	for name, test := range map[string]struct {
		project   string
		resources string
		want      []string
	}{
		"a namespaced kind is permitted without lists":  {project: shop, resources: web},
		"a cluster-scoped kind is not":                  {project: shop, resources: role, want: []string{"GITOPS044 ClusterRole web: kind"}},
		"a cluster-scoped kind that a pattern permits":  {project: shop + ", clusterResourceWhitelist: [{group: '*', kind: 'Cluster*'}]", resources: role},
		"a denied cluster-scoped kind":                  {project: shop + ", clusterResourceWhitelist: [{group: '*', kind: '*'}], clusterResourceBlacklist: [{group: 'rbac*', kind: '*'}]", resources: role, want: []string{"GITOPS044 ClusterRole web: kind"}},
		"a cluster-scoped object by name":               {project: shop + ", clusterResourceWhitelist: [{group: '*', kind: '*', name: 'web*'}]", resources: role},
		"a cluster-scoped object by another name":       {project: shop + ", clusterResourceWhitelist: [{group: '*', kind: '*', name: 'api*'}]", resources: role, want: []string{"GITOPS044 ClusterRole web: kind"}},
		"an empty list permits no namespaced kind":      {project: shop + ", namespaceResourceWhitelist: []", resources: web, want: []string{"GITOPS044 Deployment shop/web: kind"}},
		"a list without the kind":                       {project: shop + ", namespaceResourceWhitelist: [{group: '', kind: Deployment}]", resources: web, want: []string{"GITOPS044 Deployment shop/web: kind"}},
		"a denied namespaced kind":                      {project: shop + ", namespaceResourceBlacklist: [{group: apps, kind: Deployment}]", resources: web, want: []string{"GITOPS044 Deployment shop/web: kind"}},
		"a namespace outside the project":               {project: shop, resources: stream(web, elsewhere), want: []string{"GITOPS045 ConfigMap other/web: metadata.namespace"}},
		"a pattern that cannot be read matches nothing": {project: shop + ", namespaceResourceBlacklist: [{group: '[', kind: '*'}]", resources: web},
	} {
		t.Run(name, func(t *testing.T) {
			set := objects(t, projectWith("shop", test.project))
			app := objects(t, applicationWith("web", "", sound))[0]
			require.ElementsMatch(t, test.want, places(gitops.CheckResources(set, app, objects(t, test.resources))))
		})
	}
}

func TestCheckResourcesSaysNothingAboutUnknownProjects(t *testing.T) {
	app := objects(t, applicationWith("web", "", sound))[0]
	resources := objects(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: web}")
	require.Empty(t, gitops.CheckResources(nil, app, resources))
	require.Empty(t, gitops.CheckResources(objects(t, projectWith("other", "")), app, resources))
}
