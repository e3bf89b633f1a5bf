package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/argoproj/argo-cd/v2/applicationset/services/pull_request"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/gosimple/slug"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pullRequestGenerator does what argo-cd: applicationset/generators/pull_request.go does, which always asks a provider,
// over given pull requests.
type pullRequestGenerator struct {
	offline
	ctx context.Context
	in  *answers
}

// GetTemplate implements generators.Generator.
func (pullRequestGenerator) GetTemplate(generator *v1alpha1.ApplicationSetGenerator) *v1alpha1.ApplicationSetTemplate {
	return &generator.PullRequest.Template
}

// GenerateParams implements generators.Generator. It needs the slugging lock.
func (p pullRequestGenerator) GenerateParams(
	generator *v1alpha1.ApplicationSetGenerator, appSet *v1alpha1.ApplicationSet, _ client.Client,
) ([]map[string]any, error) {
	provider, repository, labels := pullRequestQuestion(generator.PullRequest)
	if provider == "" {
		return nil, errors.New("no Pull Request provider implementation configured")
	}
	at := slices.IndexFunc(p.in.PullRequests, func(given RepositoryPullRequests) bool {
		return given.Provider == provider && given.Repository == repository
	})
	if at < 0 {
		return nil, &MissingInputError{Input: "PullRequests",
			Need: fmt.Sprintf("the pull requests of repository %q at %s", repository, provider)}
	}
	answer := pullRequestAnswer{p.in.PullRequests[at].PullRequests, labels}
	pulls, err := pull_request.ListPullRequests(p.ctx, answer, generator.PullRequest.Filters)
	if err != nil {
		return nil, fmt.Errorf("error listing repos: %w", err)
	}
	// In Argo CD the template function slugify may have left another EnableSmartTruncate.
	slug.MaxLength = 50
	slug.EnableSmartTruncate = true
	slug.CustomSub = map[string]string{"_": "-"}
	params := make([]map[string]any, 0, len(pulls))
	for _, pull := range pulls {
		set := map[string]any{
			"number":             strconv.Itoa(pull.Number),
			"title":              pull.Title,
			"branch":             pull.Branch,
			"branch_slug":        slug.Make(pull.Branch),
			"target_branch":      pull.TargetBranch,
			"target_branch_slug": slug.Make(pull.TargetBranch),
			"head_sha":           pull.HeadSHA,
			"head_short_sha":     pull.HeadSHA[:min(8, len(pull.HeadSHA))],
			"head_short_sha_7":   pull.HeadSHA[:min(7, len(pull.HeadSHA))],
			"author":             pull.Author,
		}
		if appSet.Spec.GoTemplate {
			set["labels"] = pull.Labels
		}
		params = append(params, set)
	}
	return params, nil
}

// pullRequestQuestion tells what a generator asks whom, and the labels that a pull request must have. Of several
// providers Argo CD takes the first in this order.
func pullRequestQuestion(g *v1alpha1.PullRequestGenerator) (provider, repository string, labels []string) {
	switch {
	case g.Github != nil:
		return "github", g.Github.Owner + "/" + g.Github.Repo, g.Github.Labels
	case g.GitLab != nil:
		return "gitlab", g.GitLab.Project, g.GitLab.Labels
	case g.Gitea != nil:
		return "gitea", g.Gitea.Owner + "/" + g.Gitea.Repo, nil
	case g.BitbucketServer != nil:
		return "bitbucketServer", g.BitbucketServer.Project + "/" + g.BitbucketServer.Repo, nil
	case g.Bitbucket != nil:
		return "bitbucket", g.Bitbucket.Owner + "/" + g.Bitbucket.Repo, nil
	case g.AzureDevOps != nil:
		a := g.AzureDevOps
		return "azuredevops", a.Organization + "/" + a.Project + "/" + a.Repo, a.Labels
	}
	return "", "", nil
}

// pullRequestAnswer lists the pull requests that have all labels: pull_request.PullRequestService.
type pullRequestAnswer struct {
	pulls  []PullRequest
	labels []string
}

// List implements pull_request.PullRequestService.
func (a pullRequestAnswer) List(context.Context) ([]*pull_request.PullRequest, error) {
	var found []*pull_request.PullRequest
	for _, pull := range a.pulls {
		if slices.ContainsFunc(a.labels, func(label string) bool { return !slices.Contains(pull.Labels, label) }) {
			continue
		}
		found = append(found, &pull_request.PullRequest{
			Number: pull.Number, Title: pull.Title, Branch: pull.Branch, TargetBranch: pull.TargetBranch,
			HeadSHA: pull.HeadSHA, Labels: pull.Labels, Author: pull.Author,
		})
	}
	return found, nil
}
