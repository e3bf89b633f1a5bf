package preview

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/ignore"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// defaultKubeVersion is the oldest Kubernetes that this module supports.
const defaultKubeVersion = "v1.33.0"

// renderHelm renders a chart as `helm template` does for Argo CD (argo-cd: reposerver/repository/repository.go,
// helmTemplate, and util/helm/cmd.go). Lookups find nothing.
func (r renderer) renderHelm(ctx context.Context, content *sourceContent) ([]*unstructured.Unstructured, error) {
	settings := content.source.Helm
	if settings == nil {
		settings = &v1alpha1.ApplicationSourceHelm{}
	}
	if settings.Version != "" && settings.Version != "v3" {
		return nil, fmt.Errorf("helm: version %q: Argo CD knows only v3", settings.Version)
	}
	values, err := content.values(settings)
	if err != nil {
		return nil, fmt.Errorf("helm: %w", err)
	}
	loaded, err := loadChart(content.fsys, content.dir)
	if err != nil {
		return nil, fmt.Errorf("helm: %w", err)
	}
	if err := r.addDependencies(content, loaded); err != nil {
		return nil, fmt.Errorf("helm: %w", err)
	}
	install, err := r.install(content, settings)
	if err != nil {
		return nil, fmt.Errorf("helm: %w", err)
	}
	rendered, err := install.RunWithContext(ctx, loaded, values)
	if err != nil {
		return nil, fmt.Errorf("helm: %w", err)
	}
	objects, err := kube.SplitYAML(manifests(rendered, settings.SkipTests))
	if err != nil {
		return nil, fmt.Errorf("helm: %w", withoutValues(err))
	}
	return objects, nil
}

func (r renderer) install(content *sourceContent, settings *v1alpha1.ApplicationSourceHelm) (*action.Install, error) {
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.ClientOnly, install.DryRun, install.Replace = true, true, true
	install.IncludeCRDs = !settings.SkipCrds
	install.SkipSchemaValidation = settings.SkipSchemaValidation
	install.ReleaseName = orElse(settings.ReleaseName, content.appName)
	install.Namespace = orElse(settings.Namespace, orElse(content.namespace, "default"))
	wanted := orElse(settings.KubeVersion, orElse(r.options.KubeVersion, defaultKubeVersion))
	version, err := chartutil.ParseKubeVersion(wanted)
	if err != nil {
		return nil, fmt.Errorf("kubeVersion %q: %w", wanted, err)
	}
	install.KubeVersion = version
	install.APIVersions = r.options.APIVersions
	if len(settings.APIVersions) > 0 {
		install.APIVersions = settings.APIVersions
	}
	return install, nil
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// manifests are what `helm template` prints: the resources, then the hooks.
func manifests(rendered *release.Release, skipTests bool) []byte {
	var text bytes.Buffer
	text.WriteString(rendered.Manifest)
	for _, hook := range rendered.Hooks {
		isTest := false
		for _, event := range hook.Events {
			isTest = isTest || event == release.HookTest
		}
		if !skipTests || !isTest {
			fmt.Fprintf(&text, "\n---\n%s\n", hook.Manifest)
		}
	}
	return text.Bytes()
}

// addDependencies adds the subcharts that lie outside of the chart's own folder, as `helm dependency build` does.
func (r renderer) addDependencies(content *sourceContent, loaded *chart.Chart) error {
	present := map[string]bool{}
	for _, subchart := range loaded.Dependencies() {
		present[subchart.Name()] = true
	}
	for _, wanted := range loaded.Metadata.Dependencies {
		if present[wanted.Name] {
			continue
		}
		fsys, dir := content.fsys, "."
		if folder, local := strings.CutPrefix(wanted.Repository, "file://"); local {
			var err error
			if dir, err = insidePath(content.dir, folder); err != nil {
				return fmt.Errorf("subchart %s: %s %w", wanted.Name, folder, err)
			}
		} else {
			var err error
			if fsys, err = r.chart(wanted.Repository, wanted.Name, wanted.Version); err != nil {
				return fmt.Errorf("subchart %s is not in charts/: run `helm dependency build`, or supply it: %w", wanted.Name, err)
			}
		}
		subchart, err := loadChart(fsys, dir)
		if err != nil {
			return fmt.Errorf("subchart %s: %w", wanted.Name, err)
		}
		loaded.AddDependency(subchart)
		present[wanted.Name] = true
	}
	return nil
}

// loadChart loads the chart in a folder as Helm's loader does from a disk.
func loadChart(fsys fs.FS, dir string) (*chart.Chart, error) {
	chartFS, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, contentError(dir, err)
	}
	rules := ignore.Empty()
	if data, err := readFile(chartFS, ignore.HelmIgnore); err == nil {
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, contentError(path.Join(dir, ignore.HelmIgnore), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	rules.AddDefaults()
	files := chartFiles{fsys: fsys, root: dir, rules: rules}
	if err := files.add(dir, 0); err != nil {
		return nil, err
	}
	return loader.LoadFiles(files.found)
}
