package preview

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/argoproj/argo-cd/v2/applicationset/generators"
	"github.com/argoproj/argo-cd/v2/applicationset/services/scm_provider"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scmGenerator is Argo CD's SCM provider generator over given organizations.
type scmGenerator struct {
	offline
	in *answers
}

// GetTemplate implements generators.Generator.
func (scmGenerator) GetTemplate(generator *v1alpha1.ApplicationSetGenerator) *v1alpha1.ApplicationSetTemplate {
	return &generator.SCMProvider.Template
}

// GenerateParams implements generators.Generator.
func (s scmGenerator) GenerateParams(
	generator *v1alpha1.ApplicationSetGenerator, appSet *v1alpha1.ApplicationSet, c client.Client,
) ([]map[string]any, error) {
	provider, name, allBranches := scmQuestion(generator.SCMProvider)
	if provider == "" {
		return nil, errors.New("no SCM provider implementation configured")
	}
	for i := range s.in.Organizations {
		organization := &s.in.Organizations[i]
		if organization.Provider == provider && organization.Name == name {
			answer := scmAnswer{organization, allBranches}
			return generators.NewTestSCMProviderGenerator(answer).GenerateParams(generator, appSet, c)
		}
	}
	return nil, &MissingInputError{Input: "Organizations",
		Need: fmt.Sprintf("the repositories of organization %q at %s", name, provider)}
}

// scmQuestion tells what a generator asks whom. Of several providers Argo CD takes the first in this order.
func scmQuestion(g *v1alpha1.SCMProviderGenerator) (provider, name string, allBranches bool) {
	switch {
	case g.Github != nil:
		return "github", g.Github.Organization, g.Github.AllBranches
	case g.Gitlab != nil:
		return "gitlab", g.Gitlab.Group, g.Gitlab.AllBranches
	case g.Gitea != nil:
		return "gitea", g.Gitea.Owner, g.Gitea.AllBranches
	case g.BitbucketServer != nil:
		return "bitbucketServer", g.BitbucketServer.Project, g.BitbucketServer.AllBranches
	case g.AzureDevOps != nil:
		return "azureDevOps", g.AzureDevOps.Organization + "/" + g.AzureDevOps.TeamProject, g.AzureDevOps.AllBranches
	case g.Bitbucket != nil:
		return "bitbucket", g.Bitbucket.Owner, g.Bitbucket.AllBranches
	case g.AWSCodeCommit != nil:
		return "awsCodeCommit", g.AWSCodeCommit.Region, g.AWSCodeCommit.AllBranches
	}
	return "", "", false
}

// scmAnswer is an organization as Argo CD's filters see it: scm_provider.SCMProviderService.
type scmAnswer struct {
	*Organization
	allBranches bool
}

// ListRepos implements scm_provider.SCMProviderService. RepositoryId holds the given repository.
func (a scmAnswer) ListRepos(context.Context, string) ([]*scm_provider.Repository, error) {
	repositories := make([]*scm_provider.Repository, 0, len(a.Repositories))
	for i := range a.Repositories {
		given := &a.Repositories[i]
		repository := &scm_provider.Repository{
			Organization: given.Organization, Repository: given.Name, URL: given.URL, Labels: given.Labels,
			RepositoryId: given,
		}
		if repository.Organization == "" {
			repository.Organization = a.Name
		}
		if len(given.Branches) > 0 {
			repository.Branch = given.Branches[0].Name
		}
		repositories = append(repositories, repository)
	}
	return repositories, nil
}

// GetBranches implements scm_provider.SCMProviderService.
func (a scmAnswer) GetBranches(_ context.Context, repository *scm_provider.Repository) ([]*scm_provider.Repository, error) {
	var found []*scm_provider.Repository
	for i, branch := range repository.RepositoryId.(*ProviderRepository).Branches {
		if i > 0 && !a.allBranches {
			break
		}
		at := *repository
		at.Branch, at.SHA = branch.Name, branch.SHA
		found = append(found, &at)
	}
	return found, nil
}

// RepoHasPath implements scm_provider.SCMProviderService.
func (a scmAnswer) RepoHasPath(_ context.Context, repository *scm_provider.Repository, path string) (bool, error) {
	for _, branch := range repository.RepositoryId.(*ProviderRepository).Branches {
		if branch.Name != repository.Branch || branch.Content == nil {
			continue
		}
		_, err := fs.Stat(branch.Content, path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	return false, &MissingInputError{Input: "Organizations",
		Need: fmt.Sprintf("the content of branch %q of repository %q of organization %q at %s",
			repository.Branch, repository.Repository, a.Name, a.Provider)}
}
