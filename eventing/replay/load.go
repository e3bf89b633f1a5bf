package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// MaxFileSize is what LoadEvents takes of one file, in bytes.
const MaxFileSize = 16 << 20

// Loaded is an event and where it comes from.
type Loaded struct {
	// File that holds it.
	File string
	// Namespace of the event source, empty for an event of a bus.
	Namespace string
	// Event is nil for a request that does not become one; then Refused or the source's filter says why.
	Event *cloudevents.Event
	// Refused is how the event source answers the request.
	Refused *RequestError
	// Unchecked tells that a request's sender would have to show a secret that is not known.
	Unchecked bool
}

// LoadEvents reads the events of all files at the paths and below, in the order of their names. A file with the ending
// .json holds one CloudEvent as it is on the bus, several in a list, or one per line. One with the ending .http holds an
// HTTP request, which the sources turn into an event; its ID is the name of the file, and its time at. Other files, and
// names that begin with a dot, are passed over. The error joins the faults of all files.
func LoadEvents(fsys fs.FS, sources *Sources, at time.Time, paths ...string) ([]Loaded, error) {
	var out []Loaded
	var errs []error
	for _, root := range paths {
		err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case strings.HasPrefix(entry.Name(), ".") && name != root:
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			case !entry.Type().IsRegular():
				return nil
			}
			loaded, err := loadFile(fsys, name, sources, at)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
			out = append(out, loaded...)
			return nil
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("load events: %w", err))
		}
	}
	return out, errors.Join(errs...)
}

func loadFile(fsys fs.FS, name string, sources *Sources, at time.Time) ([]Loaded, error) {
	ending := path.Ext(name)
	if ending != ".json" && ending != ".http" {
		return nil, nil
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	raw, err := io.ReadAll(io.LimitReader(file, MaxFileSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(raw) > MaxFileSize:
		return nil, fmt.Errorf("it is larger than %d MiB: split it", MaxFileSize>>20)
	case ending == ".json":
		return loadRecorded(name, raw)
	}
	return loadRequest(name, raw, sources, at)
}

func loadRecorded(name string, raw []byte) ([]Loaded, error) {
	raw = bytes.TrimSpace(raw)
	var recorded []json.RawMessage
	if bytes.HasPrefix(raw, []byte("[")) {
		if err := json.Unmarshal(raw, &recorded); err != nil {
			return nil, err
		}
	} else {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		for {
			var next json.RawMessage
			if err := decoder.Decode(&next); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			recorded = append(recorded, next)
		}
	}
	out := make([]Loaded, 0, len(recorded))
	for i, text := range recorded {
		event := cloudevents.Event{}
		if err := json.Unmarshal(text, &event); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		if err := event.Validate(); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		out = append(out, Loaded{File: name, Event: &event})
	}
	return out, nil
}

func loadRequest(name string, raw []byte, sources *Sources, at time.Time) ([]Loaded, error) {
	request, err := ReadRequest(raw)
	if err != nil {
		return nil, err
	}
	received, err := sources.Receive(request, name, at)
	loaded := Loaded{File: name, Namespace: received.Namespace, Event: received.Event, Unchecked: received.Unchecked}
	if err != nil && !errors.As(err, &loaded.Refused) {
		return nil, err
	}
	return []Loaded{loaded}, nil
}
