package embedded

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Image says what stands in for a container image on the local node.
type Image struct {
	// Dir holds the image's executables. A container's command is looked up
	// there by its base name, then on the host's PATH. Empty: only on PATH.
	Dir string `json:"dir,omitempty"`
	// Entrypoint is run, followed by the container's args, when the container
	// has no command.
	Entrypoint []string `json:"entrypoint,omitempty"`
}

// imageTable maps exact image references to what stands in for them.
type imageTable map[string]Image

// newImageTable lists the images of the components, whose programs are in dirs
// by the name of their module, and those of the options.
func newImageTable(options Options, dirs map[string]string) imageTable {
	table := imageTable{}
	for _, name := range options.Components {
		component := components[name]
		for image, entrypoint := range component.images {
			table[image] = Image{Dir: dirs[component.module.name], Entrypoint: entrypoint}
		}
	}
	maps.Copy(table, options.Images)
	return table
}

// Images are the exact references of all images that the local node can run, in order.
func (c *Cluster) Images() []string { return slices.Sorted(maps.Keys(c.images)) }

// write stores the table where the local node reads it.
func (t imageTable) write(path string) error {
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the image table: %w", err)
	}
	return os.WriteFile(path, data, 0o600)
}
