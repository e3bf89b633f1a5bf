package admission

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/data"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cluster answers from Data what policies ask a cluster for.
type cluster struct {
	objects  map[schema.GroupKind]map[client.ObjectKey]*unstructured.Unstructured
	calls    map[apiCallKey][]byte
	global   map[string]any
	images   map[string]map[string]any
	mapper   meta.RESTMapper
	custom   *meta.DefaultRESTMapper
	complete map[schema.GroupKind]bool
}

type apiCallKey struct{ method, url string }

func newCluster(in Data) (*cluster, error) {
	resources, err := data.APIGroupResources()
	if err != nil {
		return nil, fmt.Errorf("read the API groups of Kubernetes: %w", err)
	}
	c := &cluster{
		objects:  map[schema.GroupKind]map[client.ObjectKey]*unstructured.Unstructured{},
		calls:    map[apiCallKey][]byte{},
		global:   in.GlobalContext,
		images:   in.Images,
		complete: map[schema.GroupKind]bool{},
		custom:   meta.NewDefaultRESTMapper(nil),
	}
	for i, obj := range in.Objects {
		if obj == nil || obj.GetKind() == "" || obj.GetName() == "" {
			return nil, fmt.Errorf("data.objects[%d]: it needs an apiVersion, a kind and a name", i)
		}
		kind := obj.GroupVersionKind().GroupKind()
		if c.objects[kind] == nil {
			c.objects[kind] = map[client.ObjectKey]*unstructured.Unstructured{}
		}
		c.objects[kind][client.ObjectKeyFromObject(obj)] = obj.DeepCopy()
		c.complete[kind] = true
		if obj.GetKind() == "CustomResourceDefinition" {
			c.define(obj)
		}
	}
	for _, kind := range in.Complete {
		c.complete[kind] = true
	}
	for i, call := range in.APICalls {
		answer, err := json.Marshal(call.Answer)
		if err != nil {
			return nil, fmt.Errorf("data.apiCalls[%d].answer: %w", i, err)
		}
		method := call.Method
		if method == "" {
			method = "GET"
		}
		c.calls[apiCallKey{method, call.URL}] = answer
	}
	c.mapper = meta.FirstHitRESTMapper{MultiRESTMapper: meta.MultiRESTMapper{c.custom, restmapper.NewDiscoveryRESTMapper(resources)}}
	return c, nil
}

// define makes a custom kind known.
func (c *cluster) define(crd *unstructured.Unstructured) {
	text := func(path ...string) string {
		value, _, _ := unstructured.NestedString(crd.Object, path...)
		return value
	}
	scope := meta.RESTScopeNamespace
	if text("spec", "scope") == "Cluster" {
		scope = meta.RESTScopeRoot
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, item := range versions {
		version, _ := item.(map[string]any)
		name, _ := version["name"].(string)
		group := schema.GroupVersion{Group: text("spec", "group"), Version: name}
		plural, singular := text("spec", "names", "plural"), text("spec", "names", "singular")
		c.custom.AddSpecific(group.WithKind(text("spec", "names", "kind")), group.WithResource(plural), group.WithResource(singular), scope)
	}
}

// resource is what kind of object a request is about.
type resource struct {
	// kind of the top level object, and the subresource of it that is asked for.
	kind        schema.GroupVersionKind
	subresource string
	// mapping is nil for a kind that nothing defines.
	mapping *meta.RESTMapping
}

// plural is the resource as the API's paths name it, empty if it is not known.
func (r resource) plural() string {
	if r.mapping == nil {
		return ""
	}
	return r.mapping.Resource.Resource
}

func (c *cluster) resourceOf(request Request) (resource, error) {
	out := resource{kind: request.subject().GroupVersionKind(), subresource: request.Subresource}
	if !request.Parent.Empty() {
		out.kind = request.Parent
	}
	mapping, err := c.mapper.RESTMapping(out.kind.GroupKind(), out.kind.Version)
	switch {
	case err == nil:
		out.mapping = mapping
	case !meta.IsNoMatchError(err):
		return resource{}, err
	}
	return out, nil
}

// guessResource names the resource of a kind that nothing defines.
func guessResource(kind schema.GroupVersionKind) schema.GroupVersionResource {
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	return plural
}

// sortedValues returns the values of a map in the order of its keys.
func sortedValues[V any](values map[string]V) []V {
	out := make([]V, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out = append(out, values[key])
	}
	return out
}

// get returns an object; a kind that is not complete is missing.
func (c *cluster) get(r *recorder, kind schema.GroupKind, key client.ObjectKey) (*unstructured.Unstructured, error) {
	if obj := c.objects[kind][key]; obj != nil {
		return obj.DeepCopy(), nil
	}
	if c.complete[kind] {
		return nil, notFound(kind, key)
	}
	return nil, r.record(&MissingContextError{What: fmt.Sprintf("%s %s", kind.Kind, name(key)), Supply: "Data.Objects"})
}

// list returns the objects of a kind, in the order of their names. No namespace stands for all.
func (c *cluster) list(r *recorder, kind schema.GroupKind, namespace string) ([]*unstructured.Unstructured, error) {
	if !c.complete[kind] {
		return nil, r.record(&MissingContextError{
			What: fmt.Sprintf("the list of %s", kind.Kind), Supply: "Data.Objects (or name the kind in Data.Complete if there are none)",
		})
	}
	var out []*unstructured.Unstructured
	keys := slices.SortedFunc(maps.Keys(c.objects[kind]), func(a, b client.ObjectKey) int { return compareKeys(a, b) })
	for _, key := range keys {
		if namespace == "" || key.Namespace == namespace {
			out = append(out, c.objects[kind][key].DeepCopy())
		}
	}
	return out, nil
}

// namespace returns a Namespace of the data, nil if it is not there.
func (c *cluster) namespace(name string) *unstructured.Unstructured {
	return c.objects[schema.GroupKind{Kind: "Namespace"}][client.ObjectKey{Name: name}]
}

// namespaceLabels returns those of a request's namespace; nil and no error for what has none.
func (c *cluster) namespaceLabels(r *recorder, request Request) (map[string]string, error) {
	obj := request.subject()
	if obj.GetNamespace() == "" || obj.GetKind() == "Namespace" {
		return nil, nil
	}
	labels := request.NamespaceLabels
	if labels == nil {
		namespace := c.namespace(obj.GetNamespace())
		if namespace == nil {
			return nil, r.record(&MissingContextError{
				What: "the labels of Namespace " + obj.GetNamespace(), Supply: "Request.NamespaceLabels or Data.Objects",
			})
		}
		labels = namespace.GetLabels()
	}
	// The API server sets this label on every Namespace.
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	if _, found := labels["kubernetes.io/metadata.name"]; !found {
		labels["kubernetes.io/metadata.name"] = obj.GetNamespace()
	}
	return labels, nil
}
