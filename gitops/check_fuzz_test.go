package gitops_test

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
)

// FuzzCheck: whatever is in the objects, Check returns, the same each time.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		applicationWith("web", ", finalizers: [x]", sound+", syncPolicy: {syncOptions: [a=b], automated: {}}, ignoreDifferences: [{kind: Secret, jqPathExpressions: ['.a'], jsonPointers: [/a]}]"),
		projectWith("shop", permissive+", roles: [{name: r, policies: ['p, proj:shop:r, applications, get, shop/*, allow']}], syncWindows: [{kind: allow, schedule: '* * * * *', duration: 1h, clusters: [a]}]"),
		setWith("generators: [{matrix: {generators: [{list: {elements: [{name: a}]}}, {git: {directories: [{path: a}]}}]}}], strategy: {type: RollingSync, rollingSync: {steps: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}}"),
	} {
		raw, err := yaml.YAMLToJSON([]byte(seed))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var content map[string]any
		if json.Unmarshal(raw, &content) != nil {
			t.Skip()
		}
		for _, kind := range []string{"AppProject", "Application", "ApplicationSet"} {
			obj := &unstructured.Unstructured{Object: map[string]any{}}
			for key, value := range content {
				obj.Object[key] = value
			}
			obj.SetAPIVersion("argoproj.io/v1alpha1")
			obj.SetKind(kind)
			set := []*unstructured.Unstructured{obj, {Object: content}}
			first := gitops.Check(set)
			if again := gitops.Check(set); len(again) != len(first) {
				t.Fatalf("%d findings, then %d", len(first), len(again))
			}
		}
	})
}
