package conformance_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/gitops"
)

var (
	gitopsToken    = gitops.SecretKeyRef{Name: "host", Key: "token"}
	gitopsCA       = gitops.ConfigMapKeyRef{Name: "host", Key: "ca.crt"}
	gitopsLogin    = gitops.BasicAuth{Username: "argocd", PasswordRef: gitops.SecretKeyRef{Name: "host", Key: "password"}}
	gitopsValues   = map[string]string{"tier": "one"}
	gitopsSelector = metav1.LabelSelector{
		MatchLabels:      map[string]string{"environment": "production"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"one", "two"}}},
	}
)

// gitopsOrganizations use every field that both versions know of every organization.
func gitopsOrganizations() []gitops.SCMOrganization {
	return []gitops.SCMOrganization{
		gitops.GitHubOrganization{Organization: "a", API: "https://host.example.com", TokenRef: gitopsToken, AllBranches: true},
		gitops.GitHubOrganization{Organization: "a", AppSecretName: "app"},
		gitops.GitLabGroup{
			Group: "1", IncludeSubgroups: true, ExcludeSharedProjects: true, Topic: "deployed", API: "https://host.example.com", TokenRef: gitopsToken,
			CARef: gitopsCA, Insecure: true, AllBranches: true,
		},
		gitops.GiteaOwner{Owner: "a", API: "https://host.example.com", TokenRef: gitopsToken, Insecure: true, AllBranches: true},
		gitops.BitbucketWorkspace{Owner: "a", User: "argocd", AppPasswordRef: gitopsToken, AllBranches: true},
		gitops.BitbucketServerProject{Project: "A", API: "https://host.example.com", BasicAuth: gitopsLogin, CARef: gitopsCA, Insecure: true, AllBranches: true},
		gitops.BitbucketServerProject{Project: "A", API: "https://host.example.com", BearerTokenRef: gitopsToken},
		gitops.AzureDevOpsProject{Organization: "a", TeamProject: "b", API: "https://host.example.com", AccessTokenRef: gitopsToken, AllBranches: true},
		gitops.AWSCodeCommit{TagFilters: []gitops.TagFilter{{Key: "a", Value: "b"}, {Key: "c"}}, Role: "arn:aws:iam::1:role/a", Region: "eu-central-2", AllBranches: true},
	}
}

// gitopsRepositories use every field that both versions know of every repository with pull requests.
func gitopsRepositories() []gitops.PullRequestRepository {
	labels := []string{"preview"}
	return []gitops.PullRequestRepository{
		gitops.GitHubRepository{Owner: "a", Repo: "b", API: "https://host.example.com", TokenRef: gitopsToken, Labels: labels},
		gitops.GitHubRepository{Owner: "a", Repo: "b", AppSecretName: "app"},
		gitops.GitLabProject{
			Project: "1", API: "https://host.example.com", TokenRef: gitopsToken, CARef: gitopsCA, Insecure: true, Labels: labels, PullRequestState: "opened",
		},
		gitops.GiteaRepository{Owner: "a", Repo: "b", API: "https://host.example.com", TokenRef: gitopsToken, Insecure: true},
		gitops.BitbucketRepository{Owner: "a", Repo: "b", API: "https://host.example.com", BasicAuth: gitopsLogin},
		gitops.BitbucketRepository{Owner: "a", Repo: "b", BearerTokenRef: gitopsToken},
		gitops.BitbucketServerRepository{Project: "A", Repo: "b", API: "https://host.example.com", BasicAuth: gitopsLogin, CARef: gitopsCA, Insecure: true},
		gitops.BitbucketServerRepository{Project: "A", Repo: "b", API: "https://host.example.com", BearerTokenRef: gitopsToken},
		gitops.AzureDevOpsRepository{Organization: "a", Project: "b", Repo: "c", API: "https://host.example.com", TokenRef: gitopsToken, Labels: labels},
	}
}

func gitopsSet() gitops.ApplicationSet {
	override := gitops.TemplateOverride{
		Name: "{{ .name }}", Namespace: "argocd", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}, Project: "other",
		Sources: []gitops.Source{{RepoURL: gitopsRepo, Path: "other"}}, Destination: gitops.Destination{Server: "https://one.example.com", Namespace: "other"},
	}
	generators := []gitops.Generator{
		gitops.GitDirectories{
			RepoURL: gitopsRepo, Revision: "main", Include: []string{"K8s/*/*"}, Exclude: []string{"K8s/*/drafts"},
			PathParamPrefix: "folder", Values: map[string]string{"name": "{{ .path.basename }}"}, RequeueAfter: 30 * time.Second,
		},
		gitops.GitFiles{
			RepoURL: gitopsRepo, Revision: "main", Include: []string{"clusters/*.json"}, PathParamPrefix: "file", Values: gitopsValues, RequeueAfter: time.Minute,
		},
		gitops.List{Elements: []map[string]any{{"name": "a", "replicas": 3}}, ElementsYAML: "- name: b\n"},
		gitops.Clusters{Selector: gitopsSelector, Values: gitopsValues, FlatList: true},
		gitops.ClusterDecisionResource{ConfigMap: "placement", Name: "edge", Values: gitopsValues, RequeueAfter: time.Minute},
		gitops.ClusterDecisionResource{ConfigMap: "placement", Selector: gitopsSelector},
		gitops.PluginGenerator{ConfigMap: "plugin", Parameters: map[string]any{"a": []any{1, "b"}}, Values: gitopsValues, RequeueAfter: time.Minute},
		gitops.RawGenerator{"plugin": map[string]any{"configMapRef": map[string]any{"name": "plugin"}}},
		gitops.Matrix{
			First: gitops.Clusters{},
			Second: gitops.Merge{
				Generators: []gitops.Generator{gitops.Clusters{}, gitops.Selected{Generator: gitops.List{ElementsYAML: "[]"}, Selector: gitopsSelector}}, MergeKeys: []string{"server"},
			},
		},
		gitops.Merge{Generators: []gitops.Generator{gitops.Clusters{}, gitops.Matrix{First: gitops.Clusters{}, Second: gitops.Clusters{}}}, MergeKeys: []string{"server"}},
	}
	for _, organization := range gitopsOrganizations() {
		generators = append(generators, gitops.SCMProvider{
			Organization: organization, CloneProtocol: "https", Values: gitopsValues, RequeueAfter: time.Minute,
			Filters: []gitops.SCMFilter{{RepositoryMatch: "^a", LabelMatch: "b$", BranchMatch: "main|release-.+", PathsExist: []string{"K8s"}, PathsDoNotExist: []string{"old"}}},
		})
	}
	for _, repository := range gitopsRepositories() {
		generators = append(generators, gitops.PullRequests{
			Repository: repository, RequeueAfter: time.Minute, Filters: []gitops.PullRequestFilter{{BranchMatch: "^a", TargetBranchMatch: "main"}},
		})
	}
	for _, generator := range generators {
		generators = append(generators, gitops.Selected{Generator: gitops.Overridden{Generator: generator, Template: override}, Selector: gitopsSelector})
	}
	return gitops.ApplicationSet{
		Name:        "everything",
		Namespace:   "argocd",
		Labels:      map[string]string{"owner": "platform"},
		Annotations: map[string]string{"example.com/note": "a note"},
		Generators:  generators,
		Template: gitops.Application{
			Name: "{{ .name }}", Namespace: "argocd", Labels: map[string]string{"a": "{{ .b }}"}, Annotations: map[string]string{"c": "{{ .d }}"},
			Project: "{{ .project }}", Sources: []gitops.Source{{RepoURL: gitopsRepo, Path: "{{ .path.path }}"}}, Destination: gitops.Destination{Server: "{{ .server }}"},
		},
		TemplateOptions:             []string{"missingkey=error"},
		TemplatePatch:               "{{ if .manual }}spec: {syncPolicy: {automated: null}}{{ end }}",
		Strategy:                    gitopsStrategy(),
		PreservedFields:             gitops.PreservedFields{Labels: []string{"a"}, Annotations: []string{"b"}},
		ApplicationsSync:            gitops.CreateUpdate,
		PreserveResourcesOnDeletion: true,
		IgnoreApplicationDifferences: []gitops.ApplicationDifferences{
			{Name: "a", JSONPointers: []string{"/spec/syncPolicy"}, JQPathExpressions: []string{".spec.source.helm.values"}},
		},
	}
}

func gitopsSetOf3x() gitops.ApplicationSet {
	set := gitopsSetOf(gitops.Application{Project: "default", Sources: []gitops.Source{{RepoURL: gitopsRepo, Path: "shop"}}})
	set.Strategy = gitopsStrategy()
	set.Strategy.DeletionOrder = gitops.DeleteInReverse
	set.Generators = []gitops.Generator{
		gitops.GitFiles{RepoURL: gitopsRepo, Include: []string{"clusters/**/*.json"}, Exclude: []string{"clusters/old/*.json"}},
		gitops.SCMProvider{Organization: gitops.GitHubOrganization{Organization: "a", ExcludeArchivedRepos: true}},
		gitops.SCMProvider{Organization: gitops.GitLabGroup{Group: "1", IncludeArchivedRepos: true}},
		gitops.SCMProvider{Organization: gitops.GiteaOwner{Owner: "a", API: "https://host.example.com", ExcludeArchivedRepos: true}},
		gitops.PullRequests{
			Repository: gitops.GiteaRepository{Owner: "a", Repo: "b", API: "https://host.example.com", Labels: []string{"preview"}},
			Filters:    []gitops.PullRequestFilter{{TitleMatch: "^feat"}}, Values: gitopsValues, ContinueOnRepoNotFoundError: true,
		},
	}
	return set
}
