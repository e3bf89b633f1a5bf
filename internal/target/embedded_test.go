package target_test

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

func TestEmbeddedServicesAreLoopbackPorts(t *testing.T) {
	service := target.Service{Namespace: "events", Name: "push-eventsource-svc", Port: 12000}
	endpoint, err := cluster.Endpoint(t.Context(), service)
	require.NoError(t, err)
	require.Equal(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(endpoint.Listen)), endpoint.Local)
	require.Equal(t, endpoint.Local, endpoint.InCluster)

	again, err := cluster.Endpoint(t.Context(), service)
	require.NoError(t, err)
	require.Equal(t, endpoint, again)

	service.Name = "deploy-eventsource-svc"
	other, err := cluster.Endpoint(t.Context(), service)
	require.NoError(t, err)
	require.NotEqual(t, endpoint.Listen, other.Listen)
}

func TestEmbeddedComponentsListenWhereTheirServicesAre(t *testing.T) {
	services := map[embedded.Component]target.Service{
		embedded.Vault: {Namespace: "vault", Name: "vault", Port: 8200},
		embedded.NATS:  {Namespace: "nats", Name: "nats", Port: 4222},
	}
	started, err := target.Embedded(t.Context(), embedded.Options{Components: []embedded.Component{embedded.Vault, embedded.NATS}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, started.Stop(t.Context())) })
	for component, service := range services {
		endpoint, err := started.Endpoint(t.Context(), service)
		require.NoError(t, err)
		objects, err := started.Manifests(t.Context(), component)
		require.NoError(t, err)
		require.Contains(t, containerPorts(t, objects), int64(endpoint.Listen), component)
	}
}

func TestEmbeddedPublishesTheDirectoryItself(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(filepath.Dir(dir))
	url, err := cluster.Publish(t.Context(), filepath.Base(dir))
	require.NoError(t, err)
	require.Equal(t, "file://"+filepath.ToSlash(dir), url)
}

// containerPorts are those of all Deployments among the objects.
func containerPorts(t *testing.T, objects []*unstructured.Unstructured) []int64 {
	t.Helper()
	var ports []int64
	for _, object := range objects {
		containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		require.NoError(t, err)
		for _, container := range containers {
			declared, _, err := unstructured.NestedSlice(container.(map[string]any), "ports")
			require.NoError(t, err)
			for _, port := range declared {
				ports = append(ports, port.(map[string]any)["containerPort"].(int64))
			}
		}
	}
	return ports
}
