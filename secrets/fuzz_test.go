package secrets_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/secrets"
)

// requireSound checks that Build either fails as Invalid or makes an object that
// survives the way to the API server and back.
func requireSound(t *testing.T, value builder) {
	t.Helper()
	obj, err := value.Build()
	if err != nil {
		require.True(t, apierrors.IsInvalid(err), "%v", err)
		return
	}
	encoded, err := obj.MarshalJSON()
	require.NoError(t, err)
	var decoded unstructured.Unstructured
	require.NoError(t, decoded.UnmarshalJSON(encoded))
	if diff := cmp.Diff(obj.Object, decoded.Object); diff != "" {
		t.Errorf("the object changes on its way (-built +decoded):\n%s", diff)
	}
}

func FuzzStoreBuild(f *testing.F) {
	f.Add("vault", "shop", "https://vault:8200", "token", []byte(certificate))
	f.Add("a.b", "", "https://a:b@c", "a/b", []byte(nil))
	f.Add("\xff", "\x00", "://\xff", "..", []byte("\xff"))
	f.Fuzz(func(t *testing.T, name, namespace, server, key string, bundle []byte) {
		reference := secrets.SecretKey{Name: name, Key: key, Namespace: namespace}
		providers := []secrets.Provider{nil, secrets.RawProvider{Spec: map[string]any{key: server}}}
		for _, auth := range []secrets.Auth{
			nil,
			secrets.TokenAuth{Token: reference},
			secrets.AppRoleAuth{MountPath: key, RoleID: key, SecretID: reference},
			secrets.AppRoleAuth{RoleIDFrom: &reference, SecretID: reference},
			secrets.KubernetesAuth{MountPath: key, Role: key, ServiceAccount: &secrets.ServiceAccount{Name: name, Namespace: namespace, Audiences: []string{key}}},
			secrets.RawAuth{Spec: map[string]any{key: server}},
		} {
			providers = append(providers,
				secrets.Vault{Server: server, Path: key, Version: secrets.KVVersion(key), Namespace: key, CABundle: bundle, Auth: auth},
				secrets.Vault{Server: server, Auth: auth},
			)
		}
		text := map[string]string{key: server}
		for _, provider := range providers {
			requireSound(t, secrets.SecretStore{Name: name, Namespace: namespace, Labels: text, Annotations: text, Provider: provider})
			requireSound(t, secrets.SecretStore{Name: name, Namespace: namespace, Provider: provider})
			requireSound(t, secrets.ClusterSecretStore{Name: name, Namespaces: []string{namespace}, Provider: provider})
		}
	})
}

func FuzzExternalSecretBuild(f *testing.F) {
	f.Add("database", "shop", "password", "{{ .password }}", "Owner", int64(time.Hour))
	f.Add("a b", "", "a/b", "", "Merge", int64(-1))
	f.Add("\xff", "\x00", "\xff", "\xff", "Delete", int64(0))
	f.Fuzz(func(t *testing.T, name, namespace, key, text, policy string, interval int64) {
		requireSound(t, secrets.ExternalSecret{
			Name: name, Namespace: namespace, Store: secrets.StoreRef{Name: name},
			Data:     map[string]secrets.Remote{key: {Key: text, Property: text, Version: text}},
			DataFrom: []secrets.DataSource{secrets.Extract{Remote: secrets.Remote{Key: text}}, secrets.RawDataSource{Spec: map[string]any{key: text}}},
			Target: secrets.Target{
				Name: name, CreationPolicy: secrets.CreationPolicy(policy), DeletionPolicy: secrets.DeletionPolicy(policy),
				Template: &secrets.Template{Type: text, Labels: map[string]string{key: text}, Annotations: map[string]string{key: text}, Data: map[string]string{key: text}},
			},
			RefreshPolicy: secrets.RefreshPolicy(policy), RefreshInterval: time.Duration(interval),
		})
		requireSound(t, secrets.ExternalSecret{
			Name: name, Namespace: namespace, Store: secrets.StoreRef{Name: name},
			Data:            map[string]secrets.Remote{key: {Key: text}},
			Target:          secrets.Target{Template: &secrets.Template{Data: map[string]string{key: text}}},
			RefreshInterval: time.Duration(interval),
		})
	})
}
