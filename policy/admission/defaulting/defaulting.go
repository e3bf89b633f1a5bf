// Package defaulting fills in what the API server adds to objects of Kubernetes' own kinds before Kyverno sees them: a
// pull policy, requests from limits, a service account, empty fields that are written or left out. A manifest leaves them
// to the server, so a policy that looks at them judges the manifest otherwise than the request.
//
// The defaults are those of Kubernetes 1.33, by its own code. What depends on a cluster is not among them: addresses, the
// default storage class, and what other admission controllers set, such as the tokens of service accounts.
package defaulting

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	appsv1 "k8s.io/kubernetes/pkg/apis/apps/v1"
	autoscalingv1 "k8s.io/kubernetes/pkg/apis/autoscaling/v1"
	autoscalingv2 "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	batchv1 "k8s.io/kubernetes/pkg/apis/batch/v1"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	networkingv1 "k8s.io/kubernetes/pkg/apis/networking/v1"
	policyv1 "k8s.io/kubernetes/pkg/apis/policy/v1"
	rbacv1 "k8s.io/kubernetes/pkg/apis/rbac/v1"
	schedulingv1 "k8s.io/kubernetes/pkg/apis/scheduling/v1"
	storagev1 "k8s.io/kubernetes/pkg/apis/storage/v1"
)

// kubernetes knows the kinds and their defaults.
var kubernetes = sync.OnceValues(func() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientscheme.AddToScheme, appsv1.RegisterDefaults, autoscalingv1.RegisterDefaults, autoscalingv2.RegisterDefaults,
		batchv1.RegisterDefaults, corev1.RegisterDefaults, networkingv1.RegisterDefaults, policyv1.RegisterDefaults,
		rbacv1.RegisterDefaults, schedulingv1.RegisterDefaults, storagev1.RegisterDefaults,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
})

// Object returns the object as the API server stores it by default; the one that is given stays as it is. Fields that
// Kubernetes does not know are gone. Objects of other kinds are returned as they are, and so is nil. The error says that
// the object is none of its kind, so that the API server would refuse it.
func Object(obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if obj == nil {
		return nil, nil //nolint:nilnil // there is nothing to fill in
	}
	scheme, err := kubernetes()
	if err != nil {
		return nil, fmt.Errorf("read the defaults of Kubernetes: %w", err)
	}
	kind := obj.GroupVersionKind()
	if !scheme.Recognizes(kind) {
		return obj, nil
	}
	typed, err := scheme.New(kind)
	if err != nil {
		return nil, fmt.Errorf("fill in %s %s: %w", kind.Kind, obj.GetName(), err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, typed); err != nil {
		return nil, fmt.Errorf("fill in %s %s: %w", kind.Kind, obj.GetName(), err)
	}
	scheme.Default(typed)
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("fill in %s %s: %w", kind.Kind, obj.GetName(), err)
	}
	out := &unstructured.Unstructured{Object: fields}
	out.SetGroupVersionKind(kind)
	dropNulls(out.Object)
	return out, nil
}

// dropNulls removes the times that nobody has set.
func dropNulls(fields map[string]any) {
	for key, value := range fields {
		switch value := value.(type) {
		case nil:
			delete(fields, key)
		case map[string]any:
			dropNulls(value)
		case []any:
			for _, item := range value {
				if item, isObject := item.(map[string]any); isObject {
					dropNulls(item)
				}
			}
		}
	}
}
