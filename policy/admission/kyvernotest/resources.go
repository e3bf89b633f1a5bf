package kyvernotest

import (
	"fmt"
	"path/filepath"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/resource"
	"github.com/pmezard/go-difflib/difflib"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// compareResource compares a resource with the one of its name in a file: what differs, or "". Empty fields and the
// labels of generated resources do not matter.
func (t Test) compareResource(actual *unstructured.Unstructured, file string) (difference string, err error) {
	expected, err := resource.GetResourceFromPath(nil, filepath.Join(t.dir(), file),
		actual.GetAPIVersion(), actual.GetKind(), actual.GetNamespace(), actual.GetName())
	if err != nil {
		return "", fmt.Errorf("read the expected resource: %w", err)
	}
	actual = actual.DeepCopy()
	resource.FixupGenerateLabels(*actual)
	resource.FixupGenerateLabels(*expected)
	equal, err := resource.Compare(*actual, *expected, true)
	if err != nil || equal {
		return "", err
	}
	if actual.GetKind() == "Secret" {
		return "the Secret is another one; its values are not shown", nil
	}
	return unified(resource.Tidy(*expected), resource.Tidy(*actual))
}

// unified is the difference of two objects in YAML.
func unified(expected, actual unstructured.Unstructured) (string, error) {
	var lines [2][]string
	for i, obj := range []unstructured.Unstructured{expected, actual} {
		text, err := yaml.Marshal(obj.Object)
		if err != nil {
			return "", fmt.Errorf("print %s: %w", resourceOf(&obj), err)
		}
		lines[i] = difflib.SplitLines(string(text))
	}
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines[0], B: lines[1], FromFile: "expected", ToFile: "actual", Context: 2,
	})
}
