package preview

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// serverFields of the metadata are the API server's, and no declaration.
var serverFields = []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid", "ownerReferences"}

// itemKeys identify the items of a list, in the order of preference.
var itemKeys = []string{"name", "mountPath", "containerPort", "port", "key", "ip", "repoURL"}

// diffObjects returns the fields that differ, ordered by path. Values of a Secret are hidden.
func diffObjects(from, to *unstructured.Unstructured) []FieldChange {
	if isSecret(from) || isSecret(to) {
		return diffSecrets(declared(from), declared(to))
	}
	return diffValues(nil, "", declared(from), declared(to))
}

// declared is the object without what only the API server writes.
func declared(obj *unstructured.Unstructured) map[string]any {
	out := maps.Clone(obj.Object)
	delete(out, "status")
	if metadata, ok := out["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		for _, name := range serverFields {
			delete(metadata, name)
		}
		out["metadata"] = metadata
	}
	return out
}

// diffValues appends the fields at or below path that differ.
func diffValues(changes []FieldChange, path string, from, to any) []FieldChange {
	if same(from, to) {
		return changes
	}
	switch typed := from.(type) {
	case map[string]any:
		if other, ok := to.(map[string]any); ok {
			return diffMaps(changes, path, typed, other)
		}
	case []any:
		if other, ok := to.([]any); ok {
			return diffLists(changes, path, typed, other)
		}
	}
	return append(changes, FieldChange{Path: path, Old: masked(from), New: masked(to)})
}

func diffMaps(changes []FieldChange, path string, from, to map[string]any) []FieldChange {
	for _, name := range names(from, to) {
		changes = diffValues(changes, child(path, name), from[name], to[name])
	}
	return changes
}

// names are the fields of either map, in order.
func names(from, to map[string]any) []string {
	all := maps.Clone(from)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, to)
	return slices.Sorted(maps.Keys(all))
}

func diffLists(changes []FieldChange, path string, from, to []any) []FieldChange {
	key, before, after := identify(from, to)
	if key == "" {
		for i := range max(len(from), len(to)) {
			changes = diffValues(changes, fmt.Sprintf("%s[%d]", path, i), at(from, i), at(to, i))
		}
		return changes
	}
	found := len(changes)
	for i, name := range before.order {
		changes = diffValues(changes, fmt.Sprintf("%s[%s=%s]", path, key, name), from[i], after.items[name])
	}
	for i, name := range after.order {
		if _, ok := before.items[name]; !ok {
			changes = diffValues(changes, fmt.Sprintf("%s[%s=%s]", path, key, name), nil, to[i])
		}
	}
	if len(changes) == found {
		// Only the order differs, which matters for such as init containers.
		return append(changes, FieldChange{Path: path, Old: masked(texts(before.order)), New: masked(texts(after.order))})
	}
	return changes
}

// identified are the items of a list by what identifies them.
type identified struct {
	order []string
	items map[string]any
}

// identify returns the field that identifies every item of both lists, or "".
func identify(from, to []any) (string, identified, identified) {
	for _, key := range itemKeys {
		before, ok := identifyBy(key, from)
		if !ok {
			continue
		}
		if after, ok := identifyBy(key, to); ok {
			return key, before, after
		}
	}
	return "", identified{}, identified{}
}

func identifyBy(key string, list []any) (identified, bool) {
	out := identified{items: map[string]any{}}
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			return out, false
		}
		var name string
		switch value := fields[key].(type) {
		case string:
			name = maskText(value)
		case int64, float64:
			name = fmt.Sprint(value)
		default:
			return out, false
		}
		if _, repeated := out.items[name]; repeated {
			return out, false
		}
		out.items[name] = item
		out.order = append(out.order, name)
	}
	return out, true
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, text := range list {
		out[i] = text
	}
	return out
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// child is the path of a field, quoted where it holds dots or slashes, as annotations do.
func child(path, name string) string {
	if !plainName.MatchString(name) {
		return path + "[" + strconv.Quote(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// same reports whether two values mean the same in JSON, where 1 and 1.0 do.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && (a == nil) == (b == nil) && maps.EqualFunc(a, b, same)
	case []any:
		b, ok := b.([]any)
		return ok && (a == nil) == (b == nil) && slices.EqualFunc(a, b, same)
	case int64:
		if b, ok := b.(float64); ok {
			return float64(a) == b
		}
	case float64:
		if b, ok := b.(int64); ok {
			return a == float64(b)
		}
	}
	return reflect.DeepEqual(a, b)
}
