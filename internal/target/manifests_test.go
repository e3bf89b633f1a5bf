package target_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

// images are those that the nodes of a connected cluster pull, in alphabetical order.
var images = map[embedded.Component][]string{
	embedded.ArgoCD: {"ghcr.io/dexidp/dex:v2.41.1", "quay.io/argoproj/argocd:v2.14.21", "redis:7.2.11-alpine"},
	embedded.Kyverno: {
		"reg.kyverno.io/kyverno/background-controller:v1.15.2", "reg.kyverno.io/kyverno/cleanup-controller:v1.15.2",
		"reg.kyverno.io/kyverno/kyverno:v1.15.2", "reg.kyverno.io/kyverno/kyvernopre:v1.15.2",
		"reg.kyverno.io/kyverno/reports-controller:v1.15.2",
	},
	embedded.ExternalSecrets: {"oci.external-secrets.io/external-secrets/external-secrets:v0.19.2"},
	embedded.Vault:           {"hashicorp/vault:1.21.4"},
	embedded.ArgoWorkflows:   {"quay.io/argoproj/workflow-controller:v3.7.3"},
	embedded.ArgoEvents:      {"quay.io/argoproj/argo-events:v1.9.10"},
	embedded.NATS:            {"nats:2.10.29"},
}

func TestAnAPIServerAcceptsTheManifestsOfEveryComponent(t *testing.T) {
	components := append(embedded.Components(), embedded.ArgoWorkflows)
	connected := connect(t, components...)
	c := newClient(t)
	for _, component := range components {
		t.Run(string(component), func(t *testing.T) {
			objects, err := connected.Manifests(t.Context(), component)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(images[component], imagesOf(t, objects)))

			// What other objects need exists for real, the rest is only tried.
			for _, object := range objects {
				if kind := object.GetKind(); kind == "Namespace" || kind == "CustomResourceDefinition" {
					serverSideApply(t, c, object)
				}
			}
			requireEstablished(t, c)
			for _, object := range objects {
				serverSideApply(t, c, object, client.DryRunAll)
			}
		})
	}
}

func TestVaultKeepsTheTokenThatIsInTheCluster(t *testing.T) {
	c := newClient(t)
	first := connect(t, embedded.Vault)
	token, again := vaultToken(t, first), vaultToken(t, first)
	require.NotEmpty(t, token)
	require.Equal(t, token, again, "one target has one token, also before it is installed")
	require.NotEqual(t, token, vaultToken(t, connect(t, embedded.Vault)), "tokens are random")

	objects, err := first.Manifests(t.Context(), embedded.Vault)
	require.NoError(t, err)
	for _, object := range objects {
		if object.GetKind() == "Namespace" || object.GetKind() == "Secret" {
			serverSideApply(t, c, object)
		}
	}
	require.Equal(t, token, vaultToken(t, connect(t, embedded.Vault)))
}

// vaultToken is the root token in the manifests of Vault.
func vaultToken(t *testing.T, connected target.Target) string {
	t.Helper()
	objects, err := connected.Manifests(t.Context(), embedded.Vault)
	require.NoError(t, err)
	for _, object := range objects {
		if object.GetKind() == "Secret" {
			token, _, err := unstructured.NestedString(object.Object, "stringData", "token")
			require.NoError(t, err)
			return token
		}
	}
	return ""
}

// imagesOf are those of all workloads among the objects, each once.
func imagesOf(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var found []string
	for _, object := range objects {
		for _, field := range []string{"containers", "initContainers"} {
			containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", field)
			require.NoError(t, err)
			for _, container := range containers {
				found = append(found, container.(map[string]any)["image"].(string))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// serverSideApply fails also for fields that the API server does not know.
func serverSideApply(t *testing.T, c client.Client, object *unstructured.Unstructured, options ...client.PatchOption) {
	t.Helper()
	raw, err := object.MarshalJSON()
	require.NoError(t, err)
	options = append(options, client.FieldOwner("backbone-test"), &client.PatchOptions{
		Raw: &metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict},
	})
	require.NoError(t, c.Patch(t.Context(), object.DeepCopy(), client.RawPatch(types.ApplyPatchType, raw), options...),
		"%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
}

// requireEstablished waits until every CustomResourceDefinition is served.
func requireEstablished(t *testing.T, c client.Client) {
	t.Helper()
	require.NoError(t, apiextensionsv1.AddToScheme(c.Scheme()))
	require.Eventually(t, func() bool {
		var definitions apiextensionsv1.CustomResourceDefinitionList
		require.NoError(t, c.List(t.Context(), &definitions))
		return !slices.ContainsFunc(definitions.Items, func(definition apiextensionsv1.CustomResourceDefinition) bool {
			return !slices.ContainsFunc(definition.Status.Conditions, func(condition apiextensionsv1.CustomResourceDefinitionCondition) bool {
				return condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue
			})
		})
	}, 30*time.Second, 100*time.Millisecond)
}
