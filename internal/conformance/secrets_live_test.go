package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/secrets"
)

// The real operator and the real Vault do what the objects say, and the client
// knows when.
func TestAVaultSecretArrives(t *testing.T) {
	cluster, c := running(t, embedded.Vault, embedded.ExternalSecrets)
	operator := secrets.NewClient(c, secrets.ClientOptions{})
	home := namespace(t, c)
	port, err := cluster.Port("vault")
	require.NoError(t, err)
	server := fmt.Sprintf("http://127.0.0.1:%d", port)
	var root corev1.Secret
	require.NoError(t, c.Get(t.Context(), client.ObjectKey{Namespace: "vault", Name: "vault-root-token"}, &root))
	token := string(root.Data["token"])
	require.NoError(t, c.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "vault-token"},
		StringData: map[string]string{"token": token},
	}))

	store, err := secrets.SecretStore{
		Name: "vault", Namespace: home,
		Provider: secrets.Vault{
			Server: server, Path: "secret",
			Auth: secrets.TokenAuth{Token: secrets.SecretKey{Name: "vault-token", Key: "token"}},
		},
	}.Build()
	require.NoError(t, err)
	database := secrets.ExternalSecret{
		Name: "database", Namespace: home, Store: secrets.StoreRef{Name: "vault"},
		DataFrom: []secrets.DataSource{secrets.Extract{Remote: secrets.Remote{Key: "shop/database"}}},
		Target:   secrets.Target{Template: &secrets.Template{Data: map[string]string{"url": "postgres://{{ .user }}:{{ .password }}@db"}}},
	}
	obj, err := database.Build()
	require.NoError(t, err)
	require.NoError(t, operator.Apply(t.Context(), store, obj))
	key := client.ObjectKeyFromObject(obj)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var failure *secrets.NotReadyError
	require.ErrorAs(t, operator.Wait(ctx, key), &failure, "there is nothing in Vault yet")
	require.Equal(t, "SecretSyncedError", failure.Reason)
	require.NotContains(t, failure.Error(), token)

	writeVault(t, server, token, `{"data":{"user":"shop","password":"one"}}`)
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, operator.Refresh(ctx, key))
	requireURL(t, c, key, "postgres://shop:one@db")

	for _, password := range []string{"two", "three", "four"} {
		writeVault(t, server, token, fmt.Sprintf(`{"data":{"user":"shop","password":%q}}`, password))
		started := time.Now()
		require.NoError(t, operator.Refresh(ctx, key))
		t.Logf("refreshed in %s", time.Since(started).Round(time.Millisecond))
		requireURL(t, c, key, "postgres://shop:"+password+"@db")
	}

	database.Target.Template.Data["url"] = "mysql://{{ .user }}@db"
	obj, err = database.Build()
	require.NoError(t, err)
	require.NoError(t, operator.Apply(t.Context(), obj))
	require.NoError(t, operator.Wait(ctx, key))
	requireURL(t, c, key, "mysql://shop@db")
}

// requireURL reads the Secret once: what the client waited for must be there.
func requireURL(t *testing.T, c client.Client, key client.ObjectKey, want string) {
	t.Helper()
	var secret corev1.Secret
	require.NoError(t, c.Get(t.Context(), key, &secret))
	require.Equal(t, want, string(secret.Data["url"]))
}

func writeVault(t *testing.T, server, token, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/v1/secret/data/shop/database", strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("X-Vault-Token", token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}
