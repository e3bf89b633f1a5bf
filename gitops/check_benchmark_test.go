package gitops_test

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
)

// BenchmarkCheck checks 1,000 Applications in a project with 20 patterns of each kind.
func BenchmarkCheck(b *testing.B) {
	project := "sourceRepos: ['https://git.example.com/**'"
	for i := range 19 {
		project += fmt.Sprintf(", 'https://git%d.example.com/**'", i)
	}
	project += "], destinations: [{server: '*', namespace: shop}"
	for i := range 19 {
		project += fmt.Sprintf(", {server: 'https://%d.example.com', namespace: 'team-%d-*'}", i, i)
	}
	manifests := []string{projectWith("shop", project+"]")}
	for i := range 1000 {
		manifests = append(manifests, applicationWith(fmt.Sprintf("app-%d", i), "", sound))
	}
	objects := make([]*unstructured.Unstructured, len(manifests))
	for i, manifest := range manifests {
		objects[i] = &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(manifest), &objects[i].Object); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if found := gitops.Check(objects); len(found) > 0 {
			b.Fatal(found[0])
		}
	}
}
