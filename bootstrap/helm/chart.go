// Package helm makes a Helm chart the [bootstrap.Source] of a component. It
// renders as `helm template` does, offline: nothing is asked of a cluster, the
// lookup function finds nothing, and no release is recorded, so Helm does not
// know of what is installed.
//
// A chart that makes up random values renders differently each time. Those in
// Secrets do not matter to a plan; any other makes each run ask for an upgrade.
package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/ignore"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/bootstrap"
)

// defaultKubeVersion is the oldest Kubernetes that this module supports.
const defaultKubeVersion = "v1.33.0"

// Chart is a chart with what a user would give to `helm install`. It is a
// [bootstrap.Source].
type Chart struct {
	// FS holds the chart. Default: the file system of the machine.
	FS fs.FS

	// Path of the chart in FS, or on the machine when FS is nil: a directory
	// with a Chart.yaml, or a packaged chart that ends in .tgz. Default ".".
	Path string

	// ReleaseName is .Release.Name. Default: the chart's own name.
	ReleaseName string

	// Namespace is .Release.Namespace. Required. It is not created, and objects
	// that leave their namespace to `helm install` still have none: name it in
	// [bootstrap.Component] too.
	Namespace string

	// Values override the chart's own, as a values file would.
	Values map[string]any

	// SkipCRDs leaves out the definitions in the chart's crds directories, and
	// in those of its subcharts. Default: they are included.
	SkipCRDs bool

	// KubeVersion is .Capabilities.KubeVersion. Default "v1.33.0", the oldest
	// that this module supports.
	KubeVersion string

	// APIVersions are added to .Capabilities.APIVersions, which holds those of
	// Kubernetes itself, as "group/version" or "group/version/Kind".
	APIVersions []string

	// Hooks says what becomes of the chart's install and upgrade hooks. Default
	// [RefuseHooks].
	Hooks Hooks
}

// Objects renders the chart. Tests, and the hooks of deletions and rollbacks,
// are left out. Errors are a [HookError] for hooks that Chart.Hooks does not
// decide on, a [bootstrap.ManifestError] for a template that does not give
// valid manifests, and those of Helm.
func (c Chart) Objects(ctx context.Context) ([]*unstructured.Unstructured, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	objects, err := c.objects()
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", c.location(), err)
	}
	return objects, nil
}

func (c Chart) location() string {
	if c.Path == "" {
		return "."
	}
	return c.Path
}

func (c Chart) objects() ([]*unstructured.Unstructured, error) {
	if c.Namespace == "" {
		return nil, errors.New("namespace is required")
	}
	loaded, err := c.load()
	if err != nil {
		return nil, err
	}
	capabilities, err := c.capabilities(loaded)
	if err != nil {
		return nil, err
	}
	templates, err := c.render(loaded, capabilities)
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	if !c.SkipCRDs {
		for _, definition := range loaded.CRDObjects() {
			objects, err := bootstrap.ReadManifests(definition.Filename, definition.File.Data)
			if err != nil {
				return nil, err
			}
			all = append(all, objects...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		if path.Base(name) == "NOTES.txt" {
			continue
		}
		objects, err := bootstrap.ReadManifests(name, []byte(templates[name]))
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return c.Hooks.decide(all)
}

func (c Chart) load() (*chart.Chart, error) {
	if c.FS == nil {
		return loader.Load(filepath.FromSlash(c.location()))
	}
	name := path.Clean(c.location())
	if strings.HasSuffix(name, ".tgz") {
		file, err := c.FS.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }() // only read from
		return loader.LoadArchive(file)
	}
	return loadDirectory(c.FS, name)
}

// loadDirectory loads a chart as Helm's own loader does from a disk.
func loadDirectory(fsys fs.FS, root string) (*chart.Chart, error) {
	chartFS, err := fs.Sub(fsys, root)
	if err != nil {
		return nil, err
	}
	rules, err := ignoreRules(chartFS)
	if err != nil {
		return nil, err
	}
	var files []*loader.BufferedFile
	err = fs.WalkDir(chartFS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case rules.Ignore(name, info) && entry.IsDir():
			return fs.SkipDir
		case rules.Ignore(name, info) || entry.IsDir():
			return nil
		case info.Size() > loader.MaxDecompressedFileSize:
			return fmt.Errorf("%s is larger than %d bytes", name, loader.MaxDecompressedFileSize)
		}
		data, err := fs.ReadFile(chartFS, name)
		files = append(files, &loader.BufferedFile{Name: name, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
		return err
	})
	if err != nil {
		return nil, err
	}
	return loader.LoadFiles(files)
}

func ignoreRules(chartFS fs.FS) (*ignore.Rules, error) {
	rules := ignore.Empty()
	data, err := fs.ReadFile(chartFS, ignore.HelmIgnore)
	switch {
	case err == nil:
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("%s: %w", ignore.HelmIgnore, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	rules.AddDefaults()
	return rules, nil
}

// capabilities gives what the chart may ask of the cluster, and checks that the
// chart supports its version.
func (c Chart) capabilities(loaded *chart.Chart) (*chartutil.Capabilities, error) {
	wanted := c.KubeVersion
	if wanted == "" {
		wanted = defaultKubeVersion
	}
	version, err := chartutil.ParseKubeVersion(wanted)
	if err != nil {
		return nil, fmt.Errorf("kubeVersion %q: %w", wanted, err)
	}
	if constraint := loaded.Metadata.KubeVersion; constraint != "" && !chartutil.IsCompatibleRange(constraint, version.Version) {
		return nil, fmt.Errorf("needs Kubernetes %s, not %s: set KubeVersion to the cluster's", constraint, version)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	capabilities.APIVersions = slices.Concat(capabilities.APIVersions, c.APIVersions)
	return capabilities, nil
}

// render gives the text of each template by its path.
func (c Chart) render(loaded *chart.Chart, capabilities *chartutil.Capabilities) (map[string]string, error) {
	// Removes the dependencies that the values disable, and renames those with an alias.
	if err := chartutil.ProcessDependenciesWithMerge(loaded, c.Values); err != nil {
		return nil, err
	}
	if err := checkDependencies(loaded); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: c.ReleaseName, Namespace: c.Namespace, Revision: 1, IsInstall: true}
	if release.Name == "" {
		release.Name = loaded.Name()
	}
	values, err := chartutil.ToRenderValues(loaded, c.Values, release, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(loaded, values)
}

// checkDependencies reports enabled subcharts that Chart.yaml names and that were
// not fetched: Helm would render without them.
func checkDependencies(loaded *chart.Chart) error {
	present := map[string]bool{}
	for _, subchart := range loaded.Dependencies() {
		present[subchart.Name()] = true
	}
	var missing []string
	for _, dependency := range loaded.Metadata.Dependencies {
		if !present[dependency.Name] && !present[dependency.Alias] {
			missing = append(missing, dependency.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("subcharts %s are not in charts/: run `helm dependency build`", strings.Join(missing, ", "))
	}
	return nil
}
