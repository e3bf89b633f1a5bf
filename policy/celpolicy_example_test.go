package policy_test

import (
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy"
)

// What no rule of this package says is a policy of one's own. The Kyverno version decides the API version, and what it
// cannot express is an error that names it.
func ExampleValidatingPolicy() {
	replicas := policy.ValidatingPolicy{
		Name:        "at-most-ten-replicas",
		Match:       policy.MatchResources{Rules: []policy.ResourceRule{{Groups: []string{"apps"}, Resources: []string{"deployments"}}}},
		Validations: []policy.Validation{{Expression: "object.spec.replicas <= 10", Message: "A Deployment has at most ten replicas."}},
		Actions:     []policy.ValidationAction{policy.ActionAudit},
	}
	obj, err := replicas.Build(policy.Kyverno(1, 15))
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := yaml.Marshal(obj)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(document))

	replicas.Namespace = "team-a"
	_, err = replicas.Build(policy.Kyverno(1, 15))
	var unsupported *policy.UnsupportedError
	fmt.Println(errors.As(err, &unsupported), err)
	// Output:
	// apiVersion: policies.kyverno.io/v1alpha1
	// kind: ValidatingPolicy
	// metadata:
	//   name: at-most-ten-replicas
	// spec:
	//   matchConstraints:
	//     resourceRules:
	//     - apiGroups:
	//       - apps
	//       apiVersions:
	//       - v1
	//       operations:
	//       - CREATE
	//       - UPDATE
	//       resources:
	//       - deployments
	//   validationActions:
	//   - Audit
	//   validations:
	//   - expression: object.spec.replicas <= 10
	//     message: A Deployment has at most ten replicas.
	// true rule at-most-ten-replicas as NamespacedValidatingPolicy on Kyverno 1.15: the kind came with 1.16
}
