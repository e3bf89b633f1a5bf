package preview_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/gitops/preview"
)

func TestExpandRefusesWhatArgoCDRefuses(t *testing.T) {
	clusters := preview.Inputs{Clusters: []preview.Cluster{{Name: "a", Server: "https://a.example.com"}, {Name: "a", Server: "https://b.example.com"}}}
	for name, test := range map[string]struct {
		generators  string
		template    string
		destination map[string]any
		inputs      preview.Inputs
		want        preview.ExpandError
	}{
		"two parameter sets of one name": {
			generators: `[{list: {elements: [{a: b}, {a: c}]}}]`, template: "x",
			want: preview.ExpandError{Path: "spec.template.metadata.name", Application: "x", Reason: "ApplicationValidationError", Parameters: map[string]any{"a": "c"}},
		},
		"a name that Kubernetes refuses": {
			generators: `[{list: {elements: [{a: Up_per}]}}]`, template: "{{.a}}",
			want: preview.ExpandError{Path: "spec.template.metadata", Application: "Up_per", Parameters: map[string]any{"a": "Up_per"}},
		},
		"a key that is not there, in the set that lacks it": {
			generators: `[{list: {elements: [{a: b, key: x}, {a: c}, {a: d, key: x}]}}]`, template: "{{.key}}",
			want: preview.ExpandError{Path: "spec.generators[0]", Reason: "RenderTemplateParamsError", Parameters: map[string]any{"a": "c"}},
		},
		"a template that does not parse": {
			generators: `[{list: {elements: [{a: b}]}}]`, template: "{{.a",
			want: preview.ExpandError{Path: "spec.generators[0]", Reason: "RenderTemplateParamsError", Parameters: map[string]any{"a": "b"}},
		},
		"a child of a matrix that cannot be interpolated": {
			generators: `[{matrix: {generators: [{list: {elements: [{a: b}]}}, {list: {elementsYaml: '{{.none}}'}}]}}]`, template: "x",
			want: preview.ExpandError{Path: "spec.generators[0].matrix", Reason: "ApplicationGenerationFromParamsError"},
		},
		"a merge without keys": {
			generators: `[{list: {elements: []}}, {merge: {generators: [{list: {elements: []}}, {list: {elements: []}}]}}]`, template: "x",
			want: preview.ExpandError{Path: "spec.generators[1].merge", Reason: "ApplicationGenerationFromParamsError"},
		},
		"elements that are no YAML, in a child": {
			generators: `[{merge: {mergeKeys: [a], generators: [{list: {elements: []}}, {list: {elementsYaml: '{'}}]}}]`, template: "x",
			want: preview.ExpandError{Path: "spec.generators[0].merge.generators[1].list", Reason: "ApplicationGenerationFromParamsError"},
		},
		"generators deeper than Argo CD nests them": {
			generators: `[{matrix: {generators: [{list: {elements: [{a: b}]}}, {matrix: {generators: [{list: {elements: [{c: d}]}},
				{matrix: {generators: [{list: {elements: []}}, {list: {elements: []}}]}}]}}]}}]`, template: "x",
			want: preview.ExpandError{Path: "spec.generators[0].matrix.generators[1].matrix", Reason: "ApplicationGenerationFromParamsError"},
		},
		"values that make Argo CD panic": {
			generators: `[{merge: {mergeKeys: [server], generators: [{clusters: {values: {a: b}}}, {list: {elements: [{server: 'https://kubernetes.default.svc', values: {a: c}}]}}]}}]`,
			template:   "x", inputs: preview.Inputs{Clusters: []preview.Cluster{}},
			want: preview.ExpandError{Path: "spec.generators[0]", Reason: "ApplicationGenerationFromParamsError"},
		},
		"a destination with name and server": {
			generators: `[{list: {elements: [{a: b}]}}]`, template: "x", destination: map[string]any{"name": "a", "server": "https://a.example.com"},
			want: preview.ExpandError{Path: "spec.template.spec.destination", Application: "x", Reason: "ApplicationValidationError", Parameters: map[string]any{"a": "b"}},
		},
		"a cluster that does not exist": {
			generators: `[{list: {elements: [{a: b}]}}]`, template: "x", destination: map[string]any{"server": "https://c.example.com"}, inputs: clusters,
			want: preview.ExpandError{Path: "spec.template.spec.destination", Application: "x", Reason: "ApplicationValidationError", Parameters: map[string]any{"a": "b"}},
		},
		"a cluster's name that is there twice": {
			generators: `[{list: {elements: [{a: b}]}}]`, template: "x", destination: map[string]any{"name": "a"}, inputs: clusters,
			want: preview.ExpandError{Path: "spec.template.spec.destination", Application: "x", Reason: "ApplicationValidationError", Parameters: map[string]any{"a": "b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, test.template, test.generators)
			if test.destination != nil {
				require.NoError(t, unstructured.SetNestedMap(set.Object, test.destination, "spec", "template", "spec", "destination"))
			}
			state, err := preview.Expand(t.Context(), []*unstructured.Unstructured{set}, test.inputs)
			require.Nil(t, state)
			var fault *preview.ExpandError
			require.ErrorAs(t, err, &fault)
			require.Error(t, fault.Err)
			got := *fault
			got.Err = nil
			test.want.ApplicationSet = "argocd/set"
			require.Equal(t, test.want, got)
		})
	}
}

func TestExpandTakesDestinationsToExistWhenClustersAreUnknown(t *testing.T) {
	set := setOf(t, "x", `[{list: {elements: [{a: b}]}}]`)
	require.NoError(t, unstructured.SetNestedMap(set.Object, map[string]any{"name": "far"}, "spec", "template", "spec", "destination"))
	_, err := preview.Expand(t.Context(), []*unstructured.Unstructured{set}, preview.Inputs{})
	require.NoError(t, err)
}

func TestExpandRefusesToOverwriteApplications(t *testing.T) {
	generators := `[{list: {elements: [{a: b}]}}]`
	other := setOf(t, "x", generators)
	other.SetName("other")
	declared := documents(t, "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: x}, spec: {project: default}}")[0]
	for name, objects := range map[string][]*unstructured.Unstructured{
		"of another ApplicationSet": {setOf(t, "x", generators), other},
		"that are declared":         {setOf(t, "x", generators), declared},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := preview.Expand(t.Context(), objects, preview.Inputs{})
			var fault *preview.ExpandError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, "x", fault.Application)
			require.Equal(t, "spec.template.metadata.name", fault.Path)
		})
	}
}

func TestExpandKeepsDeclaredApplicationsAndInputs(t *testing.T) {
	declared := documents(t, "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: own}, spec: {project: default, sourceHydrator: {a: b}}}")[0]
	set := setOf(t, "x", `[{list: {elements: [{a: b}]}}]`)
	require.NoError(t, unstructured.SetNestedField(set.Object, "create-only", "spec", "syncPolicy", "applicationsSync"))
	set.SetNamespace("teams")
	objects := []*unstructured.Unstructured{declared, set, nil, documents(t, "{apiVersion: v1, kind: Namespace, metadata: {name: z}}")[0]}
	before := []*unstructured.Unstructured{declared.DeepCopy(), set.DeepCopy()}
	state, err := preview.Expand(t.Context(), objects, preview.Inputs{Namespace: "gitops"})
	require.NoError(t, err)
	require.Equal(t, before, objects[:2])
	require.Equal(t, []string{"gitops/own", "teams/x"}, qualifiedNames(state))
	require.Empty(t, state.Applications[0].ApplicationSet)
	require.Equal(t, gitops.SyncApplications, state.Applications[0].ApplicationsSync)
	require.Equal(t, declared.Object["spec"], state.Applications[0].Object.Object["spec"])
	require.Equal(t, "set", state.Applications[1].ApplicationSet)
	require.Equal(t, gitops.CreateOnly, state.Applications[1].ApplicationsSync)
}
