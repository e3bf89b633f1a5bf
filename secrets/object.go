package secrets

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

var groupVersion = schema.GroupVersion{Group: "external-secrets.io", Version: "v1"}

const (
	secretStoreKind        = "SecretStore"
	clusterSecretStoreKind = "ClusterSecretStore"
	externalSecretKind     = "ExternalSecret"
)

// build returns the object with a copy of the spec, or every fault as one
// Invalid error. The spec is made only when there is no fault.
func build(kind string, meta object.Meta, faults field.ErrorList, spec func() map[string]any) (*unstructured.Unstructured, error) {
	gvk := groupVersion.WithKind(kind)
	if err := object.Invalid(gvk.GroupKind(), meta.Name, faults); err != nil {
		return nil, err
	}
	content, err := object.Encode(map[string]any{"spec": spec()})
	if err != nil {
		return nil, err
	}
	return object.New(gvk, meta, content), nil
}

// validateNamespaced checks the metadata of an object that lives in a namespace.
func validateNamespaced(meta object.Meta) field.ErrorList {
	faults := meta.Validate()
	if meta.Namespace == "" {
		faults = append(faults, field.Required(field.NewPath("namespace"), ""))
	}
	return faults
}

// requireOne checks a fragment that is a union of upstream.
func requireOne(path *field.Path, fragment map[string]any) field.ErrorList {
	if len(fragment) > 1 {
		return field.ErrorList{field.TooMany(path, len(fragment), 1)}
	}
	return object.RequiredFragment(path, fragment)
}
