// Command vault is a Vault server in development mode: in-memory storage,
// unsealed, plain HTTP, key/value version 2 mounted at secret/. It stands for
// `vault server -dev` in a pod and reads the same two environment variables:
//
//	VAULT_DEV_ROOT_TOKEN_ID   the root token; required, and never printed
//	VAULT_DEV_LISTEN_ADDRESS  host:port to serve on; default 127.0.0.1:8200
//
// The auth methods token, approle and kubernetes and the secrets engine kv are
// compiled in; as with upstream, approle and kubernetes are enabled through the
// API. Arguments are ignored.
//
// Vault is licensed under the Business Source License 1.1. This module builds
// it only as a component to test against; nothing else imports it.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/vault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	rootToken := os.Getenv("VAULT_DEV_ROOT_TOKEN_ID")
	if rootToken == "" {
		return errors.New("environment variable VAULT_DEV_ROOT_TOKEN_ID is not set")
	}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("VAULT_DEV_LISTEN_ADDRESS"), "127.0.0.1:8200"))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()

	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Info, Output: os.Stderr})
	core, err := newCore(logger, "http://"+listener.Addr().String())
	if err != nil {
		return fmt.Errorf("create core: %w", err)
	}
	defer core.Shutdown()
	if err := start(namespace.ContextWithNamespace(ctx, namespace.RootNamespace), core, rootToken); err != nil {
		return err
	}
	return serve(ctx, listener, core)
}

// serve answers the API until ctx ends, then lets open requests finish.
func serve(ctx context.Context, listener net.Listener, core *vault.Core) error {
	server := &http.Server{
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core:           core,
			ListenerConfig: &configutil.Listener{Type: "tcp", Address: listener.Addr().String(), TLSDisable: true},
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(drain)
}
