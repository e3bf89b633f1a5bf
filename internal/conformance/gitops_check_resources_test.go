package conformance_test

import (
	"fmt"
	"testing"

	argocd "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/gitops"
)

// TestCheckResourcesPermitsWhatArgoCDPermits compares the decision with Argo CD's for every combination of lists.
func TestCheckResourcesPermitsWhatArgoCDPermits(t *testing.T) {
	lists := [][]metav1.GroupKind{
		nil, {}, {{Group: "*", Kind: "*"}}, {{Group: "", Kind: "*"}}, {{Group: "apps", Kind: "Deployment"}},
		{{Group: "*", Kind: "Cluster*"}, {Group: "", Kind: "ConfigMap"}}, {{Group: "[", Kind: "*"}}, {{Group: "rbac*", Kind: "*Role"}},
	}
	var resources []*unstructured.Unstructured
	for _, kind := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "ConfigMap"}, {Group: "apps", Version: "v1", Kind: "Deployment"}, {Version: "v1", Kind: "Namespace"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
	} {
		for _, namespace := range []string{"", "shop", "kube-system"} {
			obj := &unstructured.Unstructured{}
			obj.SetGroupVersionKind(kind)
			obj.SetNamespace(namespace)
			obj.SetName("a")
			resources = append(resources, obj)
		}
	}
	app, err := gitops.Application{
		Name: "web", Project: "shop", Sources: []gitops.Source{{RepoURL: "https://git.example.com/shop.git", Path: "web"}},
	}.Build()
	require.NoError(t, err)
	outcomes := map[bool]int{}
	for _, destinations := range [][]argocd.ApplicationDestination{
		{{Server: "*", Namespace: "shop"}}, {{Server: "*", Namespace: "*"}, {Server: "*", Namespace: "!kube-*"}}, {{Server: "https://elsewhere", Namespace: "*"}},
	} {
		for _, allowed := range lists {
			for _, denied := range lists {
				project := argocd.AppProject{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "argocd"}, Spec: argocd.AppProjectSpec{
					Destinations:             destinations,
					ClusterResourceWhitelist: allowed, ClusterResourceBlacklist: denied,
					NamespaceResourceWhitelist: allowed, NamespaceResourceBlacklist: denied,
				}}
				obj := untyped(t, "AppProject", &project)
				if allowed != nil && len(allowed) == 0 {
					// The typed form leaves an empty list out when it is encoded; in YAML it can be there.
					require.NoError(t, unstructured.SetNestedSlice(obj.Object, []any{}, "spec", "namespaceResourceWhitelist"))
				}
				for _, resource := range resources {
					want, err := project.IsResourcePermitted(resource.GroupVersionKind().GroupKind(), resource.GetNamespace(),
						argocd.ApplicationDestination{Server: argocd.KubernetesInternalAPIServerAddr}, nil)
					require.NoError(t, err)
					got := len(gitops.CheckResources([]*unstructured.Unstructured{obj}, app, []*unstructured.Unstructured{resource})) == 0
					require.Equal(t, want, got, fmt.Sprint(resource.GetKind(), resource.GetNamespace(), destinations, allowed, denied))
					outcomes[got]++
				}
			}
		}
	}
	require.Greater(t, min(outcomes[true], outcomes[false]), 100, "the grid must show both outcomes")
}
