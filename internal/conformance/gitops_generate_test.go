package conformance_test

import (
	"io"
	"testing"

	"github.com/argoproj/argo-cd/v2/applicationset/controllers/template"
	"github.com/argoproj/argo-cd/v2/applicationset/generators"
	"github.com/argoproj/argo-cd/v2/applicationset/utils"
	argocd "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/conformance"
)

// TestArgoCDGeneratesWhatTheBuildersMean gives ApplicationSets to Argo CD's own generators and renderer.
func TestArgoCDGeneratesWhatTheBuildersMean(t *testing.T) {
	list := func(elements ...map[string]any) gitops.List { return gitops.List{Elements: elements} }
	one, two := map[string]any{"name": "one", "server": "https://one", "tier": "a"}, map[string]any{"name": "two", "server": "https://two", "tier": "b"}
	tierA := metav1.LabelSelector{MatchLabels: map[string]string{"tier": "a"}}
	tests := map[string]struct {
		generators []gitops.Generator
		patch      string
		want       []string
	}{
		"elements of both lists": {
			generators: []gitops.Generator{gitops.List{Elements: []map[string]any{one}, ElementsYAML: "- {name: two, server: https://two}"}},
			want:       []string{"one: main https://one shop", "two: main https://two shop"},
		},
		"a selector compares values that are no labels": {
			generators: []gitops.Generator{gitops.Selected{Generator: list(one, two), Selector: metav1.LabelSelector{MatchLabels: map[string]string{"server": "https://two"}}}},
			want:       []string{"two: main https://two shop"},
		},
		"an override replaces what it holds, and sources as a whole": {
			generators: []gitops.Generator{
				gitops.Overridden{Generator: list(one), Template: gitops.TemplateOverride{
					Project: "other", Sources: []gitops.Source{{RepoURL: gitopsCharts, Chart: "shop", Revision: "1"}}, Destination: gitops.Destination{Server: "https://other"},
				}},
				list(two),
			},
			want: []string{"one: other https://other shop@1", "two: main https://two shop"},
		},
		"an override of a selected matrix": {
			generators: []gitops.Generator{gitops.Selected{Selector: tierA, Generator: gitops.Overridden{
				Generator: gitops.Matrix{First: list(one, two), Second: list(map[string]any{"a": "b"})}, Template: gitops.TemplateOverride{Name: "matrix-{{ .name }}"},
			}}},
			want: []string{"matrix-one: main https://one shop"},
		},
		"a matrix gives the first one's parameters to the second": {
			generators: []gitops.Generator{gitops.Matrix{
				First:  list(map[string]any{"shops": []any{map[string]any{"name": "x"}, map[string]any{"name": "y"}}, "server": "https://one"}),
				Second: gitops.List{ElementsYAML: "{{ .shops | toJson }}"},
			}},
			want: []string{"x: main https://one shop", "y: main https://one shop"},
		},
		"a selector two levels deep": {
			generators: []gitops.Generator{gitops.Matrix{
				First:  gitops.Merge{MergeKeys: []string{"name"}, Generators: []gitops.Generator{gitops.Selected{Generator: list(one, two), Selector: tierA}, list(one)}},
				Second: list(map[string]any{"a": "b"}),
			}},
			want: []string{"one: main https://one shop"},
		},
		"a merge lets later generators win": {
			generators: []gitops.Generator{gitops.Merge{MergeKeys: []string{"name"}, Generators: []gitops.Generator{
				list(one), list(map[string]any{"name": "one", "server": "https://merged"}, two),
			}}},
			want: []string{"one: main https://merged shop"},
		},
		"a patch changes all but the project": {
			generators: []gitops.Generator{list(one)},
			patch:      "spec: {project: other, destination: {server: '{{ .server }}/patched'}}",
			want:       []string{"one: main https://one/patched shop"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set := gitopsSetOf(gitops.Application{
				Project: "main", Sources: []gitops.Source{{RepoURL: gitopsRepo, Path: "shop"}}, Destination: gitops.Destination{Server: "{{ .server }}"},
			})
			set.Generators, set.TemplatePatch = test.generators, test.patch
			var got []string
			for _, application := range generate(t, set) {
				source := application.Spec.GetSource()
				from := source.Path
				if source.Chart != "" {
					from = source.Chart + "@" + source.TargetRevision
				}
				got = append(got, application.Name+": "+application.Spec.Project+" "+application.Spec.Destination.Server+" "+from)
				require.Len(t, application.Spec.GetSources(), 1)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// generate returns the Applications that Argo CD makes of a set whose generators need nobody to ask.
func generate(t *testing.T, set gitops.ApplicationSet) []argocd.Application {
	t.Helper()
	obj, err := set.Build()
	require.NoError(t, err)
	var upstream argocd.ApplicationSet
	conformance.Strict(t, obj, &upstream)

	terminal := map[string]generators.Generator{"List": generators.NewListGenerator()}
	nested := withCombinations(terminal, terminal)
	top := withCombinations(terminal, nested)
	log := logrus.New()
	log.SetOutput(io.Discard)
	applications, _, err := template.GenerateApplications(logrus.NewEntry(log), upstream, top, &utils.Render{}, nil)
	require.NoError(t, err)
	return applications
}

func withCombinations(terminal, inner map[string]generators.Generator) map[string]generators.Generator {
	out := map[string]generators.Generator{"Matrix": generators.NewMatrixGenerator(inner), "Merge": generators.NewMergeGenerator(inner)}
	for name, generator := range terminal {
		out[name] = generator
	}
	return out
}
