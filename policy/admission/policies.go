package admission

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	classicGroup = "kyverno.io"
	celGroup     = "policies.kyverno.io"
	nativeGroup  = "admissionregistration.k8s.io"
)

// sortedPolicies are policies and exceptions by their family.
type sortedPolicies struct {
	classic, cel, native             []*unstructured.Unstructured
	classicExceptions, celExceptions []*unstructured.Unstructured
}

func sortPolicies(policies, exceptions []*unstructured.Unstructured) (sortedPolicies, error) {
	var sorted sortedPolicies
	var errs []error
	for i, obj := range policies {
		if obj == nil || obj.Object == nil {
			errs = append(errs, fmt.Errorf("policies[%d]: it is empty", i))
			continue
		}
		gvk := obj.GroupVersionKind()
		switch {
		case gvk.Group == classicGroup && (gvk.Kind == "ClusterPolicy" || gvk.Kind == "Policy" || isCleanup(gvk.Kind)):
			sorted.classic = append(sorted.classic, obj)
		case gvk.Group == celGroup && gvk.Kind != "PolicyException":
			sorted.cel = append(sorted.cel, obj)
		case gvk.Group == nativeGroup:
			sorted.native = append(sorted.native, obj)
		case gvk.Group == "rbac.authorization.k8s.io":
			// policy.Build returns the permissions of Kyverno's controllers beside the policies.
		default:
			errs = append(errs, &CompileError{Policy: refOf(obj), Err: fmt.Errorf("%s is no kind of policy", gvk.GroupKind())})
		}
	}
	for i, obj := range exceptions {
		switch {
		case obj == nil || obj.Object == nil:
			errs = append(errs, fmt.Errorf("exceptions[%d]: it is empty", i))
		case obj.GroupVersionKind().GroupKind() == schema.GroupKind{Group: classicGroup, Kind: "PolicyException"}:
			sorted.classicExceptions = append(sorted.classicExceptions, obj)
		case obj.GroupVersionKind().GroupKind() == schema.GroupKind{Group: celGroup, Kind: "PolicyException"}:
			sorted.celExceptions = append(sorted.celExceptions, obj)
		default:
			errs = append(errs, &CompileError{Policy: refOf(obj), Err: errors.New("it is no PolicyException")})
		}
	}
	return sorted, errors.Join(errs...)
}

func refOf(obj *unstructured.Unstructured) PolicyRef {
	return PolicyRef{Kind: obj.GetKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
}
