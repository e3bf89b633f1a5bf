package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/gitops/preview"
)

// root is the folder of the platform's convention, for a repository that declares nothing itself.
const root = "K8s"

// side is one of the two revisions.
type side struct {
	// declares says whether there is anything to preview.
	declares bool
	state    *preview.State
	findings []gitops.Finding
}

// side expands and renders a revision.
func (o options) side(ctx context.Context, revision string) (*side, error) {
	content, err := preview.Revision(ctx, o.repo, revision)
	if err != nil {
		return nil, err
	}
	objects, url, err := o.objects(content)
	if err != nil {
		return nil, err
	}
	inputs := preview.Inputs{Repositories: []preview.Repository{{URL: url, Content: content}}}
	state, err := preview.Expand(ctx, objects, inputs)
	if err != nil {
		return nil, err
	}
	if !o.noRender {
		if state, err = preview.Render(ctx, state, inputs, preview.RenderOptions{}); err != nil {
			return nil, err
		}
	}
	return &side{declares: len(objects) > 0, state: state, findings: preview.Check(objects, state)}, nil
}

// objects returns what the revision declares, and the URL that it knows itself by.
func (o options) objects(content fs.FS) ([]*unstructured.Unstructured, string, error) {
	objects, err := preview.Load(content, o.paths...)
	if err != nil {
		return nil, "", err
	}
	declares := slices.ContainsFunc(objects, func(obj *unstructured.Unstructured) bool { return obj.GetKind() != "AppProject" })
	if !declares || len(o.folders) > 0 {
		return o.convention(content)
	}
	url, err := o.url(objects)
	return objects, url, err
}

// convention makes the AppProjects and ApplicationSets of the folder convention.
func (o options) convention(content fs.FS) ([]*unstructured.Unstructured, string, error) {
	folders := gitops.Folders{RepoURL: o.repoURL, Root: root}
	if folders.RepoURL == "" {
		folders.RepoURL = "https://git.example.com/repository.git"
	}
	names := o.folders
	if len(names) == 0 {
		entries, err := fs.ReadDir(content, root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, "", err
		}
		for _, entry := range entries {
			if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
				names = append(names, entry.Name())
			}
		}
	}
	if len(names) == 0 {
		return nil, folders.RepoURL, nil
	}
	for _, name := range names {
		folders.Groups = append(folders.Groups, gitops.Group{Name: name})
	}
	objects, err := folders.Build()
	return objects, folders.RepoURL, err
}

// url is the one by which Argo CD knows the repository.
func (o options) url(objects []*unstructured.Unstructured) (string, error) {
	if o.repoURL != "" {
		return o.repoURL, nil
	}
	found := map[string]bool{}
	for _, obj := range objects {
		collectURLs(obj.Object["spec"], found)
	}
	if len(found) > 1 {
		return "", fmt.Errorf("the objects name %d repositories: say with --repo-url which one this is", len(found))
	}
	for url := range found {
		return url, nil
	}
	return "", errors.New("the objects name no repository: say with --repo-url which one this is")
}

// collectURLs finds the git repositories that sources and generators name; a template may stand for any.
func collectURLs(value any, found map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		url, _ := value["repoURL"].(string)
		if _, isChart := value["chart"]; url != "" && !isChart && !strings.Contains(url, "{{") {
			found[url] = true
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			collectURLs(value[name], found)
		}
	case []any:
		for _, item := range value {
			collectURLs(item, found)
		}
	}
}

// newFindings are those of the head that the base does not have.
func newFindings(base, head []gitops.Finding) []gitops.Finding {
	return slices.DeleteFunc(slices.Clone(head), func(finding gitops.Finding) bool { return slices.Contains(base, finding) })
}
