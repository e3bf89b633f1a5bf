package target

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"path"
	"slices"
	"text/template"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// containers holds, per component, the kustomization that installs the upstream
// manifests in a cluster with containers, and the git server.
//
//go:embed containers
var containers embed.FS

func (c *connected) Manifests(ctx context.Context, name embedded.Component) ([]*unstructured.Unstructured, error) {
	if !slices.Contains(c.components, name) {
		return nil, fmt.Errorf("component %q was not named when the cluster was connected", name)
	}
	return embedded.Render(ctx, name, containers, path.Join("containers", string(name)), template.FuncMap{
		"token": func(token string) (string, error) { return c.token(ctx, token) },
	})
}

// tokenSecrets are the Secrets in which the manifests keep tokens, each under
// the key tokenKey, by the names that the manifests call the tokens.
var tokenSecrets = map[string]client.ObjectKey{
	"vault-root": {Namespace: "vault", Name: "vault-root-token"},
}

const tokenKey = "token"

// token is the one that an earlier installation left in the cluster, so that
// installing again changes nothing; else a random one.
func (c *connected) token(ctx context.Context, name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token := c.tokens[name]; token != "" {
		return token, nil
	}
	key, ok := tokenSecrets[name]
	if !ok {
		return "", fmt.Errorf("unknown token %q", name)
	}
	var secret corev1.Secret
	if err := c.client.Get(ctx, key, &secret); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("look for the token in Secret %s: %w", key, err)
	} else if apierrors.IsNotFound(err) || len(secret.Data[tokenKey]) == 0 {
		c.tokens[name] = rand.Text()
	} else {
		c.tokens[name] = string(secret.Data[tokenKey])
	}
	return c.tokens[name], nil
}
