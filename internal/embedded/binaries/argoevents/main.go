// Command argoevents is Argo Events' controller, event source and sensor, and
// the NATS server they talk through, as processes that can share one host.
//
// It is made of argo-events' public packages because upstream's own command
// cannot run twice on a host: it fixes the metrics port 7777, the directory
// /etc/argo-events and a leader election file. Here metrics are off, the
// directory is looked up below $BACKBONE_ROOT, and one replica elects no one.
// Mounted Secrets and ConfigMaps are below $BACKBONE_ROOT too, by an edit of
// upstream's file when this is built.
// Everything else comes from the same environment variables as upstream.
//
// The program is chosen by the name of the executable or, failing that, by the
// first argument: controller, eventsource-service, sensor-service, nats-server.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
)

func main() {
	if err := run(signals.SetupSignalHandler(), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "argoevents:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, argv []string) error {
	programs := map[string]func(context.Context, []string) error{
		"controller":          runController,
		"eventsource-service": runEventSource,
		"sensor-service":      runSensor,
		"nats-server":         runNATS,
	}
	name, args := filepath.Base(argv[0]), argv[1:]
	if _, ok := programs[name]; !ok {
		if len(args) == 0 {
			return errors.New("name a program: controller, eventsource-service, sensor-service or nats-server")
		}
		name, args = args[0], args[1:]
	}
	program, ok := programs[name]
	if !ok {
		return fmt.Errorf("unknown program %q: want controller, eventsource-service, sensor-service or nats-server", name)
	}
	if err := program(ctx, args); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
