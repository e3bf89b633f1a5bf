package backbone_test

import (
	"fmt"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/policy"
)

func Example() {
	owner := map[string]string{"owner": "platform-team"}
	delivery, err := gitops.Folders{
		RepoURL:         "https://git.example.com/platform.git",
		Groups:          []gitops.Group{{Name: "observability"}, {Name: "cicd"}, {Name: "security"}},
		NamespaceLabels: owner,
	}.Build()
	if err != nil {
		fmt.Println(err) // lists every fault with its path
		return
	}
	guarantees, err := policy.Build(policy.Kyverno(1, 15),
		policy.RequireLabels{Name: "require-owner", Labels: []policy.RequiredLabel{{Key: "owner"}}},
		policy.DefaultNetworkPolicy{Name: "default-network-policy"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, object := range append(delivery, guarantees...) {
		fmt.Println(object.GetKind(), object.GetName()) // ready for server-side apply or YAML
	}
	// Output:
	// AppProject observability
	// AppProject cicd
	// AppProject security
	// ApplicationSet observability
	// ApplicationSet cicd
	// ApplicationSet security
	// ClusterRole kyverno:default-network-policy:background-controller
	// ValidatingPolicy require-owner
	// ClusterPolicy default-network-policy
}
