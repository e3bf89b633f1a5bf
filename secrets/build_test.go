package secrets_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/secrets"
)

// builder is what every type of the package with a Build method is.
type builder interface {
	Build() (*unstructured.Unstructured, error)
}

// certificate is a self-signed one, made for this test only.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBdjCCAR2gAwIBAgIURjz89JuAP0pz7P2AV5u2BMLIDDswCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFdmF1bHQwIBcNMjYxMTIyMjMzNDQzWhgPMjEyNjEwMjkyMzM0
NDNaMBAxDjAMBgNVBAMMBXZhdWx0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
ACV0IyFlb3jm0rYvHwrXgk6fPzc3NLWijMtKH9Ogx7P4p50uARoz3o+s4yJDwY49
VsGVD0U4HDGRXuOmmzcpbaNTMFEwHQYDVR0OBBYEFHwNpMTPpXAHwoufYx+lYWtZ
lQaaMB8GA1UdIwQYMBaAFHwNpMTPpXAHwoufYx+lYWtZlQaaMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgC9zK/OEAiHKLNud9YjZ7rgD+XKCq9sv6
Amyko6kAoNICIEdfKMWTSZfyPohIyjC1XMr71in0WBMyiExXaMs7mCD/
-----END CERTIFICATE-----
`

func vault(auth secrets.Auth) secrets.Vault {
	return secrets.Vault{Server: "http://127.0.0.1:8200", Path: "secret", Auth: auth}
}

// builders are named after the file under testdata that holds the object.
var builders = map[string]builder{
	"store-token": secrets.SecretStore{
		Name: "by-token", Namespace: "shop",
		Labels:   map[string]string{"owner": "shop"},
		Provider: vault(secrets.TokenAuth{Token: secrets.SecretKey{Name: "vault-token", Key: "token"}}),
	},
	"store-approle": secrets.SecretStore{
		Name: "by-approle", Namespace: "shop",
		Provider: vault(secrets.AppRoleAuth{
			RoleIDFrom: &secrets.SecretKey{Name: "vault-approle", Key: "role-id"},
			SecretID:   secrets.SecretKey{Name: "vault-approle", Key: "secret-id", Namespace: "shop"},
		}),
	},
	"store-kubernetes": secrets.SecretStore{
		Name: "by-kubernetes", Namespace: "shop",
		Annotations: map[string]string{"example.com/team": "shop"},
		Provider: vault(secrets.KubernetesAuth{
			Role:           "shop",
			ServiceAccount: &secrets.ServiceAccount{Name: "reader", Audiences: []string{"vault"}},
		}),
	},
	"clusterstore-tuned": secrets.ClusterSecretStore{
		Name:       "vault",
		Namespaces: []string{"shop", "bank"},
		Provider: secrets.Vault{
			Server:    "https://vault.vault:8200",
			Version:   secrets.KVv1,
			Namespace: "ns1",
			CABundle:  []byte(certificate),
			Auth: secrets.AppRoleAuth{
				MountPath: "apps",
				RoleID:    "shop",
				SecretID:  secrets.SecretKey{Name: "vault-approle", Key: "secret-id", Namespace: "vault"},
			},
		},
	},
	"clusterstore-own-account": secrets.ClusterSecretStore{
		Name:     "vault",
		Provider: vault(secrets.KubernetesAuth{Role: "operator", MountPath: "cluster-1"}),
	},
	"store-raw": secrets.SecretStore{
		Name: "cloud", Namespace: "shop",
		Provider: secrets.RawProvider{Spec: map[string]any{
			"aws": map[string]any{"service": "SecretsManager", "region": "eu-central-1"},
		}},
	},
	"store-raw-auth": secrets.SecretStore{
		Name: "by-jwt", Namespace: "shop",
		Provider: vault(secrets.RawAuth{Spec: map[string]any{
			"jwt": map[string]any{"path": "jwt", "role": "shop", "secretRef": map[string]any{"name": "jwt", "key": "token"}},
		}}),
	},
	"externalsecret": secrets.ExternalSecret{
		Name: "database", Namespace: "shop",
		Store: secrets.StoreRef{Name: "by-token"},
		Data: map[string]secrets.Remote{
			"user":     {Key: "shop/database", Property: "user"},
			"password": {Key: "shop/database", Property: "password", Version: "3"},
		},
	},
	"externalsecret-tuned": secrets.ExternalSecret{
		Name: "database", Namespace: "shop",
		Labels: map[string]string{"owner": "shop"},
		Store:  secrets.StoreRef{Name: "vault", Cluster: true},
		DataFrom: []secrets.DataSource{
			secrets.Extract{Remote: secrets.Remote{Key: "shop/database"}},
			secrets.RawDataSource{Spec: map[string]any{"find": map[string]any{"name": map[string]any{"regexp": "^shop/"}}}},
		},
		Target: secrets.Target{
			Name:           "database-tls",
			CreationPolicy: secrets.Merge,
			DeletionPolicy: secrets.RemoveKeys,
			Template: &secrets.Template{
				Type:        "kubernetes.io/tls",
				Labels:      map[string]string{"owner": "shop"},
				Annotations: map[string]string{"example.com/source": "vault"},
				Data:        map[string]string{"tls.crt": "{{ .certificate }}", "tls.key": "{{ .key }}"},
			},
		},
		RefreshInterval: 90 * time.Second,
	},
	"externalsecret-on-change": secrets.ExternalSecret{
		Name: "database", Namespace: "shop",
		Store:         secrets.StoreRef{Name: "vault"},
		DataFrom:      []secrets.DataSource{secrets.Extract{Remote: secrets.Remote{Key: "shop/database", Property: "nested"}}},
		Target:        secrets.Target{DeletionPolicy: secrets.Delete},
		RefreshPolicy: secrets.OnChange,
	},
}

func TestBuildMakesTheObjectsUnderTestdata(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			obj, err := value.Build()
			require.NoError(t, err)
			golden.Equal(t, name, obj)
		})
	}
}

func TestBuildSharesNothingWithItsInput(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			first, err := value.Build()
			require.NoError(t, err)
			untouched := first.DeepCopy()
			overwrite(first.Object)
			second, err := value.Build()
			require.NoError(t, err)
			if diff := cmp.Diff(untouched.Object, second.Object); diff != "" {
				t.Errorf("a change of the first object shows in the second (-want +got):\n%s", diff)
			}
		})
	}
}

// overwrite changes every map and list below a value.
func overwrite(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			overwrite(item)
			value[key] = "overwritten"
		}
	case []any:
		for i, item := range value {
			overwrite(item)
			value[i] = "overwritten"
		}
	}
}
