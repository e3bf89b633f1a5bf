package preview

import "io/fs"

// Cluster is a cluster that Argo CD knows, as its Secret declares it. Credentials are not needed.
type Cluster struct {
	// Name and Server (the URL of the API server) of the cluster. Required.
	Name, Server string
	// Project that the cluster belongs to. Default: none.
	Project string
	// Labels and Annotations of the Secret, which generators select by and pass on.
	Labels, Annotations map[string]string
}

// Organization is what an SCM provider answers to a generator that asks for the repositories of an organization.
type Organization struct {
	// Provider is the field of the generator: "github", "gitlab", "bitbucket", "bitbucketServer", "gitea",
	// "azureDevOps" or "awsCodeCommit". Required.
	Provider string
	// Name is what the generator asks for: the organization, group, owner or project; for Azure DevOps
	// "organization/project"; for AWS CodeCommit the region. Required where the generator has it.
	Name string
	// Repositories that the provider answers. Options that the provider evaluates, such as subgroups and topics, are
	// taken as met by all of them; filters, branches and values are evaluated here, by Argo CD's own code.
	Repositories []ProviderRepository
}

// ProviderRepository is a repository of an [Organization].
type ProviderRepository struct {
	// Name of the repository. Required.
	Name string
	// Organization that the parameter of that name holds. Default: the Name of the [Organization], which is another for
	// subgroups at GitLab and at AWS CodeCommit.
	Organization string
	// URL to clone the repository from, of the protocol that the generator asks for.
	URL string
	// Labels (topics) of the repository.
	Labels []string
	// Branches of the repository, the default one first. A generator without allBranches sees only that one.
	Branches []Branch
}

// Branch of a repository at an SCM provider.
type Branch struct {
	// Name of the branch. Required.
	Name string
	// SHA of its last commit.
	SHA string
	// Content of the branch, which filters for paths look into. Needed only for those.
	Content fs.FS
}

// RepositoryPullRequests is what an SCM provider answers to a generator that asks for the pull requests of a repository.
type RepositoryPullRequests struct {
	// Provider is the field of the generator: "github", "gitlab", "bitbucket", "bitbucketServer", "gitea" or
	// "azuredevops". Required.
	Provider string
	// Repository as the generator names it: "owner/repo", "project/repo", for GitLab the project, for Azure DevOps
	// "organization/project/repo". Required.
	Repository string
	// PullRequests in the state that the generator asks for, which is open at all providers but GitLab. Labels and
	// filters are evaluated here.
	PullRequests []PullRequest
}

// PullRequest is a pull request, or merge request, of a repository.
type PullRequest struct {
	Number int
	Title  string
	// Branch that the pull request is from, and TargetBranch that it is to be merged into. Bitbucket Cloud does not
	// tell the latter: leave it empty.
	Branch, TargetBranch string
	// HeadSHA is the last commit of Branch.
	HeadSHA string
	// Labels of the pull request. Providers other than GitHub, GitLab, Gitea and Azure DevOps tell none.
	Labels []string
	// Author's login name.
	Author string
}

// PluginAnswer is what a plugin answers to its generator.
type PluginAnswer struct {
	// ConfigMap is the name of the ConfigMap that declares the plugin. Required.
	ConfigMap string
	// Input that the answer is to: the input parameters of the generator, as they are after templating in a matrix.
	// Nil: the answer is to every input.
	Input map[string]any
	// Parameters that the plugin answers, as its JSON decodes.
	Parameters []map[string]any
}
