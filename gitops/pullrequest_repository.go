package gitops

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// GitHubRepository is a repository at GitHub or GitHub Enterprise.
type GitHubRepository struct {
	// Owner and Repo name it. Required.
	Owner string
	Repo  string
	// API is the URL of the host's API. Default: GitHub's own.
	API string
	// TokenRef is the access token, AppSecretName a Secret of Argo CD with the credentials of a GitHub App. At most one.
	// Default: what is public.
	TokenRef      SecretKeyRef
	AppSecretName string
	// Labels that a pull request must all have. Default: none.
	Labels []string
}

// GitLabProject is a project at GitLab.
type GitLabProject struct {
	// Project is its number or full path. Required.
	Project string
	// API is the URL of the host. Default: GitLab's own.
	API string
	// TokenRef is the access token. Default: what is public.
	TokenRef SecretKeyRef
	// CARef is the certificate of the authority to trust. Insecure trusts every certificate instead.
	CARef    ConfigMapKeyRef
	Insecure bool
	// Labels that a merge request must all have. Default: none.
	Labels []string
	// PullRequestState of the merge requests: "opened", "closed", "merged" or "locked". Default: every state.
	PullRequestState string
}

// GiteaRepository is a repository at Gitea.
type GiteaRepository struct {
	// Owner and Repo name it. Required.
	Owner string
	Repo  string
	// API is the URL of the host. Required.
	API string
	// TokenRef is the access token. Default: what is public.
	TokenRef SecretKeyRef
	// Insecure trusts every certificate.
	Insecure bool
	// Labels that a pull request must all have. Default: none. Argo CD 3.1 and later only.
	Labels []string
}

// BitbucketRepository is a repository at Bitbucket Cloud.
type BitbucketRepository struct {
	// Owner, the workspace, and Repo name it. Required.
	Owner string
	Repo  string
	// API is the URL of the host's API. Default: Bitbucket's own.
	API string
	// BasicAuth or BearerTokenRef logs in. At most one. Default: what is public.
	BasicAuth      BasicAuth
	BearerTokenRef SecretKeyRef
}

// BitbucketServerRepository is a repository at Bitbucket Server.
type BitbucketServerRepository struct {
	// Project, by its key, and Repo name it. Required.
	Project string
	Repo    string
	// API is the URL of the host's REST API. Required.
	API string
	// BasicAuth or BearerTokenRef logs in. At most one. Default: what is public.
	BasicAuth      BasicAuth
	BearerTokenRef SecretKeyRef
	// CARef is the certificate of the authority to trust. Insecure trusts every certificate instead.
	CARef    ConfigMapKeyRef
	Insecure bool
}

// AzureDevOpsRepository is a repository at Azure DevOps.
type AzureDevOpsRepository struct {
	// Organization, Project in it and Repo name it. Required.
	Organization string
	Project      string
	Repo         string
	// API is the URL of the host. Default: Azure's own.
	API string
	// TokenRef is the access token. Default: what is public.
	TokenRef SecretKeyRef
	// Labels that a pull request must all have. Default: none.
	Labels []string
}

func (r GitHubRepository) validateRepository(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("owner", r.Owner)
	check.require("repo", r.Repo)
	check.api(r.API)
	check.gitHubLogin(r.TokenRef, r.AppSecretName)
	check.add(validateTexts(path.Child("labels"), r.Labels, templated{}))
	return check.faults
}

func (r GitHubRepository) repository() (string, map[string]any) {
	return "github", object.Compact(map[string]any{
		"owner": r.Owner, "repo": r.Repo, "api": r.API, "tokenRef": r.TokenRef.build(), "appSecretName": r.AppSecretName,
		"labels": r.Labels,
	})
}

func (r GitLabProject) validateRepository(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("project", r.Project)
	check.api(r.API)
	check.secret("tokenRef", r.TokenRef)
	check.certificate(r.CARef)
	check.add(validateTexts(path.Child("labels"), r.Labels, templated{}))
	check.text("pullRequestState", r.PullRequestState)
	states := []string{"opened", "closed", "merged", "locked"}
	if r.PullRequestState != "" && !isTemplate(r.PullRequestState) && !slices.Contains(states, r.PullRequestState) {
		check.add(field.ErrorList{field.NotSupported(path.Child("pullRequestState"), r.PullRequestState, states)})
	}
	return check.faults
}

func (r GitLabProject) repository() (string, map[string]any) {
	return "gitlab", object.Compact(map[string]any{
		"project": r.Project, "api": r.API, "tokenRef": r.TokenRef.build(), "caRef": r.CARef.build(), "insecure": r.Insecure,
		"labels": r.Labels, "pullRequestState": r.PullRequestState,
	})
}

func (r GiteaRepository) validateRepository(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("owner", r.Owner)
	check.require("repo", r.Repo)
	check.requiredAPI(r.API)
	check.secret("tokenRef", r.TokenRef)
	check.add(validateTexts(path.Child("labels"), r.Labels, templated{}))
	return check.faults
}

func (r GiteaRepository) repository() (string, map[string]any) {
	return "gitea", object.Compact(map[string]any{
		"owner": r.Owner, "repo": r.Repo, "api": r.API, "tokenRef": r.TokenRef.build(), "insecure": r.Insecure, "labels": r.Labels,
	})
}

func (r BitbucketRepository) validateRepository(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("owner", r.Owner)
	check.require("repo", r.Repo)
	check.api(r.API)
	check.login(r.BasicAuth, r.BearerTokenRef)
	return check.faults
}

func (r BitbucketRepository) repository() (string, map[string]any) {
	return "bitbucket", object.Compact(map[string]any{
		"owner": r.Owner, "repo": r.Repo, "api": r.API, "basicAuth": r.BasicAuth.build(), "bearerToken": bearer(r.BearerTokenRef),
	})
}

func (r BitbucketServerRepository) validateRepository(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("project", r.Project)
	check.require("repo", r.Repo)
	check.requiredAPI(r.API)
	check.login(r.BasicAuth, r.BearerTokenRef)
	check.certificate(r.CARef)
	return check.faults
}

func (r BitbucketServerRepository) repository() (string, map[string]any) {
	return "bitbucketServer", object.Compact(map[string]any{
		"project": r.Project, "repo": r.Repo, "api": r.API, "basicAuth": r.BasicAuth.build(), "bearerToken": bearer(r.BearerTokenRef),
		"caRef": r.CARef.build(), "insecure": r.Insecure,
	})
}

func (r AzureDevOpsRepository) validateRepository(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("organization", r.Organization)
	check.require("project", r.Project)
	check.require("repo", r.Repo)
	check.api(r.API)
	check.secret("tokenRef", r.TokenRef)
	check.add(validateTexts(path.Child("labels"), r.Labels, templated{}))
	return check.faults
}

func (r AzureDevOpsRepository) repository() (string, map[string]any) {
	return "azuredevops", object.Compact(map[string]any{
		"organization": r.Organization, "project": r.Project, "repo": r.Repo, "api": r.API, "tokenRef": r.TokenRef.build(),
		"labels": r.Labels,
	})
}
