// Package flow runs the stages of an example on a target and shows them.
//
// An example is a program that hands an [Example] to [Main]. The flow begins with the stages "cluster" and "bootstrap",
// which make the target and install the components on it; the example's own follow.
package flow

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// Example is what a program shows.
type Example struct {
	// Name is that of the program, in its usage and its messages.
	Name string
	// Components are what bootstrap installs, unless --components names fewer.
	Components []embedded.Component
	// Images that the example's own pods run, and what stands in for them on the embedded target. Default: none.
	Images map[string]embedded.Image
	// Serves says that a stage calls [Flow.Serve]. The command line has --address then.
	Serves bool
	// Stages are those after bootstrap. They act on the flow, which is complete when the first of them runs.
	Stages func(*Flow) []Stage
}

// Main runs the example as its command line asks, until it ends or a signal ends it. It exits with 1 after a failure,
// of which it prints one message.
func Main(example Example) {
	// Clients would complain on standard error that nobody has set it.
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := withGoRun(ctx)
	defer cancel(nil)

	options, err := parse(example, os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, example, options, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", example.Name, err)
		os.Exit(1)
	}
}
