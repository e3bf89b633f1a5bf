package preview

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// chart finds a chart of a Helm repository among the given repositories.
func (r renderer) chart(url, name, version string) (fs.FS, error) {
	for i := range r.inputs.Repositories {
		repository := &r.inputs.Repositories[i]
		if repository.Content == nil || !sameChartRepository(repository.URL, url) ||
			repository.Revision != "" && !satisfies(repository.Revision, version) {
			continue
		}
		found, err := chartIn(repository.Content, name, version)
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, &MissingContentError{RepoURL: url, Chart: name, Revision: version}
}

func sameChartRepository(a, b string) bool {
	plain := func(url string) string { return strings.TrimSuffix(strings.TrimPrefix(url, "oci://"), "/") }
	return plain(a) == plain(b)
}

// satisfies reports whether a version is the wanted one, or in the wanted range.
func satisfies(version, wanted string) bool {
	return wanted == "" || version == wanted || chartutil.IsCompatibleRange(wanted, version)
}

// chartIn returns the folder of a chart, or else the archive with the highest version, that satisfies the wanted
// version; or nothing.
func chartIn(fsys fs.FS, name, wanted string) (fs.FS, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("chart %s %w", name, ErrOutside)
	}
	declared := path.Join(name, chartutil.ChartfileName)
	if data, err := readFile(fsys, declared); err == nil {
		var metadata chart.Metadata
		if err := yaml.Unmarshal(data, &metadata); err != nil {
			return nil, contentError(declared, err)
		}
		if satisfies(metadata.Version, wanted) {
			return fs.Sub(fsys, name)
		}
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, contentError(".", err)
	}
	var best *semver.Version
	var archive string
	for _, entry := range entries {
		text, named := strings.CutPrefix(entry.Name(), path.Base(name)+"-")
		text, packed := strings.CutSuffix(text, ".tgz")
		if !named || !packed || !satisfies(text, wanted) {
			continue
		}
		// A name such as web-extra-1.0.0.tgz is that of another chart.
		if version, err := semver.StrictNewVersion(text); err == nil && (best == nil || version.GreaterThan(best)) {
			best, archive = version, entry.Name()
		}
	}
	if best == nil {
		return nil, nil
	}
	return unpackChart(fsys, archive)
}
