package drift_test

import (
	"fmt"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/drift"
)

// Replicas belong to an autoscaler; everything else in the Deployments stays declared.
func ExampleIgnoreRules() {
	rules := drift.IgnoreRules{{Group: "apps", Kind: "Deployment", JSONPointers: []string{"/spec/replicas"}}}
	entries, err := rules.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := yaml.Marshal(entries)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(document))
	// Output:
	// - group: apps
	//   jsonPointers:
	//   - /spec/replicas
	//   kind: Deployment
}

func ExampleFinding() {
	detected := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	finding := drift.Finding{
		Namespace:   "argocd",
		Application: "observability-grafana",
		Resource:    drift.Resource{Group: "apps", Kind: "Deployment", Namespace: "observability", Name: "grafana"},
		Change:      drift.Modified,
		State:       drift.Healed,
		DetectedAt:  detected,
		EndedAt:     detected.Add(400 * time.Millisecond),
		Attempts:    1,
	}
	fmt.Println(finding)
	// Output:
	// Deployment.apps observability/grafana of Application argocd/observability-grafana: Modified, Healed after 400ms
}
