package target_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

// gitImage is what the git server runs. Here git is this machine's.
const gitImage = "quay.io/argoproj/argocd:v2.14.21"

// cluster is what the tests connect to: somebody else's as far as they know.
var cluster target.Target

func TestMain(m *testing.M) {
	if os.Getenv(webVariable) != "" {
		serveWeb()
	}
	var err error
	cluster, err = target.Embedded(context.Background(), embedded.Options{Images: map[string]embedded.Image{
		gitImage: {}, webImage: {Entrypoint: []string{os.Args[0]}},
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := cluster.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// connect uses the shared cluster. The target is stopped with the test.
func connect(t *testing.T, components ...embedded.Component) target.Target {
	t.Helper()
	connected, err := target.Connect(t.Context(), cluster.Kubeconfig(), components)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connected.Stop(context.Background())) })
	return connected
}

func newClient(t *testing.T) client.Client {
	t.Helper()
	c, err := client.New(cluster.Config(), client.Options{})
	require.NoError(t, err)
	return c
}

// newNamespace makes one that is deleted with the test.
func newNamespace(t *testing.T, c client.Client) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, c.Create(t.Context(), namespace))
	t.Cleanup(func() { require.NoError(t, c.Delete(context.Background(), namespace)) })
	return namespace.Name
}

// freePort is one that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().(*net.TCPAddr).Port
}

// writeKubeconfig writes the shared cluster's, changed, and returns its path.
func writeKubeconfig(t *testing.T, change func(*api.Config)) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(cluster.Kubeconfig())
	require.NoError(t, err)
	change(config)
	path := t.TempDir() + "/kubeconfig"
	require.NoError(t, clientcmd.WriteToFile(*config, path))
	return path
}
