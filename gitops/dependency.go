package gitops

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// dependency is an object that another one names in a field.
type dependency struct {
	on   identity
	path string
	// fatal as in reference.
	fatal bool
}

// identity names an object of a set; cluster-scoped ones without a namespace.
type identity struct {
	kind            schema.GroupKind
	namespace, name string
}

func (i identity) String() string { return describe(i.kind.Kind, i.namespace, i.name) }

func describe(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return kind + " " + name
}

// dependencies returns what an object names and does not declare optional.
func dependencies(obj *unstructured.Unstructured) []dependency {
	kind := obj.GroupVersionKind().GroupKind()
	var out []dependency
	for _, ref := range references[kind] {
		out = append(out, ref.in(obj)...)
	}
	workload, ok := workloads[kind]
	if !ok {
		return out
	}
	for _, ref := range podReferences {
		ref.path = workload.podSpec + "." + ref.path
		ref.fatal = ref.fatal && workload.awaited
		out = append(out, ref.in(obj)...)
	}
	return out
}

func (r reference) in(obj *unstructured.Unstructured) []dependency {
	var out []dependency
	names(obj.Object, strings.Split(r.path, "."), "", func(path, name string, beside map[string]any) {
		on := r.target(obj, name, beside)
		if optional, _ := beside["optional"].(bool); !optional && alwaysThere[on.kind] != name {
			out = append(out, dependency{on: on, path: path, fatal: r.fatal})
		}
	})
	return out
}

func (r reference) target(obj *unstructured.Unstructured, name string, beside map[string]any) identity {
	text := func(key string) string {
		value, _ := beside[key].(string)
		return value
	}
	to := r.to
	// "kind" beside a name that is not in a reference of its own is the kind of the object itself.
	if kind := text("kind"); kind != "" && strings.HasSuffix(strings.ToLower(r.path), "ref.name") {
		to.Kind = kind
		to.Group = cmp.Or(text("apiGroup"), text("group"), to.Group)
		if version, err := schema.ParseGroupVersion(text("apiVersion")); err == nil && text("apiVersion") != "" {
			to.Group = version.Group
		}
	}
	return newIdentity(to, cmp.Or(text("namespace"), obj.GetNamespace()), name)
}

func newIdentity(kind schema.GroupKind, namespace, name string) identity {
	if slices.Contains(clusterScoped, kind) {
		namespace = ""
	}
	return identity{kind: kind, namespace: namespace, name: name}
}

// names visits the strings at a path, each with the map that holds it.
func names(value any, path []string, at string, visit func(path, name string, beside map[string]any)) {
	fields, ok := value.(map[string]any)
	if !ok {
		return
	}
	field, list := strings.CutSuffix(path[0], "[]")
	here := strings.TrimPrefix(at+"."+field, ".")
	if len(path) == 1 {
		if name, _ := fields[field].(string); name != "" {
			visit(here, name, fields)
		}
		return
	}
	if !list {
		names(fields[field], path[1:], here, visit)
		return
	}
	items, _ := fields[field].([]any)
	for i, item := range items {
		names(item, path[1:], fmt.Sprintf("%s[%d]", here, i), visit)
	}
}

// provides returns the object's own identity and that of a Secret that a controller makes for it.
func provides(obj *unstructured.Unstructured) []identity {
	kind := obj.GroupVersionKind().GroupKind()
	out := []identity{newIdentity(kind, obj.GetNamespace(), obj.GetName())}
	secret := ""
	switch kind {
	case grouped(externals, "ExternalSecret"):
		policy, _, _ := unstructured.NestedString(obj.Object, "spec", "target", "creationPolicy")
		if policy != "Merge" && policy != "None" {
			secret, _, _ = unstructured.NestedString(obj.Object, "spec", "target", "name")
			secret = cmp.Or(secret, obj.GetName())
		}
	case grouped(certificates, "Certificate"):
		secret, _, _ = unstructured.NestedString(obj.Object, "spec", "secretName")
	case grouped("bitnami.com", "SealedSecret"):
		secret = obj.GetName()
	}
	if secret != "" {
		out = append(out, newIdentity(core("Secret"), obj.GetNamespace(), secret))
	}
	return out
}

// bindings returns the role bindings of each ServiceAccount.
func bindings(objects []*unstructured.Unstructured) map[identity][]*unstructured.Unstructured {
	out := map[identity][]*unstructured.Unstructured{}
	for _, obj := range objects {
		kind := obj.GroupVersionKind().GroupKind()
		if kind != grouped(rbac, "RoleBinding") && kind != grouped(rbac, "ClusterRoleBinding") {
			continue
		}
		names(obj.Object, []string{"subjects[]", "name"}, "", func(_, name string, subject map[string]any) {
			if kind, _ := subject["kind"].(string); kind == "ServiceAccount" {
				namespace, _ := subject["namespace"].(string)
				account := newIdentity(core("ServiceAccount"), cmp.Or(namespace, obj.GetNamespace()), name)
				out[account] = append(out[account], obj)
			}
		})
	}
	return out
}
