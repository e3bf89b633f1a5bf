package policy_test

import (
	"errors"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy"
)

// The rules of a platform become the objects to apply: permissions first, then one policy for each rule.
func ExampleBuild() {
	objects, err := policy.Build(policy.Kyverno(1, 15),
		policy.RequireLabels{
			Name:             "require-namespace-labels",
			Labels:           []policy.RequiredLabel{{Key: "owner"}, {Key: "environment", Values: []string{"development", "production"}}},
			ExemptNamespaces: []string{"argocd", "kyverno"},
		},
		policy.DefaultNetworkPolicy{Name: "default-network-policy"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, obj := range objects {
		fmt.Println(obj.GetAPIVersion(), obj.GetKind(), obj.GetName())
	}
	// Output:
	// rbac.authorization.k8s.io/v1 ClusterRole kyverno:default-network-policy:background-controller
	// policies.kyverno.io/v1alpha1 ValidatingPolicy require-namespace-labels
	// kyverno.io/v1 ClusterPolicy default-network-policy
}

// One value yields both generations of policies.
func ExampleRequireLabels() {
	rule := policy.RequireLabels{Name: "require-owner", Labels: []policy.RequiredLabel{{Key: "owner"}}, Action: policy.Audit}
	cel, err := rule.CEL(policy.Kyverno(1, 17))
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := yaml.Marshal(cel)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(document))

	_, err = rule.Classic(policy.Kyverno(1, 20))
	var unsupported *policy.UnsupportedError
	fmt.Println(errors.As(err, &unsupported), err)
	// Output:
	// apiVersion: policies.kyverno.io/v1
	// kind: ValidatingPolicy
	// metadata:
	//   name: require-owner
	// spec:
	//   matchConditions:
	//   - expression: '!(object.metadata.name in ["default", "kube-node-lease", "kube-public",
	//       "kube-system"])'
	//     name: not-exempt
	//   - expression: '!has(object.metadata.deletionTimestamp)'
	//     name: not-being-deleted
	//   matchConstraints:
	//     resourceRules:
	//     - apiGroups:
	//       - ""
	//       apiVersions:
	//       - v1
	//       operations:
	//       - CREATE
	//       - UPDATE
	//       resources:
	//       - namespaces
	//   validationActions:
	//   - Audit
	//   validations:
	//   - expression: object.metadata.?labels[?"owner"].orValue("") != ""
	//     message: A namespace needs the label owner.
	// true rule require-owner as ClusterPolicy on Kyverno 1.20: the kind is removed in 1.20
}

// Built objects become typed ones in one line, for controllers that work with types.
func ExampleDefaultNetworkPolicy() {
	rule := policy.DefaultNetworkPolicy{Name: "default-network-policy"}
	var role rbacv1.ClusterRole
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(rule.RBAC()[0].Object, &role); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(role.Name, role.Rules[0].Resources)
	// Output:
	// kyverno:default-network-policy:background-controller [networkpolicies]
}
