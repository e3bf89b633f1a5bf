package gitops

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// The lists of an owner's spec that guards go to, as paths below spec.
const (
	ignoredInGenerated = "ignoreApplicationDifferences"
	ignoredInDeployed  = "ignoreDifferences"
	ownerSyncOptions   = "syncPolicy.syncOptions"
)

const respectIgnored = "RespectIgnoreDifferences=true"

// guard is what an owner's lists must hold: elements by the path of their list below spec.
type guard map[string][]any

// guardRecord is what one rollback has added to an owner. What several have added belongs to all of them, until the last
// one is restored; what was there before belongs to none.
type guardRecord struct {
	Added guard `json:"added,omitempty"`
	// Created are the lists, and the maps that hold them, that did not exist.
	Created []string `json:"created,omitempty"`
	// Automated of the rolled back Application when its direct owner was guarded: a second memory, because an
	// ApplicationSet that is still at work on its old state wipes the annotations of the Application.
	Automated json.RawMessage `json:"automated,omitempty"`
}

// guardRecords is the value of RollbackGuardsAnnotation: by "namespace/name" of the rolled back Application.
type guardRecords map[string]guardRecord

func guardRecordsOf(owner *unstructured.Unstructured) (guardRecords, error) {
	records := guardRecords{}
	if text, found := owner.GetAnnotations()[RollbackGuardsAnnotation]; found {
		if err := json.Unmarshal([]byte(text), &records); err != nil {
			return nil, malformed(owner, RollbackGuardsAnnotation, err)
		}
	}
	return records, nil
}

// guardPatch returns the merge patch that adds what is missing of the guard for the holder, and nil if nothing is. The
// automation is remembered when the holder is new.
func guardPatch(
	owner *unstructured.Unstructured, holder string, wanted guard, automated json.RawMessage,
) (map[string]any, error) {
	records, err := guardRecordsOf(owner)
	if err != nil {
		return nil, err
	}
	before, known := records[holder]
	after := guardRecord{Added: guard{}, Created: slices.Clone(before.Created), Automated: before.Automated}
	if !known {
		after.Automated = automated
	}
	spec := map[string]any{}
	for _, list := range keys(wanted) {
		values := elements(owner, list)
		added := slices.Clone(before.Added[list])
		for _, value := range wanted[list] {
			missing := !contains(values, value)
			if missing {
				values = append(values, value)
				setNested(spec, list, values)
			}
			if (missing || records.added(list, value)) && !contains(added, value) {
				added = append(added, value)
			}
		}
		if len(added) == 0 {
			continue
		}
		after.Added[list] = added
		for _, path := range prefixes(list) {
			if (!exists(owner, path) || records.created(path)) && !slices.Contains(after.Created, path) {
				after.Created = append(after.Created, path)
			}
		}
	}
	for list, added := range before.Added {
		if _, still := wanted[list]; !still {
			after.Added[list] = added
		}
	}
	records[holder] = after
	if known && len(spec) == 0 && sameRecord(before, after) {
		return nil, nil
	}
	return ownerPatch(spec, records)
}

// releasePatch returns the merge patch that removes what the holder alone has added, and nil if it has added nothing.
// What others have added, before or since, stays.
func releasePatch(owner *unstructured.Unstructured, holder string) (map[string]any, error) {
	records, err := guardRecordsOf(owner)
	if err != nil {
		return nil, err
	}
	mine, known := records[holder]
	if !known {
		return nil, nil
	}
	delete(records, holder)
	rest := &unstructured.Unstructured{Object: map[string]any{"spec": runtime.DeepCopyJSONValue(owner.Object["spec"])}}
	spec := map[string]any{}
	for _, list := range keys(mine.Added) {
		if !exists(owner, list) {
			continue
		}
		values := elements(owner, list)
		for _, value := range mine.Added[list] {
			at := slices.IndexFunc(values, func(other any) bool { return reflect.DeepEqual(value, other) })
			if at >= 0 && !records.added(list, value) {
				values = slices.Delete(values, at, at+1)
			}
		}
		setNested(spec, list, values)
		setNested(rest.Object["spec"].(map[string]any), list, values)
	}
	for _, list := range keys(mine.Added) {
		for _, path := range slices.Backward(prefixes(list)) {
			if exists(rest, path) && isEmptyAt(rest, path) && slices.Contains(mine.Created, path) && !records.created(path) {
				unstructured.RemoveNestedField(rest.Object, specPath(path)...)
				setNested(spec, path, nil)
			}
		}
	}
	return ownerPatch(spec, records)
}

// ownerPatch writes the records together with the fields they are about, so that neither is ever without the other.
func ownerPatch(spec map[string]any, records guardRecords) (map[string]any, error) {
	var annotation any
	if len(records) > 0 {
		text, err := json.Marshal(records)
		if err != nil {
			return nil, err
		}
		annotation = string(text)
	}
	patch := map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{RollbackGuardsAnnotation: annotation}},
	}
	if len(spec) > 0 {
		patch["spec"] = spec
	}
	return patch, nil
}

// isIn reports whether the owner's lists hold all of the guard.
func (g guard) isIn(owner *unstructured.Unstructured) bool {
	for list, wanted := range g {
		values := elements(owner, list)
		for _, value := range wanted {
			if !contains(values, value) {
				return false
			}
		}
	}
	return true
}

// added reports whether some rollback has added the element.
func (r guardRecords) added(list string, value any) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(r)), func(record guardRecord) bool {
		return contains(record.Added[list], value)
	})
}

func (r guardRecords) created(path string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(r)), func(record guardRecord) bool {
		return slices.Contains(record.Created, path)
	})
}

func sameRecord(a, b guardRecord) bool {
	return slices.Equal(a.Created, b.Created) && reflect.DeepEqual(a.Added, b.Added)
}

func contains(values []any, value any) bool {
	return slices.ContainsFunc(values, func(other any) bool { return reflect.DeepEqual(value, other) })
}

func elements(owner *unstructured.Unstructured, list string) []any {
	values, _, _ := unstructured.NestedSlice(owner.Object, specPath(list)...)
	return values
}

func exists(owner *unstructured.Unstructured, path string) bool {
	_, found, _ := unstructured.NestedFieldNoCopy(owner.Object, specPath(path)...)
	return found
}

func isEmptyAt(owner *unstructured.Unstructured, path string) bool {
	value, _, _ := unstructured.NestedFieldNoCopy(owner.Object, specPath(path)...)
	switch value := value.(type) {
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	default:
		return value == nil
	}
}

func specPath(path string) []string { return append([]string{"spec"}, strings.Split(path, ".")...) }

// prefixes returns "a", "a.b" and "a.b.c" of "a.b.c".
func prefixes(path string) []string {
	var out []string
	for i, r := range path {
		if r == '.' {
			out = append(out, path[:i])
		}
	}
	return append(out, path)
}

// setNested writes a value at a path and makes the maps on the way, also where the patch removes one.
func setNested(fields map[string]any, path string, value any) {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		fields[first] = value
		return
	}
	inner, ok := fields[first].(map[string]any)
	if !ok {
		inner = map[string]any{}
		fields[first] = inner
	}
	setNested(inner, rest, value)
}
