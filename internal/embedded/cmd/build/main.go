// Command build compiles the programs of the embedded target into the user's
// cache, so that nothing later waits for them: Kubernetes, the local node, and
// the components named as arguments, or all of them when none is. It prints
// each module's name and the directory that holds its programs.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/controlbackbone/backbone/internal/embedded"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	components := embedded.Components()
	if len(os.Args) > 1 {
		components = nil
		for _, name := range os.Args[1:] {
			components = append(components, embedded.Component(name))
		}
	}
	dirs, err := embedded.Build(ctx, components, report())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for name, dir := range dirs {
		fmt.Printf("%s\t%s\n", name, dir)
	}
}

// report prints builds as they go, at most one line every ten seconds.
func report() func(embedded.Event) {
	var last time.Time
	return func(event embedded.Event) {
		switch {
		case event.Kind == embedded.Built:
			fmt.Fprintln(os.Stderr, event)
		case event.Kind == embedded.Building && time.Since(last) > 10*time.Second:
			last = time.Now()
			fmt.Fprintln(os.Stderr, event)
		}
	}
}
