// Command argocd holds Argo CD's application controller, ApplicationSet
// controller, repo server and API server, the kustomize that the repo server
// calls, and a Redis for them, in one program. Helm is a program of its own: its
// command can only be built, not imported.
//
// It is made of the very commands that upstream's own multi-call program runs.
// The programs that Backbone has no use for (Dex, notifications, config
// management plugins, the command line client) are left out.
//
// The program is chosen by ARGOCD_BINARY_NAME (upstream's rule, by which the
// repo server has git call it back for credentials), by the name of the
// executable or, under any other name, by the first argument: a name or, as in
// upstream's manifests, a path that ends in one.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	controller "github.com/argoproj/argo-cd/v2/cmd/argocd-application-controller/commands"
	applicationset "github.com/argoproj/argo-cd/v2/cmd/argocd-applicationset-controller/commands"
	askpass "github.com/argoproj/argo-cd/v2/cmd/argocd-git-ask-pass/commands"
	reposerver "github.com/argoproj/argo-cd/v2/cmd/argocd-repo-server/commands"
	server "github.com/argoproj/argo-cd/v2/cmd/argocd-server/commands"
	"github.com/argoproj/argo-cd/v2/cmd/argocd/commands/admin"
	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/kustomize/v5/commands"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "argocd:", err)
		os.Exit(1)
	}
}

func run(argv []string) error {
	programs := map[string]func(args []string) error{
		"argocd-application-controller":    upstream(controller.NewCommand),
		"argocd-applicationset-controller": upstream(applicationset.NewCommand),
		"argocd-git-ask-pass":              upstream(askpass.NewCommand),
		"argocd-repo-server":               upstream(reposerver.NewCommand),
		"argocd-server":                    upstream(server.NewCommand),
		"kustomize":                        upstream(commands.NewDefaultCommand),
		"redis-server":                     runRedis,
		"admin":                            upstream(newAdminCommand),
	}
	name, args := filepath.Base(argv[0]), argv[1:]
	if chosen := os.Getenv("ARGOCD_BINARY_NAME"); chosen != "" {
		name = chosen
	}
	if _, ok := programs[name]; !ok && len(args) > 0 {
		name, args = filepath.Base(args[0]), args[1:]
	}
	program, ok := programs[name]
	if !ok {
		return fmt.Errorf("unknown program %q: want one of %q", name, slices.Sorted(maps.Keys(programs)))
	}
	return program(args)
}

// upstream runs one of upstream's commands, which handle signals themselves.
func upstream(newCommand func() *cobra.Command) func([]string) error {
	return func(args []string) error {
		command := newCommand()
		command.SetArgs(args)
		// The error is printed by main, once.
		command.SilenceErrors = true
		return command.ExecuteContext(context.Background())
	}
}

// newAdminCommand holds the one administrative command that upstream's
// manifests call: it makes the Secret with the Redis password.
func newAdminCommand() *cobra.Command {
	command := &cobra.Command{Use: "admin", Short: "Administer Argo CD."}
	command.AddCommand(admin.NewRedisInitialPasswordCommand())
	return command
}
