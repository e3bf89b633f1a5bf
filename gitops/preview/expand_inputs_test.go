package preview_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// setOf returns an ApplicationSet with the generators, given as a YAML list, that names its Applications by name.
func setOf(t testing.TB, name, generators string) *unstructured.Unstructured {
	t.Helper()
	return documents(t, `
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: set, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators: `+generators+`
  template:
    metadata: {name: '`+name+`'}
    spec:
      project: default
      source: {repoURL: https://git.example.com/x.git, path: a}
      destination: {server: https://kubernetes.default.svc}
`)[0]
}

func TestExpandSaysWhichDataIsMissing(t *testing.T) {
	repository := preview.Repository{URL: "https://git.example.com/x", Revision: "v1", Content: mapFS(map[string]string{"a/b": ""})}
	git := `git: {repoURL: 'https://user:token@git.example.com/X.git', revision: v2, directories: [{path: '*'}]}`
	for name, test := range map[string]struct {
		generators string
		inputs     preview.Inputs
		want       preview.MissingInputError
	}{
		"a repository": {
			generators: `[{` + git + `}]`,
			want:       preview.MissingInputError{Path: "spec.generators[0].git", Input: "Repositories", Need: "repository https://user:***@git.example.com/X.git at revision v2"},
		},
		"a revision of a repository": {
			generators: `[{git: {repoURL: 'https://git.example.com/x', directories: [{path: '*'}]}}]`,
			inputs:     preview.Inputs{Repositories: []preview.Repository{repository}},
			want:       preview.MissingInputError{Path: "spec.generators[0].git", Input: "Repositories", Need: "repository https://git.example.com/x at revision HEAD"},
		},
		"the clusters": {
			generators: `[{list: {elements: []}}, {clusters: {}}]`,
			want:       preview.MissingInputError{Path: "spec.generators[1].clusters", Input: "Clusters", Need: "the clusters that Argo CD knows"},
		},
		"the ConfigMap of a decision": {
			generators: `[{clusterDecisionResource: {configMapRef: duck, name: x}}]`,
			inputs:     preview.Inputs{Clusters: []preview.Cluster{}},
			want:       preview.MissingInputError{Path: "spec.generators[0].clusterDecisionResource", Input: "Objects", Need: "configmaps argocd/duck"},
		},
		"the resources of a decision": {
			generators: `[{clusterDecisionResource: {configMapRef: duck, name: x}}]`,
			inputs: preview.Inputs{Clusters: []preview.Cluster{}, Objects: []*unstructured.Unstructured{{Object: map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "duck"},
				"data": map[string]any{"apiVersion": "x.example.com/v1", "kind": "choices", "matchKey": "name"},
			}}}},
			want: preview.MissingInputError{Path: "spec.generators[0].clusterDecisionResource", Input: "Objects", Need: "choices.x.example.com in namespace argocd"},
		},
		"the pull requests of the second child of a matrix": {
			generators: `[{matrix: {generators: [{list: {elements: [{repo: web}]}}, {pullRequest: {github: {owner: example, repo: '{{.repo}}'}}}]}}]`,
			want: preview.MissingInputError{Path: "spec.generators[0].matrix.generators[1].pullRequest", Input: "PullRequests",
				Need: `the pull requests of repository "example/web" at github`},
		},
		"the organization of a matrix in a merge": {
			generators: `[{merge: {mergeKeys: [a], generators: [{list: {elements: [{a: b}]}}, {matrix: {generators: [{list: {elements: [{a: b}]}}, {scmProvider: {gitlab: {group: g}}}]}}]}}]`,
			want: preview.MissingInputError{Path: "spec.generators[0].merge.generators[1].matrix.generators[1].scmProvider", Input: "Organizations",
				Need: `the repositories of organization "g" at gitlab`},
		},
		"the content of a branch that a filter looks into": {
			generators: `[{scmProvider: {github: {organization: o}, filters: [{pathsExist: [a]}]}}]`,
			inputs: preview.Inputs{Organizations: []preview.Organization{{Provider: "github", Name: "o", Repositories: []preview.ProviderRepository{
				{Name: "web", Branches: []preview.Branch{{Name: "main"}}}}}}},
			want: preview.MissingInputError{Path: "spec.generators[0].scmProvider", Input: "Organizations",
				Need: `the content of branch "main" of repository "web" of organization "o" at github`},
		},
		"the answer of a plugin to an input": {
			generators: `[{plugin: {configMapRef: {name: p}, input: {parameters: {a: [1]}}}}]`,
			inputs:     preview.Inputs{Plugins: []preview.PluginAnswer{{ConfigMap: "p", Input: map[string]any{"a": []int{2}}}, {ConfigMap: "q"}}},
			want:       preview.MissingInputError{Path: "spec.generators[0].plugin", Input: "Plugins", Need: `the answer of plugin p to input {"a":[1]}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := preview.Expand(t.Context(), []*unstructured.Unstructured{setOf(t, "x", test.generators)}, test.inputs)
			require.Nil(t, state)
			var missing *preview.MissingInputError
			require.ErrorAs(t, err, &missing)
			test.want.ApplicationSet = "argocd/set"
			require.Equal(t, test.want, *missing)
			require.NotContains(t, err.Error(), "token")
		})
	}
}

func TestExpandNeedsTheProjectOfATemplate(t *testing.T) {
	set := setOf(t, "x", `[{list: {elements: [{a: b}]}}]`)
	require.NoError(t, unstructured.SetNestedField(set.Object, "platform", "spec", "template", "spec", "project"))
	_, err := preview.Expand(t.Context(), []*unstructured.Unstructured{set}, preview.Inputs{Namespace: "argocd"})
	var missing *preview.MissingInputError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "spec.template.spec.project", missing.Path)
	require.Equal(t, "appprojects.argoproj.io argocd/platform", missing.Need)

	project := documents(t, "{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: platform}}")[0]
	state, err := preview.Expand(t.Context(), []*unstructured.Unstructured{project, set}, preview.Inputs{})
	require.NoError(t, err)
	require.Equal(t, []string{"argocd/x"}, qualifiedNames(state))
}

func TestExpandTellsEveryGeneratorAtFault(t *testing.T) {
	sets := []*unstructured.Unstructured{
		setOf(t, "x", `[{clusters: {}}, {plugin: {configMapRef: {name: p}}}, {list: {elements: [{a: b}]}}]`),
		setOf(t, "{{.none}}", `[{list: {elements: [{a: b}]}}]`),
	}
	sets[1].SetName("other")
	_, err := preview.Expand(t.Context(), sets, preview.Inputs{})
	var paths []string
	var visit func(error)
	visit = func(err error) {
		missing, fault := new(preview.MissingInputError), new(preview.ExpandError)
		switch joined, ok := err.(interface{ Unwrap() []error }); {
		case ok:
			for _, err := range joined.Unwrap() {
				visit(err)
			}
		case errors.As(err, &missing):
			paths = append(paths, missing.ApplicationSet+" "+missing.Path)
		case errors.As(err, &fault):
			paths = append(paths, fault.ApplicationSet+" "+fault.Path)
		}
	}
	visit(err)
	require.Equal(t, []string{
		"argocd/set spec.generators[0].clusters", "argocd/set spec.generators[1].plugin", "argocd/other spec.generators[0]",
	}, paths)
}

func TestExpandTakesClustersAsDataOrAsSecrets(t *testing.T) {
	inputs := preview.Inputs{
		Repositories: []preview.Repository{{URL: "https://git.example.com/platform.git", Content: os.DirFS("testdata/repository")}},
		Plugins:      []preview.PluginAnswer{pluginAnswer},
	}
	want, err := preview.Expand(t.Context(), testSets(t), inputs)
	require.NoError(t, err)
	withoutSecrets := slices.DeleteFunc(testSets(t), func(obj *unstructured.Unstructured) bool { return obj.GetKind() == "Secret" })
	inputs.Clusters = []preview.Cluster{
		{Name: "North_1", Server: "https://127.0.0.1:1", Labels: map[string]string{"region": "north", "tier": "prod"},
			Annotations: map[string]string{"contact": "north@example.com"}},
		{Name: "south", Server: "https://127.0.0.1:2", Project: "platform", Labels: map[string]string{"region": "south", "tier": "dev"}},
	}
	got, err := preview.Expand(t.Context(), withoutSecrets, inputs)
	require.NoError(t, err)
	require.Equal(t, want.Applications, got.Applications)
}

func TestExpandRefusesHostileFiles(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	for name, content := range map[string]string{
		"a YAML bomb":          bomb.String(),
		"a file of 50 MB":      "a: " + strings.Repeat("x", 50<<20),
		"a text":               "just text",
		"lists in lists":       strings.Repeat("[", 100_000),
		"a list of no objects": "[1, 2]",
	} {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, "x", `[{git: {repoURL: 'https://git.example.com/x', files: [{path: config.yaml}]}}]`)
			began := time.Now()
			_, err := preview.Expand(t.Context(), []*unstructured.Unstructured{set}, preview.Inputs{Repositories: []preview.Repository{
				{URL: "https://git.example.com/x", Content: mapFS(map[string]string{"config.yaml": content})},
			}})
			var fault *preview.ExpandError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, "spec.generators[0].git", fault.Path)
			require.Contains(t, err.Error(), "config.yaml")
			require.Less(t, len(err.Error()), 1000)
			require.Less(t, time.Since(began), 5*time.Second)
		})
	}
}
