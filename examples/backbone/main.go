// Command backbone is the whole platform in one run: it brings up a Kubernetes
// without containers, installs the control backbone on it, and lets one commit,
// one policy, one secret, one drift and one event travel through it. Every stage
// proves its result from the state of the cluster.
//
//	go run ./examples/backbone
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/controlbackbone/backbone/internal/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := withGoRun(ctx)
	defer cancel(nil)

	options, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, options, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "backbone:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	target     string
	kubeconfig string
	keep       bool
	components []embedded.Component
	verbose    bool
}

func parse(arguments []string, usage io.Writer) (options, error) {
	var o options
	var components string
	flags := flag.NewFlagSet("backbone", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.target, "target", targetEmbedded, "where to run: embedded (a Kubernetes of its own), or kubeconfig (a cluster you name, which is changed)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the kubeconfig `file` of --target kubeconfig; default: $KUBECONFIG, then ~/.kube/config")
	flags.BoolVar(&o.keep, "keep", false, "leave the cluster running until interrupted, and its logs and data in place")
	flags.StringVar(&components, "components", "", "install only these, a comma-separated `list` of "+names(embedded.Components())+"; stages that need another are left out")
	flags.BoolVar(&o.verbose, "verbose", false, "print every step as a line")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}
	if o.target != targetEmbedded && o.target != targetKubeconfig {
		return options{}, fmt.Errorf("--target %q: want %s or %s", o.target, targetEmbedded, targetKubeconfig)
	}
	if o.kubeconfig != "" && o.target != targetKubeconfig {
		return options{}, fmt.Errorf("--kubeconfig is for --target %s", targetKubeconfig)
	}
	o.components = embedded.Components()
	if components != "" {
		o.components = nil
		for _, name := range strings.Split(components, ",") {
			component := embedded.Component(strings.TrimSpace(name))
			if !slices.Contains(embedded.Components(), component) {
				return options{}, fmt.Errorf("--components: unknown component %q: want some of %s", component, names(embedded.Components()))
			}
			o.components = append(o.components, component)
		}
	}
	return o, nil
}

func names(components []embedded.Component) string {
	var out []string
	for _, component := range components {
		out = append(out, string(component))
	}
	return strings.Join(out, ", ")
}
