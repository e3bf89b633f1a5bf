package conformance_test

import (
	"testing"

	esv1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/conformance"
)

const externalSecretsModule = "github.com/external-secrets/external-secrets"

var externalSecretsCRDs = []string{
	"config/crds/bases/external-secrets.io_secretstores.yaml",
	"config/crds/bases/external-secrets.io_clustersecretstores.yaml",
	"config/crds/bases/external-secrets.io_externalsecrets.yaml",
}

func installExternalSecrets(t *testing.T, c client.WithWatch) {
	t.Helper()
	install(t, c, externalSecretsModule, externalSecretsCRDs...)
}

func TestSecretsObjectsDecodeIntoUpstreamTypes(t *testing.T) {
	types := map[string]func() any{
		"SecretStore":        func() any { return &esv1.SecretStore{} },
		"ClusterSecretStore": func() any { return &esv1.ClusterSecretStore{} },
		"ExternalSecret":     func() any { return &esv1.ExternalSecret{} },
	}
	for name, obj := range built(t, "secrets") {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, types, obj.GetKind())
			conformance.Strict(t, obj, types[obj.GetKind()]())
		})
	}
}

// Upstream's webhook is the second judge beside the CRD.
func TestExternalSecretsPassUpstreamValidation(t *testing.T) {
	for name, obj := range built(t, "secrets") {
		if obj.GetKind() != "ExternalSecret" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			typed := &esv1.ExternalSecret{}
			conformance.Strict(t, obj, typed)
			warnings, err := (&esv1.ExternalSecretValidator{}).ValidateCreate(t.Context(), typed)
			require.NoError(t, err)
			require.Empty(t, warnings)
		})
	}
}

func TestSecretsObjectsSurviveTheAPIServer(t *testing.T) {
	c := kube(t)
	installExternalSecrets(t, c)
	inNamespace := namespace(t, c)
	for name, obj := range built(t, "secrets") {
		t.Run(name, func(t *testing.T) {
			if obj.GetNamespace() != "" {
				obj.SetNamespace(inNamespace)
			}
			roundTrip(t, c, obj)
		})
	}
}
