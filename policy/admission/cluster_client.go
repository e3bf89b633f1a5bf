package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/kyverno/kyverno/ext/wildcard"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clusterClient is the client that Kyverno's engine gets: it reads Data, and writes nothing.
type clusterClient struct{ *cluster }

var _ engineapi.Client = clusterClient{}

func notFound(kind schema.GroupKind, key client.ObjectKey) error {
	plural, _ := meta.UnsafeGuessKindToResource(kind.WithVersion(""))
	return apierrors.NewNotFound(plural.GroupResource(), key.Name)
}

func name(key client.ObjectKey) string {
	if key.Namespace == "" {
		return key.Name
	}
	return key.String()
}

func compareKeys(a, b client.ObjectKey) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// GetResource implements engineapi.ResourceClient.
func (c clusterClient) GetResource(
	ctx context.Context, apiVersion, kind, namespace, name string, _ ...string,
) (*unstructured.Unstructured, error) {
	group, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil, err
	}
	return c.get(recorderOf(ctx), schema.GroupKind{Group: group.Group, Kind: kind}, client.ObjectKey{Namespace: namespace, Name: name})
}

// ListResource implements engineapi.ResourceClient.
func (c clusterClient) ListResource(
	ctx context.Context, apiVersion, kind, namespace string, selector *metav1.LabelSelector,
) (*unstructured.UnstructuredList, error) {
	group, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil, err
	}
	objects, err := c.list(recorderOf(ctx), schema.GroupKind{Group: group.Group, Kind: kind}, namespace)
	if err != nil {
		return nil, err
	}
	return selected(apiVersion, kind, objects, selector)
}

func selected(apiVersion, kind string, objects []*unstructured.Unstructured, by *metav1.LabelSelector) (*unstructured.UnstructuredList, error) {
	selector := labels.Everything()
	if by != nil {
		var err error
		if selector, err = metav1.LabelSelectorAsSelector(by); err != nil {
			return nil, err
		}
	}
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": apiVersion, "kind": kind + "List"}}
	for _, obj := range objects {
		if selector.Matches(labels.Set(obj.GetLabels())) {
			list.Items = append(list.Items, *obj)
		}
	}
	return list, nil
}

// GetResources implements engineapi.ResourceClient: the targets of mutations, where everything may be a pattern.
func (c clusterClient) GetResources(
	ctx context.Context, group, version, kind, subresource, namespace, name string, by *metav1.LabelSelector,
) ([]engineapi.Resource, error) {
	if strings.ContainsAny(group+version+kind, "?") || kind == "*" {
		return nil, fmt.Errorf("target %s/%s/%s: name the kind", group, version, kind)
	}
	wanted := schema.GroupKind{Group: group, Kind: kind}
	if group == "*" {
		found := false
		for known := range c.objects {
			if known.Kind == kind {
				wanted, found = known, true
			}
		}
		if !found {
			return nil, recorderOf(ctx).record(&MissingContextError{What: "the list of " + kind, Supply: "Data.Objects"})
		}
	}
	// As Kyverno's client: an object that is named and does not exist is an error, a pattern that none matches is not.
	if namespace != "" && name != "" && !wildcard.ContainsWildcard(namespace) && !wildcard.ContainsWildcard(name) {
		if _, err := c.get(recorderOf(ctx), wanted, client.ObjectKey{Namespace: namespace, Name: name}); err != nil {
			return nil, err
		}
	}
	objects, err := c.list(recorderOf(ctx), wanted, "")
	if err != nil {
		return nil, err
	}
	list, err := selected("", kind, objects, by)
	if err != nil {
		return nil, err
	}
	var out []engineapi.Resource
	for _, obj := range list.Items {
		if !matchesPattern(namespace, obj.GetNamespace()) || !matchesPattern(name, obj.GetName()) {
			continue
		}
		found := engineapi.Resource{SubResource: subresource, Unstructured: obj}
		if mapping, err := c.mapper.RESTMapping(wanted, obj.GroupVersionKind().Version); err == nil {
			found.Group, found.Version, found.Resource = mapping.Resource.Group, mapping.Resource.Version, mapping.Resource.Resource
		}
		out = append(out, found)
	}
	return out, nil
}

// GetNamespace implements engineapi.ResourceClient.
func (c clusterClient) GetNamespace(ctx context.Context, name string, _ metav1.GetOptions) (*corev1.Namespace, error) {
	obj, err := c.get(recorderOf(ctx), schema.GroupKind{Kind: "Namespace"}, client.ObjectKey{Name: name})
	if err != nil {
		return nil, err
	}
	namespace := &corev1.Namespace{}
	return namespace, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, namespace)
}

// IsNamespaced implements engineapi.ResourceClient.
func (c clusterClient) IsNamespaced(group, version, kind string) (bool, error) {
	mapping, err := c.mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind}, version)
	if err != nil {
		return false, err
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
}

// CanI implements engineapi.AuthClient.
func (c clusterClient) CanI(context.Context, string, string, string, string, string) (bool, string, error) {
	return false, "", errors.New("permissions are not part of Data")
}

// RawAbsPath implements engineapi.RawClient: an answer in Data.APICalls, or one made of Data.Objects.
func (c clusterClient) RawAbsPath(ctx context.Context, path, method string, _ io.Reader) ([]byte, error) {
	if method == "" {
		method = "GET"
	}
	if answer, found := c.calls[apiCallKey{method, path}]; found {
		return answer, nil
	}
	missing := &MissingContextError{What: fmt.Sprintf("the answer to %s %s", method, path), Supply: "Data.APICalls or Data.Objects"}
	if method != "GET" {
		return nil, recorderOf(ctx).record(missing)
	}
	answer, err := c.answer(ctx, path)
	if errors.Is(err, errNoResource) {
		return nil, recorderOf(ctx).record(missing)
	}
	return answer, err
}

// errNoResource says that a path is none of an object or a list.
var errNoResource = errors.New("no resource")

// answer answers a path such as /apis/apps/v1/namespaces/shop/deployments/web?labelSelector=a=b from Objects.
func (c clusterClient) answer(ctx context.Context, path string) ([]byte, error) {
	parsed, err := url.Parse(path)
	if err != nil {
		return nil, errNoResource
	}
	parts := strings.Split(strings.Trim(parsed.Path, "/"), "/")
	group := schema.GroupVersion{}
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		group.Version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		group.Group, group.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return nil, errNoResource
	}
	namespace := ""
	if len(parts) >= 3 && parts[0] == "namespaces" {
		namespace, parts = parts[1], parts[2:]
	}
	kind, err := c.mapper.KindFor(group.WithResource(parts[0]))
	if err != nil || len(parts) > 2 {
		return nil, errNoResource
	}
	if len(parts) == 2 {
		obj, err := c.get(recorderOf(ctx), kind.GroupKind(), client.ObjectKey{Namespace: namespace, Name: parts[1]})
		if err != nil {
			return nil, err
		}
		return obj.MarshalJSON()
	}
	objects, err := c.list(recorderOf(ctx), kind.GroupKind(), namespace)
	if err != nil {
		return nil, err
	}
	var by *metav1.LabelSelector
	if text := parsed.Query().Get("labelSelector"); text != "" {
		if by, err = metav1.ParseToLabelSelector(text); err != nil {
			return nil, err
		}
	}
	list, err := selected(group.String(), kind.Kind, objects, by)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"apiVersion": group.String(), "kind": kind.Kind + "List", "metadata": map[string]any{}, "items": append([]unstructured.Unstructured{}, list.Items...),
	})
}
