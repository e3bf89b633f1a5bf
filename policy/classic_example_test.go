package policy_test

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy"
)

// A policy of the older generation, for what CEL cannot express or for a Kyverno that knows no CEL. What Kyverno would
// reject is an error before anything is sent.
func ExampleClusterPolicy() {
	noHostPorts := policy.ClusterPolicy{
		Name: "no-host-ports",
		Rules: []policy.ClassicRule{{
			Name:  "containers",
			Match: policy.ResourceFilters{Any: []policy.ResourceFilter{{Kinds: []string{"Pod"}}}},
			Validate: &policy.ClassicValidate{
				Message: "Containers have no host ports.",
				Action:  policy.Audit,
				Check: policy.ForEachCheck{Each: []policy.ForEachValidation{{
					List:  "request.object.spec.containers",
					Check: policy.PatternCheck{Pattern: map[string]any{"=(ports)": []any{map[string]any{"=(hostPort)": 0}}}},
				}}},
			},
		}},
	}
	obj, err := noHostPorts.Build(policy.Kyverno(1, 15))
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := yaml.Marshal(obj.Object["spec"])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(document))

	noHostPorts.SkipAdmission, noHostPorts.SkipBackground = true, true
	for _, fault := range noHostPorts.Validate() {
		fmt.Println(fault.Field, fault.Type)
	}
	// Output:
	// rules:
	// - match:
	//     any:
	//     - resources:
	//         kinds:
	//         - Pod
	//   name: containers
	//   validate:
	//     failureAction: Audit
	//     foreach:
	//     - list: request.object.spec.containers
	//       pattern:
	//         =(ports):
	//         - =(hostPort): 0
	//     message: Containers have no host ports.
	// skipAdmission Forbidden
}
