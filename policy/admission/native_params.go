package admission

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// params returns the objects that a binding names as parameters, one nil for a policy that takes none, and nothing at all
// where the binding allows that there are none.
// apiserver: pkg/admission/plugin/policy/generic/policy_dispatcher.go, CollectParams
func (w *nativeWork) params(
	kind *admissionregistrationv1.ParamKind, ref *admissionregistrationv1.ParamRef, binding string,
) ([]runtime.Object, error) {
	if kind == nil || ref == nil {
		return []runtime.Object{nil}, nil
	}
	group, err := schema.ParseGroupVersion(kind.APIVersion)
	if err != nil {
		return nil, err
	}
	wanted := schema.GroupKind{Group: group.Group, Kind: kind.Kind}
	namespace := ref.Namespace
	mapping, err := w.cluster.mapper.RESTMapping(wanted, group.Version)
	if err == nil && namespace == "" && mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if namespace = w.work.request.subject().GetNamespace(); namespace == "" {
			return nil, fmt.Errorf("binding %s: a request for what has no namespace needs spec.paramRef.namespace", binding)
		}
	}
	var found []runtime.Object
	missing := &recorder{}
	if ref.Name != "" {
		obj, err := w.cluster.get(missing, wanted, client.ObjectKey{Namespace: namespace, Name: ref.Name})
		if err == nil {
			found = append(found, obj)
		} else if !apierrors.IsNotFound(err) {
			return nil, err
		}
	} else {
		objects, err := w.cluster.list(missing, wanted, namespace)
		if err != nil {
			return nil, err
		}
		list, err := selected(kind.APIVersion, kind.Kind, objects, ref.Selector)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
	}
	denies := ref.ParameterNotFoundAction == nil || *ref.ParameterNotFoundAction == admissionregistrationv1.DenyAction
	if len(found) == 0 && denies {
		return nil, fmt.Errorf("binding %s: no %s is what spec.paramRef names", binding, kind.Kind)
	}
	return found, nil
}
