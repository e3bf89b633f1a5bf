// Package image knows which programs of this machine stand in for which
// container images.
package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Image says what a container of one image runs.
type Image struct {
	// Dir holds the image's executables. A command is looked up there by its
	// base name, then on PATH. Empty: only on PATH.
	Dir string `json:"dir,omitempty"`
	// Entrypoint is run, followed by the container's args, when the container
	// has no command.
	Entrypoint []string `json:"entrypoint,omitempty"`
}

// Table maps exact image references, as they stand in manifests, to images.
type Table struct {
	path   string
	images map[string]Image
}

// UnknownError reports an image that the table does not list.
type UnknownError struct {
	// Image is the reference as the container states it.
	Image string
	// Table is the path of the table's file.
	Table string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("image %q is not among the images this node can run; add it to %s as {%q: {\"dir\": \"<directory of its executables>\", \"entrypoint\": [\"<command>\"]}} and start the node again", e.Image, e.Table, e.Image)
}

// Load reads a table from a JSON file. A relative Dir is relative to the file.
func Load(path string) (*Table, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the image table: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("find the image table: %w", err)
	}
	table := &Table{path: path}
	if err := json.Unmarshal(data, &table.images); err != nil {
		return nil, fmt.Errorf("decode the image table %s: %w", path, err)
	}
	for name, image := range table.images {
		if image.Dir == "" || filepath.IsAbs(image.Dir) {
			continue
		}
		image.Dir = filepath.Join(filepath.Dir(path), image.Dir)
		table.images[name] = image
	}
	return table, nil
}

// Image finds an image by its exact reference, or fails with *UnknownError.
func (t *Table) Image(reference string) (Image, error) {
	image, ok := t.images[reference]
	if !ok {
		return Image{}, &UnknownError{Image: reference, Table: t.path}
	}
	return image, nil
}

// Executable finds the file to run for a command's first element: the file of
// that base name in the image's directory, else the path itself when it is one
// that exists, else the program of that base name on PATH.
func (i Image) Executable(command string) (string, error) {
	base := filepath.Base(command)
	if i.Dir != "" {
		path := filepath.Join(i.Dir, base)
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	if filepath.IsAbs(command) {
		if found, err := exec.LookPath(command); err == nil {
			return found, nil
		}
	}
	found, err := exec.LookPath(base)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("exec %q: no executable %q in the image's directory %q or on this machine's PATH", command, base, i.Dir)
	}
	return found, err
}
