package secrets_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/secrets"
)

// check compares the faults of a value with those wanted, and that Build agrees.
func check(t *testing.T, value interface {
	builder
	Validate() field.ErrorList
}, want []string,
) {
	t.Helper()
	var got []string
	for _, fault := range value.Validate() {
		got = append(got, fault.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	obj, err := value.Build()
	if len(want) == 0 {
		require.NoError(t, err)
		return
	}
	require.True(t, apierrors.IsInvalid(err), "Build must fail as Invalid, got %v", err)
	require.NotContains(t, err.Error(), "hunter2", "an error must not hold a secret")
	require.Nil(t, obj)
}

func TestSecretStoreFaults(t *testing.T) {
	token := secrets.TokenAuth{Token: secrets.SecretKey{Name: "vault-token", Key: "token"}}
	server := func(server string) secrets.SecretStore {
		return secrets.SecretStore{Name: "vault", Namespace: "shop", Provider: secrets.Vault{Server: server, Auth: token}}
	}
	auth := func(auth secrets.Auth) secrets.SecretStore {
		return secrets.SecretStore{Name: "vault", Namespace: "shop", Provider: secrets.Vault{Server: "https://vault", Auth: auth}}
	}
	tests := map[string]struct {
		store secrets.SecretStore
		want  []string
	}{
		"a store needs a name, a namespace and a provider": {
			want: []string{
				`name: Required value: the object needs a name`,
				`namespace: Required value`,
				`provider: Required value: Vault or RawProvider`,
			},
		},
		"a nil pointer is no provider": {
			store: secrets.SecretStore{Name: "vault", Namespace: "shop", Provider: (*secrets.Vault)(nil)},
			want:  []string{`provider: Required value: Vault or RawProvider`},
		},
		"Vault needs a server and a login": {
			store: secrets.SecretStore{Name: "vault", Namespace: "shop", Provider: secrets.Vault{Version: "v3", CABundle: []byte("hunter2")}},
			want: []string{
				`provider.server: Required value`,
				`provider.version: Unsupported value: "v3": supported values: "v1", "v2"`,
				`provider.caBundle: Invalid value: must hold at least one PEM certificate`,
				`provider.auth: Required value: TokenAuth, AppRoleAuth, KubernetesAuth or RawAuth`,
			},
		},
		"a server has a scheme of HTTP":          {store: server("vault:8200"), want: []string{`provider.server: Invalid value: "vault:8200": must have the scheme http or https`}},
		"a server has a host":                    {store: server("https:///"), want: []string{`provider.server: Invalid value: "https:///": must name a host`}},
		"credentials of a server are not echoed": {store: server("https://root:hunter2@vault"), want: []string{`provider.server: Invalid value: must not carry credentials: use auth`}},
		"an unreadable server is not echoed":     {store: server("https://root:hunter2@vault:port"), want: []string{`provider.server: Invalid value: must be a URL`}},
		"a store refers to its own namespace only": {
			store: auth(secrets.TokenAuth{Token: secrets.SecretKey{Name: "vault-token", Key: "token", Namespace: "vault"}}),
			want:  []string{`provider.auth.token.namespace: Forbidden: a SecretStore may refer only to its own namespace: use a ClusterSecretStore`},
		},
		"an AppRole needs a role ID and a secret ID": {
			store: auth(secrets.AppRoleAuth{}),
			want: []string{
				`provider.auth.roleID: Required value: either roleID or roleIDFrom`,
				`provider.auth.secretID.name: Required value: the object needs a name`,
				`provider.auth.secretID.key: Required value`,
			},
		},
		"an AppRole has one role ID": {
			store: auth(secrets.AppRoleAuth{
				RoleID: "shop", RoleIDFrom: &secrets.SecretKey{}, SecretID: secrets.SecretKey{Name: "a", Key: "b"},
			}),
			want: []string{`provider.auth.roleIDFrom: Forbidden: roleID is given`},
		},
		"a Kubernetes login needs a role": {
			store: auth(secrets.KubernetesAuth{ServiceAccount: &secrets.ServiceAccount{Audiences: []string{""}}}),
			want: []string{
				`provider.auth.role: Required value`,
				`provider.auth.serviceAccount.name: Required value: the object needs a name`,
				`provider.auth.serviceAccount.audiences[0]: Required value`,
			},
		},
		"a raw login is not empty": {store: auth(secrets.RawAuth{}), want: []string{`provider.auth.spec: Required value`}},
		"a raw login is one method": {
			store: auth(secrets.RawAuth{Spec: map[string]any{"jwt": "hunter2", "ldap": "hunter2"}}),
			want:  []string{`provider.auth.spec: Too many: 2: must have at most 1 items`},
		},
		"a raw provider is one provider, and JSON": {
			store: secrets.SecretStore{Name: "vault", Namespace: "shop", Provider: secrets.RawProvider{Spec: map[string]any{"aws": func() {}}}},
			want:  []string{`provider.spec: Invalid value: encode map[string]interface {}: json: unsupported type: func()`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { check(t, test.store, test.want) })
	}
}

func TestClusterSecretStoreFaults(t *testing.T) {
	tests := map[string]struct {
		store secrets.ClusterSecretStore
		want  []string
	}{
		"namespaces are names": {
			store: secrets.ClusterSecretStore{
				Name:       "vault",
				Namespaces: []string{"shop", ""},
				Provider:   vault(secrets.TokenAuth{Token: secrets.SecretKey{Name: "vault-token", Key: "token"}}),
			},
			want: []string{`namespaces[1]: Required value`},
		},
		"it may refer to any namespace": {
			store: secrets.ClusterSecretStore{
				Name:     "vault",
				Provider: vault(secrets.TokenAuth{Token: secrets.SecretKey{Name: "vault-token", Key: "token", Namespace: "vault"}}),
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { check(t, test.store, test.want) })
	}
}

func TestExternalSecretFaults(t *testing.T) {
	with := func(change func(*secrets.ExternalSecret)) secrets.ExternalSecret {
		value := secrets.ExternalSecret{
			Name: "database", Namespace: "shop",
			Store: secrets.StoreRef{Name: "vault"},
			Data:  map[string]secrets.Remote{"password": {Key: "shop/database"}},
		}
		change(&value)
		return value
	}
	tests := map[string]struct {
		value secrets.ExternalSecret
		want  []string
	}{
		"it needs a name, a namespace, a store and data": {
			want: []string{
				`name: Required value: the object needs a name`,
				`namespace: Required value`,
				`store.name: Required value: the object needs a name`,
				`data: Required value: data or dataFrom`,
			},
		},
		"keys are those of a Secret and values have a key in the store": {
			value: with(func(e *secrets.ExternalSecret) { e.Data = map[string]secrets.Remote{"a/b": {Property: "x"}} }),
			want: []string{
				`data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
				`data[a/b].key: Required value`,
			},
		},
		"a data source is one": {
			value: with(func(e *secrets.ExternalSecret) {
				e.DataFrom = []secrets.DataSource{nil, secrets.Extract{}, secrets.RawDataSource{}}
			}),
			want: []string{
				`dataFrom[0]: Required value: Extract or RawDataSource`,
				`dataFrom[1].remote.key: Required value`,
				`dataFrom[2].spec: Required value`,
			},
		},
		"policies are known": {
			value: with(func(e *secrets.ExternalSecret) {
				e.RefreshPolicy = "Often"
				e.Target = secrets.Target{Name: "A", CreationPolicy: "Mine", DeletionPolicy: "Never"}
			}),
			want: []string{
				`target.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
				`target.creationPolicy: Unsupported value: "Mine": supported values: "Owner", "Orphan", "Merge", "None"`,
				`target.deletionPolicy: Unsupported value: "Never": supported values: "Retain", "Delete", "Merge"`,
				`refreshPolicy: Unsupported value: "Often": supported values: "Periodic", "OnChange", "CreatedOnce"`,
			},
		},
		"only an owned Secret is deleted": {
			value: with(func(e *secrets.ExternalSecret) {
				e.Target = secrets.Target{CreationPolicy: secrets.Orphan, DeletionPolicy: secrets.Delete}
			}),
			want: []string{`target.deletionPolicy: Forbidden: Delete needs a Secret that the ExternalSecret owns`},
		},
		"without a Secret there are no keys to remove": {
			value: with(func(e *secrets.ExternalSecret) {
				e.Target = secrets.Target{CreationPolicy: secrets.None, DeletionPolicy: secrets.RemoveKeys}
			}),
			want: []string{`target.deletionPolicy: Forbidden: there is no Secret to remove keys from`},
		},
		"an interval is not negative": {
			value: with(func(e *secrets.ExternalSecret) { e.RefreshInterval = -time.Second }),
			want:  []string{`refreshInterval: Invalid value: "-1s": must not be negative`},
		},
		"an interval that would be ignored is refused": {
			value: with(func(e *secrets.ExternalSecret) {
				e.RefreshInterval, e.RefreshPolicy = time.Minute, secrets.CreatedOnce
			}),
			want: []string{`refreshInterval: Forbidden: upstream ignores it unless refreshPolicy is Periodic`},
		},
		"a template is checked and its text not echoed": {
			value: with(func(e *secrets.ExternalSecret) {
				e.Target.Template = &secrets.Template{
					Labels:      map[string]string{"a b": "c"},
					Annotations: map[string]string{"": "c"},
					Data:        map[string]string{"a": "hunter2\xff", "": "b"},
				}
			}),
			want: []string{
				`target.template.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`target.template.annotations: Invalid value: "": name part must be non-empty`,
				`target.template.annotations: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`target.template.data[]: Required value`,
				`target.template.data[a]: Invalid value: must be valid UTF-8`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { check(t, test.value, test.want) })
	}
}
