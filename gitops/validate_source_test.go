package gitops_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops"
)

func TestToolValidate(t *testing.T) {
	tests := map[string]struct {
		tool gitops.Tool
		want []string
	}{
		"Jsonnet's variables have names": {
			tool: gitops.Directory{Jsonnet: gitops.Jsonnet{Libs: []string{""}, ExtVars: []gitops.JsonnetVar{{Value: "a"}}, TLAs: []gitops.JsonnetVar{{Name: "\xff"}}}},
			want: []string{"jsonnet.libs[0]: FieldValueRequired", "jsonnet.extVars[0].name: FieldValueRequired", "jsonnet.tlas[0].name: FieldValueInvalid"},
		},
		"values are given once":  {tool: gitops.Helm{Values: map[string]any{"a": 1}, ValuesYAML: "a: 1"}, want: []string{"valuesYAML: FieldValueForbidden"}},
		"values are JSON":        {tool: gitops.Helm{Values: map[string]any{"a": make(chan int)}}, want: []string{"values: FieldValueInvalid"}},
		"values as text are one": {tool: gitops.Helm{ValuesYAML: "- a"}, want: []string{"valuesYAML: FieldValueInvalid"}},
		"parameters have names and files": {
			tool: gitops.Helm{Namespace: "A", ValueFiles: []string{""}, Parameters: []gitops.HelmParameter{{Value: "a"}}, FileParameters: []gitops.HelmFileParameter{{}}, APIVersions: []string{""}},
			want: []string{
				"namespace: FieldValueInvalid", "valueFiles[0]: FieldValueRequired", "parameters[0].name: FieldValueRequired",
				"fileParameters[0].name: FieldValueRequired", "fileParameters[0].path: FieldValueRequired", "apiVersions[0]: FieldValueRequired",
			},
		},
		"labels of kustomize may hold variables": {tool: gitops.Kustomize{Labels: map[string]string{"app": "${ARGOCD_APP_NAME}"}}},
		"labels of kustomize have keys":          {tool: gitops.Kustomize{Labels: map[string]string{"a b": "c"}, Annotations: map[string]string{"a b": ""}}, want: []string{"labels: FieldValueInvalid", "annotations: FieldValueInvalid"}},
		"labels of templates need a choice":      {tool: gitops.Kustomize{LabelIncludeTemplates: true}, want: []string{"labelIncludeTemplates: FieldValueForbidden"}},
		"images and components are named":        {tool: gitops.Kustomize{Namespace: "A", Images: []string{""}, Components: []string{" "}}, want: []string{"namespace: FieldValueInvalid", "images[0]: FieldValueRequired", "components[0]: FieldValueRequired"}},
		"replicas are counted":                   {tool: gitops.Kustomize{Replicas: []gitops.KustomizeReplica{{Count: -1}}}, want: []string{"replicas[0].name: FieldValueRequired", "replicas[0].count: FieldValueInvalid"}},
		"a patch is written once": {
			tool: gitops.Kustomize{Patches: []gitops.KustomizePatch{{}, {Path: "a", Patch: "b", Options: map[string]bool{"allowAll": true}}}},
			want: []string{"patches[0].patch: FieldValueRequired", "patches[1].path: FieldValueForbidden", "patches[1].options[allowAll]: FieldValueNotSupported"},
		},
		"a parameter of a plugin has a name and one value": {
			tool: gitops.Plugin{Env: []gitops.EnvVar{{}}, Parameters: []gitops.PluginParameter{{}, {Name: "a", String: "b", Array: []string{}}, {Name: "c", Array: []string{}, Map: map[string]string{}}}},
			want: []string{"env[0].name: FieldValueRequired", "parameters[0].name: FieldValueRequired", "parameters[1]: FieldValueForbidden", "parameters[2]: FieldValueForbidden"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, fault := range test.want {
				want = append(want, "sources[0].tool."+fault)
			}
			got := application(func(a *gitops.Application) { a.Sources[0].Tool = test.tool }).Validate()
			if diff := cmp.Diff(want, faults(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSourceValidate(t *testing.T) {
	negative := int64(-1)
	plain := gitops.Source{RepoURL: repo, Path: "a"}
	hydrator := gitops.SourceHydrator{DrySource: gitops.DrySource{RepoURL: repo, Path: "."}, SyncSource: gitops.SyncSource{TargetBranch: "b", Path: "a"}}
	tests := map[string]struct {
		change func(*gitops.Application)
		want   []string
	}{
		"refs are names, each once": {
			change: func(a *gitops.Application) {
				a.Sources = []gitops.Source{plain, {RepoURL: repo, Ref: "a.b"}, {RepoURL: repo, Ref: "c"}, {RepoURL: repo, Ref: "c"}}
			},
			want: []string{"sources[1].ref: FieldValueInvalid", "sources[3].ref: FieldValueDuplicate"},
		},
		"a single source has no name": {change: func(a *gitops.Application) { a.Sources[0].Name = "a" }, want: []string{"sources[0].name: FieldValueForbidden"}},
		"a chart has no tags": {
			change: func(a *gitops.Application) {
				a.Sources = []gitops.Source{{RepoURL: repo, Chart: "a", Revision: "1", TagPrefix: "a/"}}
			},
			want: []string{"sources[0].tagPrefix: FieldValueForbidden"},
		},
		"a hydrated Application has no sources": {
			change: func(a *gitops.Application) { a.SourceHydrator = &hydrator },
			want:   []string{"sources: FieldValueForbidden"},
		},
		"a hydrator reads from one place and writes to another": {
			change: func(a *gitops.Application) { a.Sources, a.SourceHydrator = nil, &gitops.SourceHydrator{} },
			want: []string{
				"sourceHydrator.drySource.repoURL: FieldValueRequired", "sourceHydrator.drySource.path: FieldValueRequired",
				"sourceHydrator.syncSource.targetBranch: FieldValueRequired", "sourceHydrator.syncSource.path: FieldValueRequired",
			},
		},
		"a hydrator does not write to the root": {
			change: func(a *gitops.Application) {
				own := hydrator
				own.SyncSource.Path, own.DrySource.Path, own.SyncSource.RepoURL = "./a/..", "../a", "https://me:secret@git.example.com/a.git"
				a.Sources, a.SourceHydrator = nil, &own
			},
			want: []string{
				"sourceHydrator.drySource.path: FieldValueInvalid", "sourceHydrator.syncSource.repoURL: FieldValueForbidden", "sourceHydrator.syncSource.path: FieldValueInvalid",
			},
		},
		"information has names, and history no negative length": {
			change: func(a *gitops.Application) { a.Info, a.RevisionHistoryLimit = []gitops.Info{{Value: "a"}}, &negative },
			want:   []string{"info[0].name: FieldValueRequired", "revisionHistoryLimit: FieldValueInvalid"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(application(test.change).Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Values often hold passwords, and a parser's error repeats what it could not read.
func TestFaultsDoNotShowValues(t *testing.T) {
	_, err := application(func(a *gitops.Application) { a.Sources[0].Tool = gitops.Helm{ValuesYAML: "hunter2"} }).Build()
	require.ErrorContains(t, err, "valuesYAML")
	require.NotContains(t, err.Error(), "hunter2")
}
