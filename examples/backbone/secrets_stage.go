package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/secrets"
)

const (
	secretsNamespace = "shop"
	// secretTimeout bounds the way of a secret from Vault to Kubernetes.
	secretTimeout = time.Minute
)

// secretsStage writes a secret to Vault and proves that it arrives in a
// Kubernetes Secret, and that a new value replaces it.
func (p platform) secretsStage(ctx context.Context, progress flow.Progress) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, secretTimeout, fmt.Errorf("not within %s", secretTimeout))
	defer cancel()
	vault, err := p.Target.Endpoint(ctx, vaultService)
	if err != nil {
		return "", err
	}
	token, err := p.vaultToken(ctx)
	if err != nil {
		return "", err
	}
	first, second := rand.Text(), rand.Text()
	progress.Say("writing to Vault")
	if err := writeVault(ctx, vault.Local, token, "shop/database", map[string]string{"password": first}); err != nil {
		return "", err
	}
	if err := p.declareSecrets(ctx, "http://"+vault.InCluster, token); err != nil {
		return "", err
	}
	began := time.Now()
	database := client.ObjectKey{Namespace: secretsNamespace, Name: "database"}
	externalSecrets := secrets.NewClient(p.Client, secrets.ClientOptions{FieldManager: flow.FieldManager})
	progress.Say("waiting for the Secret %s", database)
	if err := externalSecrets.Wait(ctx, database); err != nil {
		return "", err
	}
	if err := p.expectPassword(ctx, database, first); err != nil {
		return "", err
	}
	arrived := time.Since(began)

	progress.Say("changing the secret in Vault")
	if err := writeVault(ctx, vault.Local, token, "shop/database", map[string]string{"password": second}); err != nil {
		return "", err
	}
	if err := externalSecrets.Refresh(ctx, database); err != nil {
		return "", err
	}
	if err := p.expectPassword(ctx, database, second); err != nil {
		return "", err
	}
	return fmt.Sprintf("Vault -> Secret %s in %s; a new value followed", database, flow.Seconds(arrived)), nil
}

// declareSecrets applies the store, with the token it logs in with, and the
// ExternalSecret.
func (p platform) declareSecrets(ctx context.Context, server, token string) error {
	if err := p.ApplyNamespace(ctx, secretsNamespace); err != nil {
		return err
	}
	login := flow.NewObject("v1", "Secret", secretsNamespace, "vault-token")
	login.Object["stringData"] = map[string]any{"token": token}
	if err := p.ApplyObjects(ctx, login); err != nil {
		return err
	}
	return p.Apply(ctx,
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

func (p platform) expectPassword(ctx context.Context, key client.ObjectKey, want string) error {
	var secret corev1.Secret
	if err := p.Client.Get(ctx, key, &secret); err != nil {
		return fmt.Errorf("read the Secret %s: %w", key, err)
	}
	if string(secret.Data["password"]) != want {
		return errors.New("the Secret " + key.String() + " does not hold the value that Vault has")
	}
	return nil
}
