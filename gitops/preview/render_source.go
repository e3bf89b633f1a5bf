package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/util/git"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// MissingContentError is a repository, or a chart of a Helm repository, whose content was not given.
type MissingContentError struct {
	RepoURL string
	// Revision that is wanted: of a git repository, or the version of a chart. Empty for the default branch.
	Revision string
	// Chart of a Helm repository. Empty for a git repository.
	Chart string
}

func (e *MissingContentError) Error() string {
	if e.Chart != "" {
		return fmt.Sprintf("chart %s %s of %s: add a Repository with this URL to the Inputs, whose Content holds the chart as folder %s or as %s-<version>.tgz",
			e.Chart, e.Revision, maskText(e.RepoURL), e.Chart, e.Chart)
	}
	revision := e.Revision
	if revision == "" {
		revision = "HEAD"
	}
	return fmt.Sprintf("repository %s at %s: add its Content to the Inputs", maskText(e.RepoURL), revision)
}

// sourceContent is one source of an Application with what it needs.
type sourceContent struct {
	source v1alpha1.ApplicationSource
	// fsys holds the repository, and dir is the source's folder in it.
	fsys fs.FS
	dir  string
	// refs are the repositories of the sources that value files may come from, by "$name".
	refs map[string]fs.FS
	env  *v1alpha1.Env
	// appName is the Application's, and instance with its namespace unless that is Argo CD's own.
	appName, instance string
	// namespace is the destination's.
	namespace string
}

func sourcesOf(app *unstructured.Unstructured) ([]v1alpha1.ApplicationSource, error) {
	var typed v1alpha1.Application
	data, err := json.Marshal(app.Object)
	if err == nil {
		err = json.Unmarshal(data, &typed)
	}
	if err != nil {
		return nil, fmt.Errorf("read the Application: %w", err)
	}
	sources := typed.Spec.GetSources()
	if len(sources) == 0 || sources[0].IsZero() {
		return nil, errors.New("the Application has no source")
	}
	return sources, nil
}

// renderSource renders one source (argo-cd: reposerver/repository/repository.go, GenerateManifests).
func (r renderer) renderSource(ctx context.Context, app *unstructured.Unstructured, sources []v1alpha1.ApplicationSource, i int) ([]*unstructured.Unstructured, error) {
	source := sources[i]
	if source.Ref != "" && source.Path == "" && source.Chart == "" {
		return nil, nil // only referred to
	}
	content, err := r.open(app, source)
	if err != nil {
		return nil, err
	}
	if content.refs, err = r.references(sources); err != nil {
		return nil, err
	}
	kind, err := content.detect()
	if err != nil {
		return nil, err
	}
	switch kind {
	case v1alpha1.ApplicationSourceTypeHelm:
		return r.renderHelm(ctx, content)
	case v1alpha1.ApplicationSourceTypeKustomize:
		return r.renderKustomize(ctx, content)
	case v1alpha1.ApplicationSourceTypePlugin:
		return nil, fmt.Errorf("plugin %q: %w: a config management plugin is a program of the repo-server", pluginName(content.source), ErrOffline)
	}
	return r.renderDirectory(ctx, content)
}

func pluginName(source v1alpha1.ApplicationSource) string {
	if source.Plugin == nil {
		return ""
	}
	return source.Plugin.Name
}

// open finds the content of a source, and checks its path as argo-cd's util/app/path does.
func (r renderer) open(app *unstructured.Unstructured, source v1alpha1.ApplicationSource) (*sourceContent, error) {
	content := &sourceContent{source: source, appName: app.GetName(), dir: path.Clean(source.Path)}
	content.instance = content.appName
	if own := app.GetNamespace(); own != "" && own != orElse(r.inputs.Namespace, argoapp.DefaultNamespace) {
		content.instance = own + "_" + content.appName
	}
	content.namespace, _, _ = unstructured.NestedString(app.Object, "spec", "destination", "namespace")
	revision := source.TargetRevision
	if source.Chart != "" {
		chart, err := r.chart(source.RepoURL, source.Chart, source.TargetRevision)
		if err != nil {
			return nil, err
		}
		content.fsys, content.dir = chart, "."
	} else {
		repository, err := r.repository(source.RepoURL, source.TargetRevision)
		if err != nil {
			return nil, err
		}
		content.fsys = repository.Content
		if repository.Revision != "" {
			revision = repository.Revision
		}
	}
	content.env = environment(content, revision)
	if path.IsAbs(source.Path) {
		return nil, fmt.Errorf("path %s is absolute: it must be relative to the root of the repository", source.Path)
	}
	if !fs.ValidPath(content.dir) {
		return nil, fmt.Errorf("path %s %w", source.Path, ErrOutside)
	}
	info, err := fs.Stat(content.fsys, content.dir)
	if err != nil {
		return nil, fmt.Errorf("path %w", contentError(content.dir, err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("path %s is a file, not a folder", source.Path)
	}
	return content, nil
}

// repository returns the content of a git repository at a revision: of that very revision, or else of any.
func (r renderer) repository(url, revision string) (*Repository, error) {
	var fallback *Repository
	for i := range r.inputs.Repositories {
		repository := &r.inputs.Repositories[i]
		if git.NormalizeGitURL(repository.URL) != git.NormalizeGitURL(url) || repository.Content == nil {
			continue
		}
		switch {
		case repository.Revision == "":
			fallback = repository
		case repository.Revision == revision, repository.Revision == "HEAD" && revision == "":
			return repository, nil
		}
	}
	if fallback == nil {
		return nil, &MissingContentError{RepoURL: url, Revision: revision}
	}
	return fallback, nil
}

// references opens the sources that have a name.
func (r renderer) references(sources []v1alpha1.ApplicationSource) (map[string]fs.FS, error) {
	refs := map[string]fs.FS{}
	for _, source := range sources {
		if source.Ref == "" {
			continue
		}
		if source.Chart != "" {
			return nil, fmt.Errorf("source %s is a chart: Argo CD refers only to git repositories", source.Ref)
		}
		repository, err := r.repository(source.RepoURL, source.TargetRevision)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", source.Ref, err)
		}
		refs["$"+source.Ref] = repository.Content
	}
	return refs, nil
}

// environment is what a source may refer to as ${ARGOCD_APP_NAME} (argo-cd: reposerver/repository/repository.go,
// newEnv).
func environment(content *sourceContent, revision string) *v1alpha1.Env {
	return &v1alpha1.Env{
		{Name: "ARGOCD_APP_NAME", Value: content.instance},
		{Name: "ARGOCD_APP_NAMESPACE", Value: content.namespace},
		{Name: "ARGOCD_APP_REVISION", Value: revision},
		{Name: "ARGOCD_APP_REVISION_SHORT", Value: revision[:min(len(revision), 7)]},
		{Name: "ARGOCD_APP_REVISION_SHORT_8", Value: revision[:min(len(revision), 8)]},
		{Name: "ARGOCD_APP_SOURCE_REPO_URL", Value: content.source.RepoURL},
		{Name: "ARGOCD_APP_SOURCE_PATH", Value: content.source.Path},
		{Name: "ARGOCD_APP_SOURCE_TARGET_REVISION", Value: content.source.TargetRevision},
	}
}

// detect tells which tool renders the folder: the one that the source names, or else what lies in the folder (argo-cd:
// util/app/discovery). A file in the folder may override the source first.
func (s *sourceContent) detect() (v1alpha1.ApplicationSourceType, error) {
	if err := s.override(); err != nil {
		return "", err
	}
	explicit, err := s.source.ExplicitType()
	if err != nil {
		return "", err
	}
	if explicit != nil {
		return *explicit, nil
	}
	entries, err := fs.ReadDir(s.fsys, s.dir)
	if err != nil {
		return "", contentError(s.dir, err)
	}
	kind := v1alpha1.ApplicationSourceTypeDirectory
	for _, entry := range entries {
		switch name := entry.Name(); {
		case entry.IsDir():
		case strings.HasSuffix(name, "Chart.yaml"):
			kind = v1alpha1.ApplicationSourceTypeHelm
		case isKustomization(name):
			kind = v1alpha1.ApplicationSourceTypeKustomize
		}
	}
	return kind, nil
}
