// Command replay says what Sensors would do with recorded events, without a cluster.
//
//	go run ./examples/replay --objects K8s/eventing --events recorded/
//	go run ./examples/replay --record nats://127.0.0.1:4222 --events recorded/
//
// Without arguments it replays a few events that it brings along. Events are CloudEvents as they are on the bus, in files
// with the ending .json, or HTTP requests to the EventSources among the objects, in files with the ending .http. They are
// replayed in the order of their names. With --record it writes the events of a live bus into such files, until it is
// interrupted.
//
// It exits with 0 if it could say what happens, and with 1 if not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/eventing/replay"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := os.Stdout
	// Argo Events prints where a parameter falls back to its default; the table stays clean of it.
	os.Stdout = os.Stderr
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = o.run(ctx, out, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	objects []string
	events  string
	record  string
	stored  bool
	output  string
	at      time.Time
	unsafe  bool
}

func parse(arguments []string, usage io.Writer) (options, error) {
	o := options{at: time.Now()}
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.Func("objects", "a `path` of Sensors, EventSources, and what triggers read: a file, or a folder with all below it; may be given several times", func(path string) error {
		o.objects = append(o.objects, path)
		return nil
	})
	flags.StringVar(&o.events, "events", "", "the `path` of the events: a file, or a folder with all below it")
	flags.StringVar(&o.record, "record", "", "write the events of the bus at this NATS `URL` to --events, instead of replaying")
	flags.BoolVar(&o.stored, "stored", false, "with --record: write the events that the bus holds, and end")
	flags.StringVar(&o.output, "output", "text", "text or json")
	flags.BoolVar(&o.unsafe, "unsafe", false, "run scripts and templates that reach outside the event")
	flags.Func("at", "the `time` at which requests come in, such as 2026-03-02T12:00:00Z; default: now", func(text string) error {
		var err error
		o.at, err = time.Parse(time.RFC3339, text)
		return err
	})
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	return o, o.validate(flags.Args())
}

func (o options) validate(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: see --help", rest[0])
	case o.output != "text" && o.output != "json":
		return fmt.Errorf("--output %q: want text or json", o.output)
	case o.record != "" && (o.events == "" || len(o.objects) > 0):
		return errors.New("--record needs --events, the folder to write to, and no --objects")
	case o.record == "" && (len(o.objects) > 0) != (o.events != ""):
		return errors.New("--objects and --events belong together")
	case o.stored && o.record == "":
		return errors.New("--stored belongs to --record")
	}
	return nil
}

func (o options) run(ctx context.Context, out, progress io.Writer) error {
	if o.record != "" {
		return o.keep(ctx, progress)
	}
	in, err := o.read()
	if err != nil {
		return err
	}
	for _, finding := range eventing.Check(in.objects) {
		fmt.Fprintln(progress, finding)
	}
	engine, err := replay.New(in.objects, replay.Options{Objects: in.objects, AllowUnsafe: o.unsafe})
	if err != nil {
		return err
	}
	rows, err := in.replay(ctx, engine)
	if err != nil {
		return err
	}
	if o.output == "json" {
		return writeJSON(out, rows)
	}
	return writeTable(out, rows)
}
