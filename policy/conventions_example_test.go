package policy_test

import (
	"fmt"

	"github.com/controlbackbone/backbone/policy"
)

// The labels of a platform are values that every rule on them shares.
func ExamplePlatformLabels() {
	labels := append(policy.PlatformLabels("development", "production"),
		policy.RequiredLabel{Key: "cost-centre", Pattern: `cc-\d{4}`})
	objects, err := policy.Build(policy.Kyverno(1, 17),
		policy.RequireLabels{Name: "require-namespace-labels", Labels: labels},
		policy.ImmutableLabels{Name: "keep-owner", Labels: []string{"owner"}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, obj := range objects {
		fmt.Println(obj.GetKind(), obj.GetName())
	}
	// Output:
	// ValidatingPolicy require-namespace-labels
	// ValidatingPolicy keep-owner
}

// Rules on pods start by reporting, and deny once the reports are empty.
func ExampleEnforceable() {
	var rules []policy.Rule
	for _, rule := range []policy.Enforceable{
		policy.RequirePinnedImages{Name: "require-pinned-images"},
		policy.AllowedRegistries{Name: "allowed-registries", Registries: []string{"registry.example.com/team", "docker.io/library"}},
		policy.RequireResources{Name: "require-resources"},
	} {
		rules = append(rules, rule.WithAction(policy.Audit))
	}
	objects, err := policy.Build(policy.Kyverno(1, 17), rules...)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, obj := range objects {
		fmt.Println(obj.GetKind(), obj.GetName())
	}
	// Output:
	// ClusterRole kyverno:require-pinned-images:reports-controller
	// ClusterRole kyverno:allowed-registries:reports-controller
	// ClusterRole kyverno:require-resources:reports-controller
	// ValidatingPolicy require-pinned-images
	// ValidatingPolicy allowed-registries
	// ValidatingPolicy require-resources
}
