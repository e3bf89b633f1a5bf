package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/conformance"
)

const argoEventsModule = "github.com/argoproj/argo-events"

var argoEventsCRDs = []string{
	"manifests/base/crds/argoproj.io_eventbus.yaml",
	"manifests/base/crds/argoproj.io_eventsources.yaml",
	"manifests/base/crds/argoproj.io_sensors.yaml",
}

func installArgoEvents(t *testing.T, c client.WithWatch) {
	t.Helper()
	install(t, c, argoEventsModule, argoEventsCRDs...)
}

// built returns the objects that the tests of a builder package keep as its
// output: every field of every builder is among them.
func built(t *testing.T, pkg string) map[string]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", pkg, "testdata", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	objects := map[string]*unstructured.Unstructured{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		for _, document := range strings.Split(string(raw), "---\n") {
			if strings.TrimSpace(document) == "" {
				continue
			}
			// Through JSON, like every object on its way to the API server.
			encoded, err := yaml.YAMLToJSON([]byte(document))
			require.NoError(t, err)
			obj := &unstructured.Unstructured{}
			require.NoError(t, obj.UnmarshalJSON(encoded))
			objects[name+"/"+obj.GetKind()+"/"+obj.GetNamespace()] = obj
		}
	}
	return objects
}

func TestEventingObjectsDecodeIntoUpstreamTypes(t *testing.T) {
	types := map[string]func() any{
		"EventBus":           func() any { return &v1alpha1.EventBus{} },
		"EventSource":        func() any { return &v1alpha1.EventSource{} },
		"Sensor":             func() any { return &v1alpha1.Sensor{} },
		"ServiceAccount":     func() any { return &corev1.ServiceAccount{} },
		"Role":               func() any { return &rbacv1.Role{} },
		"RoleBinding":        func() any { return &rbacv1.RoleBinding{} },
		"ClusterRole":        func() any { return &rbacv1.ClusterRole{} },
		"ClusterRoleBinding": func() any { return &rbacv1.ClusterRoleBinding{} },
	}
	for name, obj := range built(t, "eventing") {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, types, obj.GetKind())
			conformance.Strict(t, obj, types[obj.GetKind()]())
		})
	}
}

func TestEventingObjectsSurviveTheAPIServer(t *testing.T) {
	c := kube(t)
	installArgoEvents(t, c)
	inNamespace := namespace(t, c)
	for name, obj := range built(t, "eventing") {
		t.Run(name, func(t *testing.T) {
			if obj.GetNamespace() != "" {
				obj.SetNamespace(inNamespace)
			}
			roundTrip(t, c, obj)
		})
	}
}
