package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/controlbackbone/backbone/eventing/replay"
)

// keep writes the events of a live bus into files whose names keep their order.
func (o options) keep(ctx context.Context, progress io.Writer) error {
	if err := os.MkdirAll(o.events, 0o750); err != nil {
		return err
	}
	count := 0
	options := replay.RecordOptions{Stored: o.stored, Started: func() { fmt.Fprintln(progress, "recording") }}
	err := replay.Record(ctx, replay.Connection{URL: o.record}, options, func(event cloudevents.Event) error {
		raw, err := json.MarshalIndent(event, "", "  ")
		if err != nil {
			return err
		}
		name := strings.Join([]string{event.Time().UTC().Format("20060102T150405.000000000"), event.Source(), event.Subject(), event.ID()}, "-") + ".json"
		name = filepath.Join(o.events, strings.ReplaceAll(name, string(filepath.Separator), "_"))
		count++
		fmt.Fprintln(progress, name)
		return os.WriteFile(name, append(raw, '\n'), 0o600)
	})
	fmt.Fprintf(progress, "%d events\n", count)
	return err
}
