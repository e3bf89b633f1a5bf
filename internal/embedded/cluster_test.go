package embedded_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// readyBar is how soon a cluster whose programs are built has to be ready.
const readyBar = 6 * time.Second

func TestClusterIsARealKubernetes(t *testing.T) {
	var ready time.Duration
	cluster := start(t, embedded.Options{Progress: func(event embedded.Event) {
		if event.Kind == embedded.Ready {
			ready = event.Duration
		}
	}})
	t.Logf("ready after %s", ready)
	if ready == 0 || ready > readyBar {
		t.Errorf("ready after %s, want at most %s", ready, readyBar)
	}

	client := clientset(t, cluster)
	version, err := client.Discovery().ServerVersion()
	require.NoError(t, err)
	require.Equal(t, embedded.KubernetesVersion, version.GitVersion)

	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, nodes.Items, 1)
}

func TestClustersRunSideBySide(t *testing.T) {
	first, second := start(t, embedded.Options{}), start(t, embedded.Options{})
	require.NotEqual(t, first.Config().Host, second.Config().Host)

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "only-in-the-first"}}
	_, err := clientset(t, first).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = clientset(t, second).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err, "the second cluster must not know the first one's namespaces")

	one, err := first.Port("web")
	require.NoError(t, err)
	again, err := first.Port("web")
	require.NoError(t, err)
	other, err := second.Port("web")
	require.NoError(t, err)
	require.Equal(t, one, again)
	require.NotEqual(t, one, other)
}

func TestClusterSurvivesARestartOfTheAPIServer(t *testing.T) {
	cluster := start(t, embedded.Options{})
	client := clientset(t, cluster)
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), configMap, metav1.CreateOptions{})
	require.NoError(t, err)

	require.NoError(t, cluster.RestartAPIServer(t.Context()))

	_, err = client.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err)
}

func TestTenClustersInARowLeaveNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for range 10 {
		cluster, err := embedded.Start(t.Context(), embedded.Options{})
		require.NoError(t, err)
		port, err := cluster.Port("web")
		require.NoError(t, err)
		require.NotEmpty(t, children(t), "the cluster has processes while it runs")

		require.NoError(t, cluster.Stop(t.Context()))
		require.NoError(t, cluster.Stop(t.Context()), "a second Stop does nothing")

		require.Empty(t, children(t))
		require.Empty(t, entries(t, os.TempDir()))
		for _, address := range []string{cluster.Config().Host, fmt.Sprintf("https://127.0.0.1:%d", port)} {
			listener, err := net.Listen("tcp", strings.TrimPrefix(address, "https://"))
			require.NoError(t, err, "the port is free again")
			require.NoError(t, listener.Close())
		}
	}
}

func TestKeepLeavesTheLogs(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	cluster, err := embedded.Start(t.Context(), embedded.Options{Keep: true})
	require.NoError(t, err)
	require.NoError(t, cluster.Stop(t.Context()))
	require.FileExists(t, filepath.Join(cluster.LogDir(), "kube-apiserver.log"))

	other, err := embedded.Start(t.Context(), embedded.Options{})
	require.NoError(t, err)
	require.NoError(t, other.Stop(t.Context()))
	require.DirExists(t, cluster.LogDir(), "the next start sweeps only what a killed process left")
}

// start returns a cluster that ends with the test.
func start(t *testing.T, options embedded.Options) *embedded.Cluster {
	t.Helper()
	cluster, err := embedded.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	return cluster
}

func clientset(t *testing.T, cluster *embedded.Cluster) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.Config())
	require.NoError(t, err)
	return client
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}
