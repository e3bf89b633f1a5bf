package preview

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// clusterScoped are the kinds of Kubernetes 1.33 that have no namespace, by group.
var clusterScoped = map[string][]string{
	"": {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
		"MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
		"ValidatingWebhookConfiguration"},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
	"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"internal.apiserver.k8s.io":    {"StorageVersion"},
	"networking.k8s.io":            {"IPAddress", "IngressClass", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	"storagemigration.k8s.io":      {"StorageVersionMigration"},
}

// scopes tells which kinds have no namespace.
type scopes map[schema.GroupKind]bool

func newScopes(known []schema.GroupKind, apps []Application) scopes {
	s := scopes{}
	for group, kinds := range clusterScoped {
		for _, kind := range kinds {
			s[schema.GroupKind{Group: group, Kind: kind}] = true
		}
	}
	for _, kind := range known {
		s[kind] = true
	}
	for _, app := range apps {
		for _, resource := range app.Resources {
			if !isDefinition(resource) {
				continue
			}
			group, _, _ := unstructured.NestedString(resource.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(resource.Object, "spec", "names", "kind")
			scope, _, _ := unstructured.NestedString(resource.Object, "spec", "scope")
			s[schema.GroupKind{Group: group, Kind: kind}] = scope == "Cluster"
		}
	}
	return s
}

// targets are the resources as they are applied: in their namespaces, and the last of those with one name (argo-cd:
// controller/state.go, DeduplicateTargetObjects).
func (s scopes) targets(app *Application) []*unstructured.Unstructured {
	namespace, _, _ := unstructured.NestedString(app.Object.Object, "spec", "destination", "namespace")
	last := map[resourceKey]int{}
	for i, resource := range app.Resources {
		switch {
		case s[resource.GroupVersionKind().GroupKind()]:
			resource.SetNamespace("")
		case resource.GetNamespace() == "" && namespace != "":
			resource.SetNamespace(namespace)
		}
		key := keyOf(resource)
		if key.Name == "" {
			key.Name = fmt.Sprintf("%s%d", resource.GetGenerateName(), i)
		}
		last[key] = i
	}
	out := make([]*unstructured.Unstructured, 0, len(last))
	for i, resource := range app.Resources {
		key := keyOf(resource)
		if key.Name == "" || last[key] == i {
			out = append(out, resource)
		}
	}
	return inOrder(out)
}

// flatten takes lists apart (argo-cd: reposerver/repository/repository.go, GenerateManifests).
func flatten(resources []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, resource := range resources {
		switch {
		case resource == nil || isNullList(resource):
		case resource.IsList():
			err := resource.EachListItem(func(item runtime.Object) error {
				obj, ok := item.(*unstructured.Unstructured)
				if !ok || obj.GetKind() == "" {
					return fmt.Errorf("%s: an item is no resource", resource.GetKind())
				}
				out = append(out, obj)
				return nil
			})
			if err != nil {
				return nil, err
			}
		default:
			out = append(out, resource)
		}
	}
	return out, nil
}

// isNullList reports whether the object is a list of nothing, written as "items: null".
func isNullList(obj *unstructured.Unstructured) bool {
	items, found := obj.Object["items"]
	_, hasSpec := obj.Object["spec"]
	_, hasStatus := obj.Object["status"]
	return found && items == nil && !hasSpec && !hasStatus
}

func compareNames(a, b *unstructured.Unstructured) int {
	return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
}
