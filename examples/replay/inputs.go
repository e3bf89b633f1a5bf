package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing/replay"
	"github.com/controlbackbone/backbone/internal/manifest"
)

// demo is what is replayed when nothing else is given.
//
//go:embed demo
var demo embed.FS

// demoTime is when the requests of the demo come in.
var demoTime = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// inputs are the Sensors and their events.
type inputs struct {
	objects []*unstructured.Unstructured
	events  []replay.Loaded
}

func (o options) read() (*inputs, error) {
	if o.events == "" {
		return o.readDemo()
	}
	documents, err := manifest.LoadPaths(o.objects...)
	if err != nil {
		return nil, err
	}
	folder, name := manifest.Split(o.events)
	return load(manifest.Objects(documents), os.DirFS(folder), name, o.at)
}

func (o options) readDemo() (*inputs, error) {
	documents, err := manifest.Load(demo, "demo/eventing")
	if err != nil {
		return nil, err
	}
	events, err := fs.Sub(demo, "demo/events")
	if err != nil {
		return nil, err
	}
	return load(manifest.Objects(documents), events, ".", demoTime)
}

func load(objects []*unstructured.Unstructured, fsys fs.FS, name string, at time.Time) (*inputs, error) {
	sources, err := replay.NewSources(objects)
	if err != nil {
		return nil, err
	}
	events, err := replay.LoadEvents(fsys, sources, at, name)
	switch {
	case err != nil:
		return nil, err
	case len(events) == 0:
		return nil, errors.New("--events holds no file that ends in .json or .http")
	}
	for _, event := range events {
		if event.Unchecked {
			fmt.Fprintf(os.Stderr, "%s: the sender is not checked: its Secret is not among --objects\n", event.File)
		}
	}
	return &inputs{objects: objects, events: events}, nil
}
