package bootstrap

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// settled leaves out what changes with every write, and the status, which
// applying does not touch.
func settled(object *unstructured.Unstructured) map[string]any {
	content := maps.Clone(object.Object)
	delete(content, "status")
	if metadata, ok := content["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		for _, name := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
			delete(metadata, name)
		}
		content["metadata"] = metadata
	}
	return content
}

// changedFields lists the paths of the smallest parts that differ, sorted.
// Lists of different length differ as a whole.
func changedFields(from, to any) []string {
	var paths []string
	compare("", from, to, func(path string) { paths = append(paths, path) })
	slices.Sort(paths)
	return paths
}

func compare(path string, from, to any, differs func(path string)) {
	fromMap, isMap := from.(map[string]any)
	if toMap, both := to.(map[string]any); isMap && both {
		compareMaps(path, fromMap, toMap, differs)
		return
	}
	fromList, isList := from.([]any)
	if toList, both := to.([]any); isList && both && len(fromList) == len(toList) {
		for i := range fromList {
			compare(path+"["+strconv.Itoa(i)+"]", fromList[i], toList[i], differs)
		}
		return
	}
	if !reflect.DeepEqual(from, to) {
		differs(path)
	}
}

func compareMaps(path string, from, to map[string]any, differs func(path string)) {
	for key, value := range from {
		other, found := to[key]
		if !found {
			differs(path + fieldStep(key))
			continue
		}
		compare(path+fieldStep(key), value, other, differs)
	}
	for key := range to {
		if _, found := from[key]; !found {
			differs(path + fieldStep(key))
		}
	}
}

func fieldStep(key string) string {
	if strings.ContainsAny(key, "./[]\" ") {
		return "[" + strconv.Quote(key) + "]"
	}
	return "." + key
}
