package preview_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v2/applicationset/generators"
	"github.com/gosimple/slug"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// serve answers requests for paths with JSON, as a provider would, and returns its URL.
func serve(t *testing.T, answers map[string]any) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// annotated returns an ApplicationSet whose Applications have each of the parameters as an annotation.
func annotated(t *testing.T, goTemplate bool, name, generator string, parameters ...string) *unstructured.Unstructured {
	t.Helper()
	set := setOf(t, "x", "["+generator+"]")
	field := func(name string) string {
		if goTemplate {
			return "{{." + name + "}}"
		}
		return "{{" + name + "}}"
	}
	annotations := map[string]any{}
	for _, parameter := range parameters {
		annotations[parameter] = field(parameter)
	}
	metadata := map[string]any{"name": "app-" + field(name), "annotations": annotations}
	require.NoError(t, unstructured.SetNestedMap(set.Object, metadata, "spec", "template", "metadata"))
	require.NoError(t, unstructured.SetNestedField(set.Object, goTemplate, "spec", "goTemplate"))
	return set
}

// scmConfig lets upstream's generators ask a provider.
func scmConfig() generators.SCMConfig { return generators.NewSCMConfig("", nil, true, nil, false) }

func TestExpandPullRequestsAsArgoCD(t *testing.T) {
	// As in a controller that has not rendered slugify yet, whose arguments stay in force in Argo CD.
	slug.EnableSmartTruncate = true
	long := "feature/A_very_long-Branch.name/that is cut, because it has more than fifty characters"
	pulls := []preview.PullRequest{
		{Number: 1, Title: "One <&>", Branch: long, TargetBranch: "release/1.x", HeadSHA: "0123456789abcdef", Labels: []string{"preview", "big"}, Author: "ann"},
		{Number: 2, Title: "Two", Branch: "Über_cool", TargetBranch: "main", HeadSHA: "01234", Labels: []string{"preview"}, Author: "bob"},
		{Number: 3, Title: "Three", Branch: "fix/x", TargetBranch: "main", HeadSHA: "fedcba9876543210", Labels: []string{"big"}, Author: "cid"},
	}
	var answers []any
	for _, pull := range pulls {
		var labels []any
		for _, label := range pull.Labels {
			labels = append(labels, map[string]any{"name": label})
		}
		answers = append(answers, map[string]any{
			"number": pull.Number, "title": pull.Title, "labels": labels, "user": map[string]any{"login": pull.Author},
			"head": map[string]any{"ref": pull.Branch, "sha": pull.HeadSHA}, "base": map[string]any{"ref": pull.TargetBranch},
		})
	}
	url := serve(t, map[string]any{"/api/v3/repos/example/web/pulls": answers})
	inputs := preview.Inputs{PullRequests: []preview.RepositoryPullRequests{{Provider: "github", Repository: "example/web", PullRequests: pulls}}}
	for name, options := range map[string]string{
		"all of them":          "",
		"with a label":         "labels: [preview]",
		"with two labels":      "labels: [preview, big]",
		"filtered by branch":   "}, filters: [{branchMatch: '^fix/'}, {targetBranchMatch: '^release'}], x: {",
		"with a broken filter": "}, filters: [{branchMatch: '('}], x: {",
	} {
		for _, goTemplate := range []bool{true, false} {
			t.Run(name+" as Go templates "+strconv.FormatBool(goTemplate), func(t *testing.T) {
				parameters := []string{"number", "title", "branch", "branch_slug", "target_branch", "target_branch_slug", "head_sha", "head_short_sha", "head_short_sha_7", "author"}
				if goTemplate {
					parameters = append(parameters, "labels")
				}
				set := annotated(t, goTemplate, "number", "{pullRequest: {github: {owner: example, repo: web, api: '"+url+"', "+options+"}}}", parameters...)
				known := map[string]generators.Generator{"PullRequest": generators.NewPullRequestGenerator(nil, scmConfig())}
				requireAs(t, set, known, inputs)
			})
		}
	}
}

func TestExpandRepositoriesAsArgoCD(t *testing.T) {
	branch := func(name, sha string) map[string]any {
		return map[string]any{"name": name, "commit": map[string]any{"sha": sha}}
	}
	repository := func(name string, topics ...string) map[string]any {
		return map[string]any{
			"id": len(name), "name": name, "owner": map[string]any{"login": "example"}, "default_branch": "main", "topics": topics,
			"ssh_url": "git@git.example.com:example/" + name + ".git", "clone_url": "https://git.example.com/example/" + name + ".git",
		}
	}
	url := serve(t, map[string]any{
		"/api/v3/orgs/example/repos":                []any{repository("web", "app", "blue"), repository("tools", "tool")},
		"/api/v3/repos/example/web/branches/main":   branch("main", "0123456789abcdef"),
		"/api/v3/repos/example/tools/branches/main": branch("main", "fedcba"),
		"/api/v3/repos/example/web/branches":        []any{branch("main", "0123456789abcdef"), branch("Release/1.x", "1111111111")},
		"/api/v3/repos/example/tools/branches":      []any{branch("main", "fedcba")},
		"/api/v3/repos/example/web/contents/deploy": []any{map[string]any{"name": "a.yaml", "type": "file"}},
	})
	inputs := preview.Inputs{Organizations: []preview.Organization{{Provider: "github", Name: "example", Repositories: []preview.ProviderRepository{
		{Name: "web", URL: "https://git.example.com/example/web.git", Labels: []string{"app", "blue"}, Branches: []preview.Branch{
			{Name: "main", SHA: "0123456789abcdef", Content: mapFS(map[string]string{"deploy/a.yaml": ""})},
			{Name: "Release/1.x", SHA: "1111111111", Content: mapFS(map[string]string{"deploy/a.yaml": ""})},
		}},
		{Name: "tools", URL: "https://git.example.com/example/tools.git", Labels: []string{"tool"}, Branches: []preview.Branch{
			{Name: "main", SHA: "fedcba", Content: mapFS(nil)},
		}},
	}}}}
	for name, options := range map[string]string{
		"the default branches": "}",
		"all branches":         "allBranches: true}",
		"filtered by name":     "}, filters: [{repositoryMatch: '^w'}]",
		"filtered by label":    "}, filters: [{labelMatch: tool}]",
		"filtered by branch":   "allBranches: true}, filters: [{branchMatch: Release}]",
		"filtered by paths":    "allBranches: true}, filters: [{pathsExist: [deploy/]}]",
		"filtered by no paths": "}, filters: [{pathsDoNotExist: [deploy]}]",
		"with values":          "}, values: {both: VALUE}",
	} {
		for _, goTemplate := range []bool{true, false} {
			t.Run(name+" as Go templates "+strconv.FormatBool(goTemplate), func(t *testing.T) {
				parameters := []string{"organization", "repository", "url", "branch", "sha", "short_sha", "short_sha_7", "labels", "branchNormalized"}
				value := map[bool]string{true: "'{{.repository}}@{{.branch}}'", false: "'{{repository}}@{{branch}}'"}[goTemplate]
				if strings.Contains(options, "VALUE") {
					parameters = append(parameters, "values.both")
				}
				set := annotated(t, goTemplate, "sha", "{scmProvider: {cloneProtocol: https, github: {organization: example, api: '"+url+"', "+
					strings.ReplaceAll(options, "VALUE", value)+"}}", parameters...)
				known := map[string]generators.Generator{"SCMProvider": generators.NewSCMProviderGenerator(nil, scmConfig())}
				requireAs(t, set, known, inputs)
			})
		}
	}
}
