package secrets_test

import (
	"fmt"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/secrets"
)

// The password of a database arrives from Vault in a Kubernetes Secret.
func Example() {
	store := secrets.SecretStore{
		Name:      "vault",
		Namespace: "shop",
		Provider: secrets.Vault{
			Server: "https://vault.vault:8200",
			Path:   "secret",
			Auth: secrets.KubernetesAuth{
				Role:           "shop",
				ServiceAccount: &secrets.ServiceAccount{Name: "shop"},
			},
		},
	}
	database := secrets.ExternalSecret{
		Name:      "database",
		Namespace: "shop",
		Store:     secrets.StoreRef{Name: "vault"},
		Data: map[string]secrets.Remote{
			"password": {Key: "shop/database", Property: "password"},
		},
		RefreshInterval: 15 * time.Minute,
	}

	if _, err := store.Build(); err != nil {
		fmt.Println(err)
		return
	}
	obj, err := database.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := yaml.Marshal(obj.Object)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// apiVersion: external-secrets.io/v1
	// kind: ExternalSecret
	// metadata:
	//   name: database
	//   namespace: shop
	// spec:
	//   data:
	//   - remoteRef:
	//       key: shop/database
	//       property: password
	//     secretKey: password
	//   refreshInterval: 15m0s
	//   secretStoreRef:
	//     kind: SecretStore
	//     name: vault
	//   target:
	//     creationPolicy: Owner
}

// A fault names the Go field and never repeats what may be a secret.
func ExampleClusterSecretStore_Validate() {
	store := secrets.ClusterSecretStore{
		Name: "vault",
		Provider: secrets.Vault{
			Server: "https://root:hunter2@vault.vault:8200",
			Auth:   secrets.TokenAuth{Token: secrets.SecretKey{Name: "vault-token"}},
		},
	}
	for _, fault := range store.Validate() {
		fmt.Println(fault)
	}
	// Output:
	// provider.server: Invalid value: must not carry credentials: use auth
	// provider.auth.token.key: Required value
}

// One template builds a connection string out of all properties of a secret.
func ExampleExternalSecret_Build() {
	database := secrets.ExternalSecret{
		Name:      "database",
		Namespace: "shop",
		Store:     secrets.StoreRef{Name: "vault", Cluster: true},
		DataFrom: []secrets.DataSource{
			secrets.Extract{Remote: secrets.Remote{Key: "shop/database"}},
		},
		Target: secrets.Target{
			Name: "database-url",
			Template: &secrets.Template{
				Data: map[string]string{"url": "postgres://{{ .user }}:{{ .password }}@database/shop"},
			},
		},
	}
	obj, err := database.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := yaml.Marshal(obj.Object["spec"])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// dataFrom:
	// - extract:
	//     key: shop/database
	// refreshInterval: 1h0m0s
	// secretStoreRef:
	//   kind: ClusterSecretStore
	//   name: vault
	// target:
	//   creationPolicy: Owner
	//   name: database-url
	//   template:
	//     data:
	//       url: postgres://{{ .user }}:{{ .password }}@database/shop
}
