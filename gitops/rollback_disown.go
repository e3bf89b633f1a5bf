package gitops

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// automatedFields is automated sync in the form of managedFields (FieldsV1).
var automatedFields = []string{"f:spec", "f:syncPolicy", "f:automated"}

// disowned returns the managedFields of an Application without automated sync among what the field manager has written
// by patches, nil if it is not there. A field that nobody else owns any more goes with the last who applies it: who
// only restored it must not keep it.
func disowned(obj *unstructured.Unstructured, manager string) []any {
	entries, _, err := unstructured.NestedSlice(obj.Object, "metadata", "managedFields")
	if err != nil {
		return nil
	}
	var kept []any
	changed := false
	for _, item := range entries {
		entry, _ := item.(map[string]any)
		fields, _ := entry["fieldsV1"].(map[string]any)
		if entry["manager"] == manager && entry["operation"] == "Update" && removeField(fields, automatedFields) {
			changed = true
			if len(fields) == 0 {
				continue
			}
		}
		kept = append(kept, item)
	}
	switch {
	case !changed:
		return nil
	case len(kept) == 0:
		// The API server takes an empty list for one that was not given: an empty entry clears it.
		return []any{map[string]any{}}
	default:
		return kept
	}
}

// removeField removes the path and the parents that hold nothing else, and says whether it was there. An empty map is a
// field itself in this form, so none may be left behind.
func removeField(fields map[string]any, path []string) bool {
	child, found := fields[path[0]].(map[string]any)
	if !found {
		return false
	}
	if len(path) > 1 {
		if !removeField(child, path[1:]) {
			return false
		}
		if len(child) > 0 {
			return true
		}
	}
	delete(fields, path[0])
	return true
}
