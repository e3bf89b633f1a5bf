package backbone_test

import (
	"fmt"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/policy"
)

func Example() {
	delivery, err := gitops.Folders{ // K8s/observability/*, K8s/cicd/*, K8s/security/*
		RepoURL:         "https://git.example.com/platform.git",
		Groups:          []gitops.Group{{Name: "observability"}, {Name: "cicd"}, {Name: "security"}},
		NamespaceLabels: map[string]string{"owner": "platform-team"},
	}.Build()
	if err != nil {
		panic(err) // names every fault with its path
	}
	guarantees, err := policy.Build(policy.Kyverno(1, 15),
		policy.RequireLabels{Name: "require-owner", Labels: []policy.RequiredLabel{{Key: "owner"}}},
		policy.DefaultNetworkPolicy{Name: "default-network-policy"},
	)
	if err != nil {
		panic(err)
	}
	for _, object := range append(delivery, guarantees...) { // ready for server-side apply or YAML
		fmt.Println(object.GetKind(), object.GetName())
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
