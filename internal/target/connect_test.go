package target_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

// answerBar is how soon a cluster that cannot be used has to be reported: 10
// seconds for the API server, and some for this machine.
const answerBar = 15 * time.Second

func TestConnectNamesTheCauseAndTheFix(t *testing.T) {
	for name, failure := range map[string]struct {
		kubeconfig func(t *testing.T) string
		cause, fix string
		// noServer holds where the kubeconfig does not get as far as a server.
		noServer bool
	}{
		"a kubeconfig that does not exist": {
			kubeconfig: func(t *testing.T) string { return filepath.Join(t.TempDir(), "missing") },
			cause:      "no such file", fix: "name one that exists", noServer: true,
		},
		"a kubeconfig that the environment names and that does not exist": {
			kubeconfig: func(t *testing.T) string {
				t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "missing"))
				return ""
			},
			cause: "no such file", fix: "set KUBECONFIG", noServer: true,
		},
		"a kubeconfig that is a directory": {
			kubeconfig: func(t *testing.T) string { return t.TempDir() },
			cause:      "is a directory", fix: "kubectl config view", noServer: true,
		},
		"a malformed kubeconfig": {
			kubeconfig: func(t *testing.T) string {
				path := filepath.Join(t.TempDir(), "kubeconfig")
				require.NoError(t, os.WriteFile(path, []byte("clusters: {"), 0o600))
				return path
			},
			cause: "yaml", fix: "kubectl config view", noServer: true,
		},
		"an empty kubeconfig": {
			kubeconfig: func(t *testing.T) string {
				return writeKubeconfig(t, func(config *api.Config) { *config = *api.NewConfig() })
			},
			cause: "no current context", fix: "this one has no contexts", noServer: true,
		},
		"no current context": {
			kubeconfig: func(t *testing.T) string {
				return writeKubeconfig(t, func(config *api.Config) {
					config.Contexts = map[string]*api.Context{"staging": {}, "production": {}}
					config.CurrentContext = ""
				})
			},
			cause: "no current context", fix: "use-context`: production, staging", noServer: true,
		},
		"a current context that does not exist": {
			kubeconfig: func(t *testing.T) string {
				return writeKubeconfig(t, func(config *api.Config) { config.CurrentContext = "gone" })
			},
			cause: `"gone" does not exist`, fix: "use-context", noServer: true,
		},
		"a context without a cluster": {
			kubeconfig: func(t *testing.T) string {
				return writeKubeconfig(t, func(config *api.Config) { config.Clusters = nil })
			},
			cause: "names no server", fix: "repair the context", noServer: true,
		},
		"an API server that does not run": {
			kubeconfig: func(t *testing.T) string {
				return writeKubeconfig(t, serverAt("https://"+net.JoinHostPort("127.0.0.1", "1")))
			},
			cause: "connection refused", fix: "start the cluster",
		},
		"an API server that accepts and never answers": {
			kubeconfig: func(t *testing.T) string { return writeKubeconfig(t, serverAt("https://"+silent(t))) },
			cause:      "no answer within 10s", fix: "start the cluster",
		},
		"an API server of another certificate authority": {
			kubeconfig: func(t *testing.T) string {
				return writeKubeconfig(t, func(config *api.Config) {
					for _, cluster := range config.Clusters {
						cluster.CertificateAuthority, cluster.CertificateAuthorityData = "", nil
					}
				})
			},
			cause: "unknown authority", fix: "certificate-authority",
		},
		"credentials that the API server does not know": {
			kubeconfig: func(t *testing.T) string { return writeKubeconfig(t, bearer("expired")) },
			cause:      "Unauthorized", fix: "renew the user's credentials",
		},
		"a user who may not install anything": {
			kubeconfig: func(t *testing.T) string { return writeKubeconfig(t, bearer(serviceAccountToken(t))) },
			cause:      "may not create CustomResourceDefinitions", fix: "administrator",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := failure.kubeconfig(t)
			began := time.Now()
			_, err := target.Connect(t.Context(), path, nil)
			require.Less(t, time.Since(began), answerBar)

			var failed *target.ConnectError
			require.ErrorAs(t, err, &failed)
			t.Log(err)
			require.NotContains(t, err.Error(), "\n", "one message")
			require.ErrorContains(t, failed.Err, failure.cause)
			require.Contains(t, failed.Fix, failure.fix)
			require.Contains(t, err.Error(), failed.Fix)
			require.NotEmpty(t, failed.Kubeconfig)
			require.Equal(t, failure.noServer, failed.Server == "", failed.Server)
		})
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	path := writeKubeconfig(t, serverAt("https://"+silent(t)))

	began := time.Now()
	_, err := target.Connect(ctx, path, nil)

	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 2*time.Second)
	var failed *target.ConnectError
	require.NotErrorAs(t, err, &failed, "there is nothing to fix")
}

func TestConnectReadsAConfigurationSpreadOverFiles(t *testing.T) {
	where := writeKubeconfig(t, func(config *api.Config) { config.AuthInfos = nil })
	who := writeKubeconfig(t, func(config *api.Config) {
		*config = api.Config{AuthInfos: config.AuthInfos}
	})
	t.Setenv("KUBECONFIG", where+string(filepath.ListSeparator)+who)

	connected, err := target.Connect(t.Context(), "", nil)
	require.NoError(t, err)
	config, err := clientcmd.BuildConfigFromFlags("", connected.Kubeconfig())
	require.NoError(t, err)
	c, err := client.New(config, client.Options{})
	require.NoError(t, err)
	require.NoError(t, c.Get(t.Context(), client.ObjectKey{Name: "default"}, &corev1.Namespace{}), "one file has what both had")

	require.NoError(t, connected.Stop(t.Context()))
	require.NoFileExists(t, connected.Kubeconfig())
	require.FileExists(t, who)
}

func TestConnectCreatesNothing(t *testing.T) {
	names := func() string {
		var list corev1.NamespaceList
		require.NoError(t, newClient(t).List(t.Context(), &list))
		var all []string
		for _, namespace := range list.Items {
			all = append(all, namespace.Name)
		}
		return strings.Join(all, " ")
	}
	before := names()
	connected := connect(t)
	require.Equal(t, cluster.Config().Host, connected.Config().Host)
	require.Empty(t, connected.LogDir())
	require.NoError(t, connected.Stop(t.Context()))
	require.NoError(t, connected.Stop(t.Context()), "a second Stop does nothing")
	require.Equal(t, before, names())
}

func TestConnectKnowsTheComponents(t *testing.T) {
	_, err := target.Connect(t.Context(), cluster.Kubeconfig(), []embedded.Component{"argo"})
	require.ErrorContains(t, err, `"argo"`)

	_, err = connect(t, embedded.Vault).Manifests(t.Context(), embedded.NATS)
	require.ErrorContains(t, err, `"nats" was not named`)
}

func serverAt(url string) func(*api.Config) {
	return func(config *api.Config) {
		for _, cluster := range config.Clusters {
			cluster.Server = url
		}
	}
}

func bearer(token string) func(*api.Config) {
	return func(config *api.Config) {
		for name := range config.AuthInfos {
			config.AuthInfos[name] = &api.AuthInfo{Token: token}
		}
	}
}

// silent is the address of a listener that never says a word.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// serviceAccountToken is one of an account without any rights.
func serviceAccountToken(t *testing.T) string {
	t.Helper()
	c := newClient(t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "default"}}
	request := &authenticationv1.TokenRequest{}
	require.NoError(t, c.SubResource("token").Create(t.Context(), account, request))
	return request.Status.Token
}
