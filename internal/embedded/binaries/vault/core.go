package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-hclog"
	kubeauth "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// newCore returns a sealed, uninitialised core that keeps everything in memory.
func newCore(logger hclog.Logger, address string) (*vault.Core, error) {
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, fmt.Errorf("create in-memory storage: %w", err)
	}
	secrets := builtins{"kv": kv.Factory}
	auth := builtins{"approle": approle.Factory, "kubernetes": kubeauth.Factory}
	return vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		LogicalBackends:    secrets,
		CredentialBackends: auth,
		BuiltinRegistry:    registry{consts.PluginTypeSecrets: secrets, consts.PluginTypeCredential: auth},
		RedirectAddr:       address,
		Logger:             logger,
		// Locking memory needs a privilege a test component should not ask for.
		DisableMlock: true,
	})
}

// start initialises and unseals the core with one throw-away key, replaces the
// generated root token by the given one, and mounts kv version 2 at secret/.
func start(ctx context.Context, core *vault.Core, rootToken string) error {
	init, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return fmt.Errorf("initialise: %w", err)
	}
	unsealed, err := core.Unseal(init.SecretShares[0])
	if err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	if !unsealed {
		return errors.New("unseal: the only key share did not unseal")
	}
	for _, request := range []*logical.Request{
		{
			Path:        "auth/token/create",
			ClientToken: init.RootToken,
			Data:        map[string]any{"id": rootToken, "policies": []string{"root"}, "no_parent": true, "no_default_policy": true},
		},
		{
			Path:        "auth/token/revoke-self",
			ClientToken: init.RootToken,
		},
		{
			Path:        "sys/mounts/secret",
			ClientToken: rootToken,
			Data:        map[string]any{"type": "kv", "path": "secret/", "options": map[string]string{"version": "2"}},
		},
	} {
		request.Operation = logical.UpdateOperation
		response, err := core.HandleRequest(ctx, request)
		if response.IsError() {
			// The response says what is wrong, the error only that something is.
			err = response.Error()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", request.Path, err)
		}
	}
	return nil
}

// builtins are compiled-in plugins of one type by name.
type builtins = map[string]logical.Factory

// registry tells Vault's plugin catalogue what is compiled in.
type registry map[consts.PluginType]builtins

func (r registry) Contains(name string, pluginType consts.PluginType) bool {
	_, ok := r[pluginType][name]
	return ok
}

func (r registry) Get(name string, pluginType consts.PluginType) (func() (any, error), bool) {
	factory, ok := r[pluginType][name]
	return func() (any, error) { return factory, nil }, ok
}

func (r registry) Keys(pluginType consts.PluginType) []string {
	return slices.Sorted(maps.Keys(r[pluginType]))
}

func (r registry) DeprecationStatus(name string, pluginType consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, pluginType)
}

func (r registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
