package admission

import (
	"bytes"

	"github.com/pmezard/go-difflib/difflib"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Diff returns what mutation changed, as a unified diff of YAML; empty if nothing changed. The values of Secrets are left
// out.
func (r *Response) Diff() string {
	if r.original == nil || r.Object == nil {
		return ""
	}
	before, after := printable(r.original), printable(r.Object)
	if bytes.Equal(before, after) {
		return ""
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(string(before)), B: difflib.SplitLines(string(after)),
		FromFile: "requested", ToFile: "mutated", Context: 3,
	})
	if err != nil {
		return "" // Only a failing writer is an error, and this one is memory.
	}
	return text
}

func printable(obj *unstructured.Unstructured) []byte {
	if obj.GetKind() == "Secret" {
		obj = obj.DeepCopy()
		for _, field := range []string{"data", "stringData"} {
			values, _, _ := unstructured.NestedMap(obj.Object, field)
			for key := range values {
				values[key] = "(not shown)"
			}
			if len(values) > 0 {
				obj.Object[field] = values
			}
		}
	}
	out, err := yaml.Marshal(obj.Object)
	if err != nil {
		return nil
	}
	return out
}
