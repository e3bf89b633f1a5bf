package secrets

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SecretStore gives the ExternalSecrets of its namespace access to a provider.
type SecretStore struct {
	// Name of the store, which ExternalSecrets refer to. Required.
	Name string
	// Namespace of the store. Required.
	Namespace string
	// Labels and Annotations are put on the object.
	Labels      map[string]string
	Annotations map[string]string
	// Provider is where the secrets are. Required.
	Provider Provider
}

// ClusterSecretStore gives the ExternalSecrets of several namespaces access to a
// provider.
type ClusterSecretStore struct {
	// Name of the store, which ExternalSecrets refer to. Required.
	Name string
	// Labels and Annotations are put on the object.
	Labels      map[string]string
	Annotations map[string]string
	// Provider is where the secrets are. Required.
	Provider Provider
	// Namespaces that may use the store. Default: every namespace.
	Namespaces []string
}

// Provider is where secrets are kept: [Vault] or [RawProvider].
type Provider interface {
	validateProvider(path *field.Path, scope scope) field.ErrorList
	// providerSpec returns the single field of upstream's provider.
	providerSpec() map[string]any
}

// RawProvider is a provider as upstream defines it, for those that have no type
// here.
type RawProvider struct {
	// Spec holds exactly one of upstream's providers, for example
	// {"aws": {"service": "SecretsManager", "region": "eu-central-1"}}.
	Spec map[string]any
}

// Validate reports every fault of the store.
func (s SecretStore) Validate() field.ErrorList {
	return append(validateNamespaced(s.meta()), validateProvider(s.Provider, scope{namespace: s.Namespace})...)
}

// Build returns the SecretStore object. A fault is an Invalid API error.
func (s SecretStore) Build() (*unstructured.Unstructured, error) {
	return build(secretStoreKind, s.meta(), s.Validate(), func() map[string]any {
		return map[string]any{"provider": s.Provider.providerSpec()}
	})
}

func (s SecretStore) meta() object.Meta {
	return object.Meta{Name: s.Name, Namespace: s.Namespace, Labels: s.Labels, Annotations: s.Annotations}
}

// Validate reports every fault of the store.
func (s ClusterSecretStore) Validate() field.ErrorList {
	faults := append(s.meta().Validate(), validateProvider(s.Provider, scope{})...)
	for i, namespace := range s.Namespaces {
		faults = append(faults, object.Namespace(field.NewPath("namespaces").Index(i), namespace)...)
	}
	return faults
}

// Build returns the ClusterSecretStore object. A fault is an Invalid API error.
func (s ClusterSecretStore) Build() (*unstructured.Unstructured, error) {
	return build(clusterSecretStoreKind, s.meta(), s.Validate(), func() map[string]any {
		spec := map[string]any{"provider": s.Provider.providerSpec()}
		if len(s.Namespaces) > 0 {
			spec["conditions"] = []any{map[string]any{"namespaces": s.Namespaces}}
		}
		return spec
	})
}

func (s ClusterSecretStore) meta() object.Meta {
	return object.Meta{Name: s.Name, Labels: s.Labels, Annotations: s.Annotations}
}

func validateProvider(provider Provider, scope scope) field.ErrorList {
	path := field.NewPath("provider")
	if object.IsNil(provider) {
		return field.ErrorList{field.Required(path, "Vault or RawProvider")}
	}
	return provider.validateProvider(path, scope)
}

func (r RawProvider) validateProvider(path *field.Path, _ scope) field.ErrorList {
	return requireOne(path.Child("spec"), r.Spec)
}

func (r RawProvider) providerSpec() map[string]any { return r.Spec }
