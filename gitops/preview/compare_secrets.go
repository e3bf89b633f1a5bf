package preview

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

func isSecret(obj *unstructured.Unstructured) bool {
	return obj.GetKind() == "Secret" && obj.GroupVersionKind().Group == ""
}

// diffSecrets tells which entries of a Secret differ, and shows values only of what cannot be secret. Annotations can:
// kubectl keeps a copy of the data in one.
func diffSecrets(from, to map[string]any) []FieldChange {
	var changes []FieldChange
	for _, change := range diffLevel("", from, to) {
		before, isMap := from[change.Path].(map[string]any)
		after, stillMap := to[change.Path].(map[string]any)
		switch {
		case !isMap || !stillMap:
			changes = append(changes, change)
		case change.Path == "metadata":
			for _, field := range diffLevel("metadata", before, after) {
				if field.Path == "metadata.labels" {
					changes = diffValues(changes, field.Path, before["labels"], after["labels"])
					continue
				}
				changes = append(changes, field)
			}
		default:
			changes = append(changes, diffLevel(change.Path, before, after)...)
		}
	}
	return changes
}

// diffLevel returns the fields of two maps that differ, without their values.
func diffLevel(path string, from, to map[string]any) []FieldChange {
	var changes []FieldChange
	for _, name := range names(from, to) {
		if !same(from[name], to[name]) {
			changes = append(changes, FieldChange{Path: child(path, name), Hidden: true})
		}
	}
	return changes
}
