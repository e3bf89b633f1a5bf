package gitops

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// AnnotationError says that an annotation of an object holds something that Argo CD ignores or rejects.
type AnnotationError struct {
	// Annotation is its key, such as "argocd.argoproj.io/sync-wave".
	Annotation string
	// Value as found.
	Value string
	// Problem with the value, and what to write instead.
	Problem string
}

func (e *AnnotationError) Error() string {
	return fmt.Sprintf("annotation %s: %q %s", e.Annotation, e.Value, e.Problem)
}

// readAnnotation returns "" for an annotation that is missing. In YAML a value without quotes may be a number or a
// boolean; Argo CD then generates no manifests at all, so that is an error.
func readAnnotation(obj metav1.Object, key string) (value string, found bool, err error) {
	untyped, ok := obj.(*unstructured.Unstructured)
	if !ok {
		value, found = obj.GetAnnotations()[key]
		return value, found, nil
	}
	annotations, _, _ := unstructured.NestedFieldNoCopy(untyped.Object, "metadata", "annotations")
	values, _ := annotations.(map[string]any)
	raw, found := values[key]
	if value, ok = raw.(string); found && !ok {
		return "", true, &AnnotationError{Annotation: key, Value: fmt.Sprint(raw), Problem: "is not a string: put it in quotes"}
	}
	return value, found, nil
}

// writeAnnotation sets one annotation, or removes it when the value is empty, and leaves the others as they are. The
// map is replaced and not changed: several objects may share it.
func writeAnnotation(obj metav1.Object, key, value string) {
	if untyped, ok := obj.(*unstructured.Unstructured); ok {
		writeUntyped(untyped, key, value)
		return
	}
	annotations := maps.Clone(obj.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	if value == "" {
		delete(annotations, key)
	}
	obj.SetAnnotations(annotations)
}

// writeUntyped exists because SetAnnotations would drop all annotations when one of them is not a string.
func writeUntyped(obj *unstructured.Unstructured, key, value string) {
	raw, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "metadata", "annotations")
	before, _ := raw.(map[string]any)
	annotations := maps.Clone(before)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[key] = value
	if value == "" {
		delete(annotations, key)
	}
	if obj.Object == nil {
		obj.Object = map[string]any{}
	}
	metadata, ok := obj.Object["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		obj.Object["metadata"] = metadata
	}
	metadata["annotations"] = annotations
	if len(annotations) == 0 {
		delete(metadata, "annotations")
	}
}

// listEntries splits a list as Argo CD does: at commas, without blanks around and without repetitions.
// gitops-engine: pkg/sync/resource/annotations.go
func listEntries(list string) []string {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" && !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}

// knownEntries splits a list into what the table knows and what it does not.
func knownEntries[T ~string](list string, table []T) (values []T, unknown []string) {
	for _, item := range listEntries(list) {
		if slices.Contains(table, T(item)) {
			values = append(values, T(item))
		} else {
			unknown = append(unknown, item)
		}
	}
	return values, unknown
}

func joinList[T ~string](values []T) string {
	var b strings.Builder
	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(value))
	}
	return b.String()
}
