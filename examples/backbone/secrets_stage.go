package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/secrets"
)

const (
	secretsNamespace = "shop"
	// secretTimeout bounds the way of a secret from Vault to Kubernetes.
	secretTimeout = time.Minute
)

// secretsStage writes a secret to Vault and proves that it arrives in a
// Kubernetes Secret, and that a new value replaces it.
func (f *flow) secretsStage(ctx context.Context, progress progress) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, secretTimeout, fmt.Errorf("not within %s", secretTimeout))
	defer cancel()
	vault, err := f.target.Endpoint(ctx, vaultService)
	if err != nil {
		return "", err
	}
	token, err := f.vaultToken(ctx)
	if err != nil {
		return "", err
	}
	first, second := rand.Text(), rand.Text()
	progress.say("writing to Vault")
	if err := writeVault(ctx, vault.Local, token, "shop/database", map[string]string{"password": first}); err != nil {
		return "", err
	}
	if err := f.declareSecrets(ctx, "http://"+vault.InCluster, token); err != nil {
		return "", err
	}
	began := time.Now()
	database := client.ObjectKey{Namespace: secretsNamespace, Name: "database"}
	externalSecrets := secrets.NewClient(f.client, secrets.ClientOptions{FieldManager: fieldManager})
	progress.say("waiting for the Secret %s", database)
	if err := externalSecrets.Wait(ctx, database); err != nil {
		return "", err
	}
	if err := f.expectPassword(ctx, database, first); err != nil {
		return "", err
	}
	arrived := time.Since(began)

	progress.say("changing the secret in Vault")
	if err := writeVault(ctx, vault.Local, token, "shop/database", map[string]string{"password": second}); err != nil {
		return "", err
	}
	if err := externalSecrets.Refresh(ctx, database); err != nil {
		return "", err
	}
	if err := f.expectPassword(ctx, database, second); err != nil {
		return "", err
	}
	return fmt.Sprintf("Vault -> Secret %s in %s; a new value followed", database, seconds(arrived)), nil
}

// declareSecrets applies the store, with the token it logs in with, and the
// ExternalSecret.
func (f *flow) declareSecrets(ctx context.Context, server, token string) error {
	if err := f.applyNamespace(ctx, secretsNamespace); err != nil {
		return err
	}
	login := newObject("v1", "Secret", secretsNamespace, "vault-token")
	login.Object["stringData"] = map[string]any{"token": token}
	if err := f.applyObjects(ctx, login); err != nil {
		return err
	}
	return f.apply(ctx,
		secrets.SecretStore{
			Name: "vault", Namespace: secretsNamespace,
			Provider: secrets.Vault{Server: server, Path: "secret", Auth: secrets.TokenAuth{
				Token: secrets.SecretKey{Name: login.GetName(), Key: "token"},
			}},
		},
		secrets.ExternalSecret{
			Name: "database", Namespace: secretsNamespace,
			Store: secrets.StoreRef{Name: "vault"},
			Data:  map[string]secrets.Remote{"password": {Key: "shop/database", Property: "password"}},
		},
	)
}

func (f *flow) expectPassword(ctx context.Context, key client.ObjectKey, want string) error {
	var secret corev1.Secret
	if err := f.client.Get(ctx, key, &secret); err != nil {
		return fmt.Errorf("read the Secret %s: %w", key, err)
	}
	if string(secret.Data["password"]) != want {
		return errors.New("the Secret " + key.String() + " does not hold the value that Vault has")
	}
	return nil
}
