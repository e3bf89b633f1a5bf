package gitops

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// GitHubOrganization is an organization at GitHub or GitHub Enterprise.
type GitHubOrganization struct {
	// Organization is its name. Required.
	Organization string
	// API is the URL of the host's API. Default: GitHub's own.
	API string
	// TokenRef is the access token, AppSecretName a Secret of Argo CD with the credentials of a GitHub App. At most one.
	// Default: what is public.
	TokenRef      SecretKeyRef
	AppSecretName string
	// AllBranches yields every branch. Default: false, the default branch alone.
	AllBranches bool
	// ExcludeArchivedRepos leaves out archived repositories. Default: false. Argo CD 3.5 and later only.
	ExcludeArchivedRepos bool
}

// GitLabGroup is a group at GitLab.
type GitLabGroup struct {
	// Group is its number (recommended) or its full path. Required.
	Group string
	// IncludeSubgroups takes the projects of groups inside the group too. Default: false.
	IncludeSubgroups bool
	// ExcludeSharedProjects leaves out projects that other groups share with the scanned ones. Default: false.
	ExcludeSharedProjects bool
	// Topic that projects must have. Default: any or none.
	Topic string
	// API is the URL of the host. Default: GitLab's own.
	API string
	// TokenRef is the access token. Default: what is public.
	TokenRef SecretKeyRef
	// CARef is the certificate of the authority to trust. Insecure trusts every certificate instead.
	CARef    ConfigMapKeyRef
	Insecure bool
	// AllBranches yields every branch. Default: false, the default branch alone.
	AllBranches bool
	// IncludeArchivedRepos takes archived projects too. Default: false. Argo CD 3.5 and later only.
	IncludeArchivedRepos bool
}

// GiteaOwner is an organization or user at Gitea.
type GiteaOwner struct {
	// Owner is its name. Required.
	Owner string
	// API is the URL of the host. Required.
	API string
	// TokenRef is the access token. Default: what is public.
	TokenRef SecretKeyRef
	// Insecure trusts every certificate.
	Insecure bool
	// AllBranches yields every branch. Default: false, the default branch alone.
	AllBranches bool
	// ExcludeArchivedRepos leaves out archived repositories. Default: false. Argo CD 3.5 and later only.
	ExcludeArchivedRepos bool
}

// BitbucketWorkspace is a workspace at Bitbucket Cloud.
type BitbucketWorkspace struct {
	// Owner is the name of the workspace. Required.
	Owner string
	// User to log in as, and AppPasswordRef, that user's app password. Required.
	User           string
	AppPasswordRef SecretKeyRef
	// AllBranches yields every branch. Default: false, the main branch alone.
	AllBranches bool
}

// BitbucketServerProject is a project at Bitbucket Server.
type BitbucketServerProject struct {
	// Project is its key. Required.
	Project string
	// API is the URL of the host's REST API. Required.
	API string
	// BasicAuth or BearerTokenRef logs in. At most one. Default: what is public.
	BasicAuth      BasicAuth
	BearerTokenRef SecretKeyRef
	// CARef is the certificate of the authority to trust. Insecure trusts every certificate instead.
	CARef    ConfigMapKeyRef
	Insecure bool
	// AllBranches yields every branch. Default: false, the default branch alone.
	AllBranches bool
}

// AzureDevOpsProject is a team project at Azure DevOps.
type AzureDevOpsProject struct {
	// Organization and TeamProject in it. Required.
	Organization string
	TeamProject  string
	// API is the URL of the host. Default: Azure's own.
	API string
	// AccessTokenRef is a personal access token. Required.
	AccessTokenRef SecretKeyRef
	// AllBranches yields every branch. Default: false, the default branch alone.
	AllBranches bool
}

// AWSCodeCommit is the repositories of an account and region at AWS CodeCommit.
type AWSCodeCommit struct {
	// TagFilters of the repositories. Those with the same key are alternatives. Default: every repository.
	TagFilters []TagFilter
	// Role of AWS to assume. Default: the controller's own.
	Role string
	// Region of AWS. Default: the controller's own.
	Region string
	// AllBranches yields every branch. Default: false, the default branch alone.
	AllBranches bool
}

// TagFilter matches repositories with a tag.
type TagFilter struct {
	// Key of the tag. Required.
	Key string
	// Value of the tag. Default: any.
	Value string
}

func (o GitHubOrganization) validateOrganization(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("organization", o.Organization)
	check.api(o.API)
	check.gitHubLogin(o.TokenRef, o.AppSecretName)
	return check.faults
}

func (o GitHubOrganization) organization() (string, map[string]any) {
	return "github", object.Compact(map[string]any{
		"organization": o.Organization, "api": o.API, "tokenRef": o.TokenRef.build(), "appSecretName": o.AppSecretName,
		"allBranches": o.AllBranches, "excludeArchivedRepos": o.ExcludeArchivedRepos,
	})
}

func (o GitLabGroup) validateOrganization(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("group", o.Group)
	check.text("topic", o.Topic)
	check.api(o.API)
	check.secret("tokenRef", o.TokenRef)
	check.certificate(o.CARef)
	return check.faults
}

func (o GitLabGroup) organization() (string, map[string]any) {
	out := object.Compact(map[string]any{
		"group": o.Group, "includeSubgroups": o.IncludeSubgroups, "topic": o.Topic, "api": o.API, "tokenRef": o.TokenRef.build(),
		"caRef": o.CARef.build(), "insecure": o.Insecure, "allBranches": o.AllBranches, "includeArchivedRepos": o.IncludeArchivedRepos,
	})
	if o.ExcludeSharedProjects {
		out["includeSharedProjects"] = false
	}
	return "gitlab", out
}

func (o GiteaOwner) validateOrganization(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("owner", o.Owner)
	check.requiredAPI(o.API)
	check.secret("tokenRef", o.TokenRef)
	return check.faults
}

func (o GiteaOwner) organization() (string, map[string]any) {
	return "gitea", object.Compact(map[string]any{
		"owner": o.Owner, "api": o.API, "tokenRef": o.TokenRef.build(), "insecure": o.Insecure,
		"allBranches": o.AllBranches, "excludeArchivedRepos": o.ExcludeArchivedRepos,
	})
}

func (o BitbucketWorkspace) validateOrganization(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("owner", o.Owner)
	check.require("user", o.User)
	check.requiredSecret("appPasswordRef", o.AppPasswordRef)
	return check.faults
}

func (o BitbucketWorkspace) organization() (string, map[string]any) {
	return "bitbucket", object.Compact(map[string]any{
		"owner": o.Owner, "user": o.User, "appPasswordRef": o.AppPasswordRef.build(), "allBranches": o.AllBranches,
	})
}

func (o BitbucketServerProject) validateOrganization(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("project", o.Project)
	check.requiredAPI(o.API)
	check.login(o.BasicAuth, o.BearerTokenRef)
	check.certificate(o.CARef)
	return check.faults
}

func (o BitbucketServerProject) organization() (string, map[string]any) {
	return "bitbucketServer", object.Compact(map[string]any{
		"project": o.Project, "api": o.API, "basicAuth": o.BasicAuth.build(), "bearerToken": bearer(o.BearerTokenRef),
		"caRef": o.CARef.build(), "insecure": o.Insecure, "allBranches": o.AllBranches,
	})
}

func (o AzureDevOpsProject) validateOrganization(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.require("organization", o.Organization)
	check.require("teamProject", o.TeamProject)
	check.api(o.API)
	check.requiredSecret("accessTokenRef", o.AccessTokenRef)
	return check.faults
}

func (o AzureDevOpsProject) organization() (string, map[string]any) {
	return "azureDevOps", object.Compact(map[string]any{
		"organization": o.Organization, "teamProject": o.TeamProject, "api": o.API,
		"accessTokenRef": o.AccessTokenRef.build(), "allBranches": o.AllBranches,
	})
}

func (o AWSCodeCommit) validateOrganization(path *field.Path) field.ErrorList {
	check := settingsCheck{path: path}
	check.text("role", o.Role)
	check.text("region", o.Region)
	for i, filter := range o.TagFilters {
		tag := settingsCheck{path: path.Child("tagFilters").Index(i)}
		tag.require("key", filter.Key)
		tag.text("value", filter.Value)
		check.faults = append(check.faults, tag.faults...)
	}
	return check.faults
}

func (o AWSCodeCommit) organization() (string, map[string]any) {
	filters := make([]map[string]any, len(o.TagFilters))
	for i, filter := range o.TagFilters {
		filters[i] = object.Compact(map[string]any{"key": filter.Key, "value": filter.Value})
	}
	return "awsCodeCommit", object.Compact(map[string]any{
		"tagFilters": filters, "role": o.Role, "region": o.Region, "allBranches": o.AllBranches,
	})
}
