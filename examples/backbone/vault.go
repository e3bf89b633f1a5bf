package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/target"
)

// vaultService is where Vault listens in a cluster with containers.
var vaultService = target.Service{Namespace: "vault", Name: "vault", Port: 8200}

// vaultToken reads the root token that the development server was started with.
func (p platform) vaultToken(ctx context.Context) (string, error) {
	var secret corev1.Secret
	if err := p.Client.Get(ctx, client.ObjectKey{Namespace: "vault", Name: "vault-root-token"}, &secret); err != nil {
		return "", fmt.Errorf("read Vault's token: %w", err)
	}
	return string(secret.Data["token"]), nil
}

// writeVault stores values under a path of the key-value engine at secret/.
func writeVault(ctx context.Context, address, token, path string, values map[string]string) error {
	body, err := json.Marshal(map[string]any{"data": values})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/secret/data/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Token", token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("write to Vault: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("write secret/%s to Vault: %s: %s", path, response.Status, bytes.TrimSpace(answer))
	}
	return nil
}
