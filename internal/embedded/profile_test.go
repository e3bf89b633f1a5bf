package embedded_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/embedded"
)

func TestManifestsNeedNoImageThatTheTargetLacks(t *testing.T) {
	components := append(embedded.Components(), embedded.ArgoWorkflows, embedded.KyvernoReports, embedded.KyvernoCleanup)
	cluster := start(t, embedded.Options{Components: components})
	for _, name := range components {
		t.Run(string(name), func(t *testing.T) {
			objects, err := cluster.Manifests(t.Context(), name)
			require.NoError(t, err)
			require.NotEmpty(t, objects)
			for _, image := range images(t, objects) {
				require.Contains(t, cluster.Images(), image)
			}
		})
	}
}

func TestManifestsAreOnlyForComponentsThatWereNamed(t *testing.T) {
	cluster := start(t, embedded.Options{Components: []embedded.Component{embedded.NATS}})
	_, err := cluster.Manifests(t.Context(), embedded.NATS)
	require.NoError(t, err)
	_, err = cluster.Manifests(t.Context(), embedded.Vault)
	require.ErrorContains(t, err, "vault")
	_, err = cluster.Manifests(t.Context(), "argo")
	require.ErrorContains(t, err, "argo")
}

// images are those of all pod templates among the objects.
func images(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var found []string
	for _, object := range objects {
		for _, kind := range []string{"initContainers", "containers"} {
			containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", kind)
			require.NoError(t, err)
			for _, container := range containers {
				found = append(found, container.(map[string]any)["image"].(string))
			}
		}
	}
	return found
}
