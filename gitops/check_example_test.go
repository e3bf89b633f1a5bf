package gitops_test

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
)

// An Application that Argo CD would refuse to deploy, found before anything is applied.
func ExampleCheck() {
	project, err := gitops.AppProject{
		Name:         "shop",
		SourceRepos:  []string{"https://git.example.com/**"},
		Destinations: []gitops.Destination{{Namespace: "shop-*"}},
	}.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	web, err := gitops.Application{
		Name:        "web",
		Project:     "shop",
		Sources:     []gitops.Source{{RepoURL: "https://git.example.com/shop.git", Path: "web"}},
		Destination: gitops.Destination{Namespace: "kube-system"},
		SyncPolicy:  gitops.SyncPolicy{Options: []string{"Replace=true"}},
	}.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, found := range gitops.Check([]*unstructured.Unstructured{project, web}) {
		fmt.Println(found.Severity, found.Code, found.Object, found.Path)
		fmt.Println("  " + found.Message)
	}
	// Output:
	// error GITOPS005 Application argocd/web spec.destination.namespace
	//   AppProject "shop" does not permit the namespace "kube-system" in this cluster
	// error GITOPS016 Application argocd/web spec.syncPolicy.syncOptions[0]
	//   Replace=true wins
}
