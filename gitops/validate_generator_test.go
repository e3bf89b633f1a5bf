package gitops_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/controlbackbone/backbone/gitops"
)

func TestGeneratorValidate(t *testing.T) {
	list := gitops.List{Elements: []map[string]any{{"name": "a"}}}
	matrix := gitops.Matrix{First: list, Second: list}
	templatedSelector := metav1.LabelSelector{
		MatchLabels:      map[string]string{"environment": "{{ .path.basename }}"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"{{ .tier }}", "one"}}},
	}
	token := gitops.SecretKeyRef{Name: "host", Key: "token"}
	tests := map[string]struct {
		generator gitops.Generator
		want      []string
	}{
		"a selector of clusters may be a template":   {generator: gitops.Matrix{First: list, Second: gitops.Clusters{Selector: templatedSelector}}},
		"a selector's templates parse":               {generator: gitops.Clusters{Selector: metav1.LabelSelector{MatchLabels: map[string]string{"a": "{{ . "}}}, want: []string{"selector.matchLabels[a]: FieldValueInvalid"}},
		"a selector's literal values are labels":     {generator: gitops.Clusters{Selector: metav1.LabelSelector{MatchLabels: map[string]string{"a": "https://b"}}}, want: []string{"selector.matchLabels: FieldValueInvalid"}},
		"YAML alone is a list":                       {generator: gitops.List{ElementsYAML: "- a: b"}},
		"YAML may be a template":                     {generator: gitops.List{ElementsYAML: "{{ .a | toJson }}"}},
		"YAML is a list of sets":                     {generator: gitops.List{ElementsYAML: "a: b"}, want: []string{"elementsYAML: FieldValueInvalid"}},
		"files are excluded by patterns":             {generator: gitops.GitFiles{RepoURL: repo, Include: []string{"*.json"}, Exclude: []string{""}}, want: []string{"exclude[0]: FieldValueRequired"}},
		"a merge needs two generators and a key":     {generator: gitops.Merge{Generators: []gitops.Generator{nil}}, want: []string{"generators: FieldValueRequired", "generators[0]: FieldValueRequired", "mergeKeys: FieldValueRequired"}},
		"keys of a merge have names":                 {generator: gitops.Merge{Generators: []gitops.Generator{list, list}, MergeKeys: []string{""}}, want: []string{"mergeKeys[0]: FieldValueRequired"}},
		"a merge holds a matrix that holds no third": {generator: gitops.Merge{Generators: []gitops.Generator{matrix, gitops.Matrix{First: list, Second: gitops.Merge{}}}, MergeKeys: []string{"a"}}, want: []string{"generators[1].second: FieldValueForbidden"}},
		"a raw generator is no third either": {
			generator: gitops.Matrix{First: gitops.Matrix{First: list, Second: gitops.RawGenerator{"merge": map[string]any{}}}, Second: list},
			want:      []string{"first.second[merge]: FieldValueForbidden"},
		},
		"a wrapped generator counts as deep as itself": {
			generator: gitops.Matrix{First: gitops.Matrix{First: list, Second: gitops.Selected{Generator: matrix}}, Second: list},
			want:      []string{"first.second.generator: FieldValueForbidden"},
		},
		"a selector of parameters compares any text":   {generator: gitops.Selected{Generator: list, Selector: metav1.LabelSelector{MatchLabels: map[string]string{"server": "https://one.example.com:6443"}}}},
		"a selector of parameters renders no template": {generator: gitops.Selected{Generator: list, Selector: templatedSelector}, want: []string{"selector.matchLabels[environment]: FieldValueInvalid", "selector.matchExpressions[0].values[0]: FieldValueInvalid"}},
		"a selector of parameters has the operators of labels": {
			generator: gitops.Selected{Generator: list, Selector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a b", Operator: "Gt", Values: []string{"1"}}}}},
			want:      []string{"selector.matchExpressions[0].operator: FieldValueInvalid", "selector.matchExpressions[0].key: FieldValueInvalid"},
		},
		"a generator is selected from once": {generator: gitops.Selected{Generator: gitops.Overridden{Generator: gitops.Selected{Generator: list}}}, want: []string{"generator: FieldValueForbidden"}},
		"a generator is overridden once":    {generator: gitops.Overridden{Generator: gitops.Selected{Generator: gitops.Overridden{Generator: list}}}, want: []string{"generator: FieldValueForbidden"}},
		"wrappers hold a generator":         {generator: gitops.Selected{Generator: gitops.Overridden{}}, want: []string{"generator.generator: FieldValueRequired"}},
		"inside a matrix nothing is overridden": {
			generator: gitops.Matrix{First: gitops.Overridden{Generator: list}, Second: list},
			want:      []string{"first.template: FieldValueForbidden"},
		},
		"an override is checked like a template": {
			generator: gitops.Overridden{Generator: list, Template: gitops.TemplateOverride{
				Name: "A", Namespace: "{{", Labels: map[string]string{"a": "b c"}, Annotations: map[string]string{"a b": ""}, Project: "P",
				Sources: []gitops.Source{{RepoURL: repo}}, Destination: gitops.Destination{Server: "a", Name: "b"},
			}},
			want: []string{
				"template.name: FieldValueInvalid", "template.namespace: FieldValueInvalid", "template.labels: FieldValueInvalid", "template.annotations: FieldValueInvalid",
				"template.project: FieldValueInvalid", "template.sources[0].path: FieldValueRequired", "template.destination.name: FieldValueForbidden",
			},
		},
		"an override of the destination keeps its kind of address": {
			generator: gitops.Selected{Generator: gitops.Overridden{Generator: list, Template: gitops.TemplateOverride{Destination: gitops.Destination{Name: "edge"}}}},
			want:      []string{"generator.template.destination.name: FieldValueForbidden"},
		},
		"decisions are found by name or selector": {
			generator: gitops.Merge{MergeKeys: []string{"a"}, Generators: []gitops.Generator{
				gitops.ClusterDecisionResource{}, gitops.ClusterDecisionResource{ConfigMap: "c", Name: "n", Selector: templatedSelector, RequeueAfter: -time.Second},
			}},
			want: []string{
				"generators[0].configMap: FieldValueRequired", "generators[0].name: FieldValueRequired",
				"generators[1].selector: FieldValueForbidden", "generators[1].requeueAfter: FieldValueInvalid",
			},
		},
		"a plugin is asked with JSON": {
			generator: gitops.PluginGenerator{Parameters: map[string]any{"a": func() {}}, Values: map[string]string{"a": "{{"}, RequeueAfter: 1},
			want:      []string{"configMap: FieldValueRequired", "parameters: FieldValueInvalid", "values[a]: FieldValueInvalid", "requeueAfter: FieldValueInvalid"},
		},
		"an organization is needed": {generator: gitops.SCMProvider{CloneProtocol: "git"}, want: []string{"organization: FieldValueRequired", "cloneProtocol: FieldValueNotSupported"}},
		"filters have conditions that compile": {
			generator: gitops.SCMProvider{Organization: gitops.AWSCodeCommit{}, CloneProtocol: "https-fips", Filters: []gitops.SCMFilter{{}, {RepositoryMatch: "(", LabelMatch: "{{ .a }}(", BranchMatch: "[", PathsExist: []string{""}}}},
			want: []string{
				"filters[0]: FieldValueRequired", "filters[1].repositoryMatch: FieldValueInvalid", "filters[1].branchMatch: FieldValueInvalid", "filters[1].pathsExist[0]: FieldValueRequired",
			},
		},
		"GitHub logs in one way": {
			generator: gitops.SCMProvider{Organization: gitops.GitHubOrganization{API: "https://me:secret@host", TokenRef: token, AppSecretName: "app"}},
			want:      []string{"organization.organization: FieldValueRequired", "organization.api: FieldValueForbidden", "organization.tokenRef: FieldValueForbidden"},
		},
		"a reference is whole": {
			generator: gitops.SCMProvider{Organization: gitops.GitLabGroup{Group: "1", TokenRef: gitops.SecretKeyRef{Name: "a"}, CARef: gitops.ConfigMapKeyRef{Key: "b"}}},
			want:      []string{"organization.tokenRef.key: FieldValueRequired", "organization.caRef.name: FieldValueRequired"},
		},
		"Gitea has an address":                 {generator: gitops.SCMProvider{Organization: gitops.GiteaOwner{Owner: "a"}}, want: []string{"organization.api: FieldValueRequired"}},
		"Bitbucket Cloud needs a password":     {generator: gitops.SCMProvider{Organization: gitops.BitbucketWorkspace{Owner: "a", User: "b"}}, want: []string{"organization.appPasswordRef.name: FieldValueRequired", "organization.appPasswordRef.key: FieldValueRequired"}},
		"Azure DevOps needs a token":           {generator: gitops.SCMProvider{Organization: gitops.AzureDevOpsProject{AccessTokenRef: token}}, want: []string{"organization.organization: FieldValueRequired", "organization.teamProject: FieldValueRequired"}},
		"tags have keys":                       {generator: gitops.SCMProvider{Organization: gitops.AWSCodeCommit{TagFilters: []gitops.TagFilter{{Value: "a"}}}}, want: []string{"organization.tagFilters[0].key: FieldValueRequired"}},
		"Bitbucket Server logs in one way":     {generator: gitops.SCMProvider{Organization: gitops.BitbucketServerProject{Project: "A", API: "https://b", BasicAuth: gitops.BasicAuth{Username: "a"}, BearerTokenRef: token}}, want: []string{"organization.basicAuth.passwordRef.name: FieldValueRequired", "organization.basicAuth.passwordRef.key: FieldValueRequired", "organization.basicAuth: FieldValueForbidden"}},
		"pull requests need a repository":      {generator: gitops.PullRequests{Filters: []gitops.PullRequestFilter{{}, {TitleMatch: "("}}}, want: []string{"repository: FieldValueRequired", "filters[0]: FieldValueRequired", "filters[1].titleMatch: FieldValueInvalid"}},
		"a repository at GitHub has a name":    {generator: gitops.PullRequests{Repository: gitops.GitHubRepository{Labels: []string{""}}}, want: []string{"repository.owner: FieldValueRequired", "repository.repo: FieldValueRequired", "repository.labels[0]: FieldValueRequired"}},
		"merge requests have a known state":    {generator: gitops.PullRequests{Repository: gitops.GitLabProject{PullRequestState: "open"}}, want: []string{"repository.project: FieldValueRequired", "repository.pullRequestState: FieldValueNotSupported"}},
		"a repository at Gitea has an address": {generator: gitops.PullRequests{Repository: gitops.GiteaRepository{Owner: "a", Repo: "b"}}, want: []string{"repository.api: FieldValueRequired"}},
		"a repository at Bitbucket has a name": {generator: gitops.PullRequests{Repository: gitops.BitbucketRepository{}}, want: []string{"repository.owner: FieldValueRequired", "repository.repo: FieldValueRequired"}},
		"one at Bitbucket Server has all":      {generator: gitops.PullRequests{Repository: gitops.BitbucketServerRepository{}}, want: []string{"repository.project: FieldValueRequired", "repository.repo: FieldValueRequired", "repository.api: FieldValueRequired"}},
		"one at Azure DevOps has three names":  {generator: gitops.PullRequests{Repository: gitops.AzureDevOpsRepository{}}, want: []string{"repository.organization: FieldValueRequired", "repository.project: FieldValueRequired", "repository.repo: FieldValueRequired"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set := gitops.ApplicationSet{Name: "s", Generators: []gitops.Generator{test.generator}, Template: application(func(*gitops.Application) {})}
			var want []string
			for _, fault := range test.want {
				want = append(want, "generators[0]."+fault)
			}
			if diff := cmp.Diff(want, faults(set.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplicationSetRolloutValidate(t *testing.T) {
	step := func(maxUpdate intstr.IntOrString) gitops.Strategy {
		return gitops.Strategy{RollingSync: []gitops.RolloutStep{{MaxUpdate: &maxUpdate}}}
	}
	const badMaxUpdate = "strategy.rollingSync[0].maxUpdate: FieldValueInvalid"
	tests := map[string]struct {
		change func(*gitops.ApplicationSet)
		want   []string
	}{
		"a number bounds updates":               {change: func(s *gitops.ApplicationSet) { s.Strategy = step(intstr.FromInt32(0)) }},
		"a percentage bounds updates":           {change: func(s *gitops.ApplicationSet) { s.Strategy = step(intstr.FromString("100%")) }},
		"a negative number bounds nothing":      {change: func(s *gitops.ApplicationSet) { s.Strategy = step(intstr.FromInt32(-1)) }, want: []string{badMaxUpdate}},
		"a text without a percent sign is none": {change: func(s *gitops.ApplicationSet) { s.Strategy = step(intstr.FromString("10")) }, want: []string{badMaxUpdate}},
		"an order of deletion needs steps":      {change: func(s *gitops.ApplicationSet) { s.Strategy.DeletionOrder = gitops.DeleteInReverse }, want: []string{"strategy.deletionOrder: FieldValueForbidden"}},
		"an order of deletion is a known one":   {change: func(s *gitops.ApplicationSet) { s.Strategy = step(intstr.FromInt32(1)); s.Strategy.DeletionOrder = "a" }, want: []string{"strategy.deletionOrder: FieldValueNotSupported"}},
		"a patch that is a template parses":     {change: func(s *gitops.ApplicationSet) { s.TemplatePatch = "{{ if }}" }, want: []string{"templatePatch: FieldValueInvalid"}},
		"a patch may be a template":             {change: func(s *gitops.ApplicationSet) { s.TemplatePatch = "{{ if .a }}spec: {}{{ end }}" }},
		"a patch without actions is an object":  {change: func(s *gitops.ApplicationSet) { s.TemplatePatch = "- a" }, want: []string{"templatePatch: FieldValueInvalid"}},
		"preserved fields have names": {change: func(s *gitops.ApplicationSet) {
			s.PreservedFields = gitops.PreservedFields{Labels: []string{""}, Annotations: []string{"a", " "}}
		}, want: []string{"preservedFields.labels[0]: FieldValueRequired", "preservedFields.annotations[1]: FieldValueRequired"}},
		"ignored differences are fields": {change: func(s *gitops.ApplicationSet) {
			s.IgnoreApplicationDifferences = []gitops.ApplicationDifferences{{Name: "a"}}
		}, want: []string{"ignoreApplicationDifferences[0].jsonPointers: FieldValueRequired"}},
		"JSON pointers start and escape as usual": {change: func(s *gitops.ApplicationSet) {
			s.IgnoreApplicationDifferences = []gitops.ApplicationDifferences{{JSONPointers: []string{"spec", "/a~b", "/a~01~1"}, JQPathExpressions: []string{""}}}
		}, want: []string{"ignoreApplicationDifferences[0].jsonPointers[0]: FieldValueInvalid", "ignoreApplicationDifferences[0].jsonPointers[1]: FieldValueInvalid", "ignoreApplicationDifferences[0].jqPathExpressions[0]: FieldValueRequired"}},
		"steps compare labels with values": {
			change: func(s *gitops.ApplicationSet) {
				s.Strategy.RollingSync = []gitops.RolloutStep{{MatchExpressions: []gitops.ApplicationMatch{{Operator: "Exists"}}}}
			},
			want: []string{
				"strategy.rollingSync[0].matchExpressions[0].key: FieldValueRequired", "strategy.rollingSync[0].matchExpressions[0].operator: FieldValueNotSupported",
				"strategy.rollingSync[0].matchExpressions[0].values: FieldValueRequired",
			},
		},
		"a named destination keeps its name": {
			change: func(s *gitops.ApplicationSet) {
				s.Template.Destination.Name = "edge"
				s.Generators = []gitops.Generator{gitops.Overridden{Generator: s.Generators[0], Template: gitops.TemplateOverride{Destination: gitops.Destination{Server: "https://a"}}}}
			},
			want: []string{"generators[0].template.destination.server: FieldValueForbidden"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set := gitops.ApplicationSet{
				Name: "s", Generators: []gitops.Generator{gitops.Clusters{}}, Template: application(func(*gitops.Application) {}),
			}
			test.change(&set)
			if diff := cmp.Diff(test.want, faults(set.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
