package secrets

import (
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SecretKey selects one key of a Secret that holds credentials of a store.
type SecretKey struct {
	// Name of the Secret. Required.
	Name string
	// Key within the Secret. Required.
	Key string
	// Namespace of the Secret. In a [SecretStore] it is the one of the store and
	// need not be given. In a [ClusterSecretStore] the default is the namespace of
	// the ExternalSecret, so that every namespace brings its own credentials.
	Namespace string
}

// ServiceAccount selects the account whose token is presented to a store.
type ServiceAccount struct {
	// Name of the account. Required.
	Name string
	// Namespace of the account, with the same defaults as that of [SecretKey].
	Namespace string
	// Audiences are added to those of the token. Default: none.
	Audiences []string
}

// scope is where a store lives, which decides what it may refer to.
type scope struct {
	// namespace of a SecretStore; empty for a ClusterSecretStore.
	namespace string
}

// validateNamespace applies the rule of upstream's validating webhook.
// external-secrets: ValidateReferentSecretSelector in pkg/utils/utils.go
func (s scope) validateNamespace(path *field.Path, namespace string) field.ErrorList {
	if namespace == "" {
		return nil
	}
	if s.namespace != "" && namespace != s.namespace {
		return field.ErrorList{field.Forbidden(path, "a SecretStore may refer only to its own namespace: use a ClusterSecretStore")}
	}
	return object.Namespace(path, namespace)
}

func (s SecretKey) validate(path *field.Path, scope scope) field.ErrorList {
	faults := object.Name(path.Child("name"), s.Name)
	faults = append(faults, validateKey(path.Child("key"), s.Key)...)
	return append(faults, scope.validateNamespace(path.Child("namespace"), s.Namespace)...)
}

func (s SecretKey) selector() map[string]any {
	return object.Compact(map[string]any{"name": s.Name, "key": s.Key, "namespace": s.Namespace})
}

func (s ServiceAccount) validate(path *field.Path, scope scope) field.ErrorList {
	faults := object.Name(path.Child("name"), s.Name)
	faults = append(faults, scope.validateNamespace(path.Child("namespace"), s.Namespace)...)
	for i, audience := range s.Audiences {
		faults = append(faults, object.RequiredText(path.Child("audiences").Index(i), audience)...)
	}
	return faults
}

func (s ServiceAccount) selector() map[string]any {
	return object.Compact(map[string]any{"name": s.Name, "namespace": s.Namespace, "audiences": s.Audiences})
}

// validateKey checks a key of a Secret.
func validateKey(path *field.Path, key string) field.ErrorList {
	if key == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var faults field.ErrorList
	for _, message := range validation.IsConfigMapKey(key) {
		faults = append(faults, field.Invalid(path, key, message))
	}
	return faults
}
