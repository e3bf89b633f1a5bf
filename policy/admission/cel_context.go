package admission

import (
	"fmt"

	"github.com/kyverno/kyverno/pkg/cel/libs"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// celContext is what the libraries of Kyverno's CEL ask: it answers from Data, and collects what is generated. It serves
// one evaluation.
type celContext struct {
	cluster   *cluster
	missing   *recorder
	generated []*unstructured.Unstructured
}

var _ libs.Context = (*celContext)(nil)

func (c *celContext) kindOf(apiVersion, resource string) (schema.GroupKind, string, error) {
	group, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return schema.GroupKind{}, "", err
	}
	kind, err := c.cluster.mapper.KindFor(group.WithResource(resource))
	if err != nil {
		return schema.GroupKind{}, "", c.missing.record(&MissingContextError{
			What: fmt.Sprintf("the resource %s of %s", resource, apiVersion), Supply: "Data.Objects, as a CustomResourceDefinition",
		})
	}
	return kind.GroupKind(), kind.Kind, nil
}

// GetResource implements resource.ContextInterface.
func (c *celContext) GetResource(apiVersion, resource, namespace, name string) (*unstructured.Unstructured, error) {
	kind, _, err := c.kindOf(apiVersion, resource)
	if err != nil {
		return nil, err
	}
	return c.cluster.get(c.missing, kind, client.ObjectKey{Namespace: namespace, Name: name})
}

// ListResources implements resource.ContextInterface.
func (c *celContext) ListResources(apiVersion, resource, namespace string) (*unstructured.UnstructuredList, error) {
	kind, name, err := c.kindOf(apiVersion, resource)
	if err != nil {
		return nil, err
	}
	objects, err := c.cluster.list(c.missing, kind, namespace)
	if err != nil {
		return nil, err
	}
	return selected(apiVersion, name, objects, nil)
}

// PostResource implements resource.ContextInterface. What the API server would answer is not known.
func (c *celContext) PostResource(apiVersion, resource, _ string, _ map[string]any) (*unstructured.Unstructured, error) {
	return nil, c.missing.record(&MissingContextError{
		What: fmt.Sprintf("the answer to creating %s of %s", resource, apiVersion), Supply: "a cluster: it cannot be given",
	})
}

// GetGlobalReference implements globalcontext.ContextInterface.
func (c *celContext) GetGlobalReference(name, projection string) (any, error) {
	value, found := c.cluster.global[name]
	if !found {
		return nil, c.missing.record(&MissingContextError{What: "GlobalContextEntry " + name, Supply: "Data.GlobalContext"})
	}
	return globalEntry{name, value}.Get(projection)
}

// GetImageData implements imagedata.ContextInterface.
func (c *celContext) GetImageData(image string) (map[string]any, error) {
	data, found := c.cluster.images[image]
	if !found {
		return nil, c.missing.record(&MissingContextError{What: "image " + image, Supply: "Data.Images"})
	}
	return data, nil
}

// GenerateResources implements generator.ContextInterface.
func (c *celContext) GenerateResources(namespace string, items []map[string]any) error {
	for _, item := range items {
		obj := &unstructured.Unstructured{Object: item}
		objects := []*unstructured.Unstructured{obj}
		if obj.IsList() {
			list, err := obj.ToList()
			if err != nil {
				return err
			}
			objects = nil
			for i := range list.Items {
				objects = append(objects, &list.Items[i])
			}
		}
		for _, made := range objects {
			made.SetNamespace(namespace)
			c.generated = append(c.generated, made)
		}
	}
	return nil
}

// GetGeneratedResources implements libs.Context.
func (c *celContext) GetGeneratedResources() []*unstructured.Unstructured { return c.generated }

// ClearGeneratedResources implements libs.Context.
func (c *celContext) ClearGeneratedResources() { c.generated = nil }

// SetGenerateContext implements libs.Context: the labels that the controller adds are not part of the answer.
func (c *celContext) SetGenerateContext(string, string, string, string, string, string, string, bool) {
}
