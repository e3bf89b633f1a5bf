package gitops_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
)

// faults returns "path: type" of each fault.
func faults(list field.ErrorList) []string {
	var out []string
	for _, fault := range list {
		out = append(out, fault.Field+": "+string(fault.Type))
	}
	return out
}

func application(change func(*gitops.Application)) gitops.Application {
	valid := gitops.Application{Name: "a", Project: "p", Sources: []gitops.Source{{RepoURL: repo, Path: "a"}}}
	change(&valid)
	return valid
}

func TestApplicationValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*gitops.Application)
		want   []string
	}{
		"a minimal Application is valid": {change: func(*gitops.Application) {}},
		"a name, a project and a source are required": {
			change: func(a *gitops.Application) { *a = gitops.Application{} },
			want:   []string{"name: FieldValueRequired", "project: FieldValueRequired", "sources: FieldValueRequired"},
		},
		"names and labels follow Kubernetes' rules": {
			change: func(a *gitops.Application) {
				a.Name, a.Namespace, a.Project = "A", "n.s", "P"
				a.Labels = map[string]string{"a b": "c"}
			},
			want: []string{"name: FieldValueInvalid", "namespace: FieldValueInvalid", "labels: FieldValueInvalid", "project: FieldValueInvalid"},
		},
		"a template is no literal": {
			change: func(a *gitops.Application) { a.Destination.Namespace = "{{ .path.basename }}" },
			want:   []string{"destination.namespace: FieldValueInvalid"},
		},
		"a source has a path or a chart": {
			change: func(a *gitops.Application) {
				a.Sources = []gitops.Source{{RepoURL: repo, Path: "a", Chart: "b", Revision: "1"}, {RepoURL: repo}}
			},
			want: []string{"sources[0].chart: FieldValueForbidden", "sources[1].path: FieldValueRequired"},
		},
		"a path stays in its repository": {
			change: func(a *gitops.Application) {
				a.Sources = []gitops.Source{{RepoURL: repo, Path: "/a"}, {RepoURL: repo, Path: "a/../../b"}}
			},
			want: []string{"sources[0].path: FieldValueInvalid", "sources[1].path: FieldValueInvalid"},
		},
		"a repository's address holds no password": {
			change: func(a *gitops.Application) {
				a.Sources = []gitops.Source{{RepoURL: "https://me:secret@git.example.com/a.git", Path: "a"}, {RepoURL: "ssh://git@git.example.com/a.git", Path: "a"}}
			},
			want: []string{"sources[0].repoURL: FieldValueForbidden"},
		},
		"a ref needs other sources": {
			change: func(a *gitops.Application) { a.Sources = []gitops.Source{{RepoURL: repo, Ref: "values"}} },
			want:   []string{"sources[0].ref: FieldValueForbidden"},
		},
		"a raw tool is one known tool with settings": {
			change: func(a *gitops.Application) {
				a.Sources = []gitops.Source{
					{RepoURL: repo, Path: "a", Tool: gitops.RawTool{}},
					{RepoURL: repo, Path: "b", Tool: gitops.RawTool{"ksonnet": map[string]any{}}},
					{RepoURL: repo, Path: "c", Tool: gitops.RawTool{"helm": "values"}},
					{RepoURL: repo, Path: "d", Tool: gitops.RawTool{"helm": map[string]any{"values": make(chan int)}}},
				}
			},
			want: []string{
				"sources[0].tool: FieldValueInvalid", "sources[1].tool: FieldValueNotSupported",
				"sources[2].tool[helm]: FieldValueTypeInvalid", "sources[3].tool: FieldValueInvalid",
			},
		},
		"a destination is named once": {
			change: func(a *gitops.Application) { a.Destination = gitops.Destination{Server: "https://a", Name: "b"} },
			want:   []string{"destination.name: FieldValueForbidden"},
		},
		"manual sync leaves nothing to automate": {
			change: func(a *gitops.Application) {
				a.SyncPolicy = gitops.SyncPolicy{Manual: true, DisablePrune: true, DisableSelfHeal: true}
			},
			want: []string{"syncPolicy.disablePrune: FieldValueForbidden", "syncPolicy.disableSelfHeal: FieldValueForbidden"},
		},
		"namespace labels need a created namespace": {
			change: func(a *gitops.Application) { a.SyncPolicy.NamespaceLabels = map[string]string{"owner": "a"} },
			want:   []string{"syncPolicy.namespaceLabels: FieldValueForbidden"},
		},
		"sync options are keys with values, each once": {
			change: func(a *gitops.Application) {
				a.SyncPolicy.Options = []string{"Prune", "A=1", "A=2", "CreateNamespace=true"}
			},
			want: []string{
				"syncPolicy.options[0]: FieldValueInvalid", "syncPolicy.options[2]: FieldValueDuplicate", "syncPolicy.options[3]: FieldValueForbidden",
			},
		},
		"pauses are not negative": {
			change: func(a *gitops.Application) {
				a.SyncPolicy.Retry = &gitops.Retry{Backoff: -1, Factor: -1, MaxBackoff: -1}
			},
			want: []string{
				"syncPolicy.retry.backoff: FieldValueInvalid", "syncPolicy.retry.factor: FieldValueInvalid", "syncPolicy.retry.maxBackoff: FieldValueInvalid",
			},
		},
		"faults of ignore rules keep their paths": {
			change: func(a *gitops.Application) { a.IgnoreDifferences = drift.IgnoreRules{{Kind: "Deployment"}} },
			want:   []string{"ignoreDifferences[0].jsonPointers: FieldValueRequired"},
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

func TestApplicationSetValidate(t *testing.T) {
	directories := gitops.GitDirectories{RepoURL: repo, Include: []string{"a/*"}}
	tests := map[string]struct {
		change func(*gitops.ApplicationSet)
		want   []string
	}{
		"a templated set is valid": {change: func(s *gitops.ApplicationSet) {
			s.Template.Name = "{{ .path.basename | lower }}"
			s.Template.SyncPolicy = gitops.SyncPolicy{CreateNamespace: true, NamespaceLabels: map[string]string{"owner": "{{ index .path.segments 1 }}"}}
		}},
		"generators are required": {
			change: func(s *gitops.ApplicationSet) { s.Generators = nil },
			want:   []string{"generators: FieldValueRequired"},
		},
		"missing generators are named": {
			change: func(s *gitops.ApplicationSet) {
				var missing *gitops.GitDirectories
				s.Generators = []gitops.Generator{nil, missing, gitops.Matrix{First: directories}, gitops.RawGenerator(nil)}
			},
			want: []string{
				"generators[0]: FieldValueRequired", "generators[1]: FieldValueRequired", "generators[2].second: FieldValueRequired", "generators[3]: FieldValueRequired",
			},
		},
		"a git generator needs a repository and patterns": {
			change: func(s *gitops.ApplicationSet) {
				s.Generators = []gitops.Generator{gitops.GitFiles{RequeueAfter: time.Millisecond}, gitops.GitDirectories{RepoURL: repo, Include: []string{""}}}
			},
			want: []string{
				"generators[0].repoURL: FieldValueRequired", "generators[0].include: FieldValueRequired",
				"generators[0].requeueAfter: FieldValueInvalid", "generators[1].include[0]: FieldValueRequired",
			},
		},
		"list elements are JSON": {
			change: func(s *gitops.ApplicationSet) {
				s.Generators = []gitops.Generator{gitops.List{}, gitops.List{Elements: []map[string]any{{"a": func() {}}, nil}}}
			},
			want: []string{
				"generators[0].elements: FieldValueRequired", "generators[1].elements[0]: FieldValueInvalid", "generators[1].elements[1]: FieldValueRequired",
			},
		},
		"cluster selectors follow Kubernetes' rules": {
			change: func(s *gitops.ApplicationSet) {
				s.Generators = []gitops.Generator{gitops.Clusters{Selector: metav1.LabelSelector{MatchLabels: map[string]string{"a": "b c"}}}}
			},
			want: []string{"generators[0].selector.matchLabels: FieldValueInvalid"},
		},
		"matrix generators nest once": {
			change: func(s *gitops.ApplicationSet) {
				once := gitops.Matrix{First: directories, Second: directories}
				twice := gitops.Matrix{First: once, Second: directories}
				s.Generators = []gitops.Generator{twice, gitops.Matrix{First: twice, Second: directories}}
			},
			want: []string{"generators[1].first.first: FieldValueForbidden"},
		},
		"templates parse": {
			change: func(s *gitops.ApplicationSet) {
				s.Template.Name = "{{ .path.basename"
				s.Template.Labels = map[string]string{"a": "{{ end }}"}
				s.Template.Sources[0].Path = "{{ if }}"
			},
			want: []string{"template.name: FieldValueInvalid", "template.labels[a]: FieldValueInvalid", "template.sources[0].path: FieldValueInvalid"},
		},
		"a template without actions is a literal": {
			change: func(s *gitops.ApplicationSet) { s.Template.Name = "Not_A_Name" },
			want:   []string{"template.name: FieldValueInvalid"},
		},
		"deletion is the set's to decide": {
			change: func(s *gitops.ApplicationSet) { s.Template.Cascade = true },
			want:   []string{"template.cascade: FieldValueForbidden"},
		},
		"options and policies are known ones": {
			change: func(s *gitops.ApplicationSet) {
				s.TemplateOptions, s.ApplicationsSync = []string{"missingkey=fail"}, "sometimes"
			},
			want: []string{"templateOptions[0]: FieldValueNotSupported", "applicationsSync: FieldValueNotSupported"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set := gitops.ApplicationSet{Name: "s", Generators: []gitops.Generator{directories}, Template: application(func(*gitops.Application) {})}
			test.change(&set)
			if diff := cmp.Diff(test.want, faults(set.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppProjectValidate(t *testing.T) {
	tests := map[string]struct {
		project gitops.AppProject
		want    []string
	}{
		"a project permits something": {
			project: gitops.AppProject{Name: "p"},
			want:    []string{"sourceRepos: FieldValueRequired", "destinations: FieldValueRequired"},
		},
		"patterns match something, once": {
			project: gitops.AppProject{
				Name: "p", SourceRepos: []string{"", "!", "!*", "a", "a"},
				Destinations: []gitops.Destination{{Namespace: "a"}, {Namespace: "a"}, {}, {Server: "!*", Namespace: "!*"}, {Server: "a", Name: "b", Namespace: "c"}},
			},
			want: []string{
				"sourceRepos[0]: FieldValueRequired", "sourceRepos[1]: FieldValueRequired", "sourceRepos[2]: FieldValueInvalid", "sourceRepos[4]: FieldValueDuplicate",
				"destinations[1]: FieldValueDuplicate", "destinations[2].namespace: FieldValueRequired",
				"destinations[3].server: FieldValueInvalid", "destinations[3].namespace: FieldValueInvalid", "destinations[4].name: FieldValueForbidden",
			},
		},
		"kinds have groups without versions": {
			project: gitops.AppProject{
				Name: "p", SourceRepos: []string{"*"}, Destinations: []gitops.Destination{{Namespace: "*"}},
				AllowClusterKinds: []metav1.GroupKind{{}}, DenyNamespacedKinds: []metav1.GroupKind{{Group: "apps/v1", Kind: "Deployment"}},
			},
			want: []string{"allowClusterKinds[0].kind: FieldValueRequired", "denyNamespacedKinds[0].group: FieldValueInvalid"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(test.project.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFoldersValidate(t *testing.T) {
	tests := map[string]struct {
		folders gitops.Folders
		want    []string
	}{
		"a repository and a group are required": {want: []string{"repoURL: FieldValueRequired", "groups: FieldValueRequired"}},
		"the root is a folder in the repository": {
			folders: gitops.Folders{RepoURL: repo, Root: "../a*", Groups: []gitops.Group{{Name: "a"}}},
			want:    []string{"root: FieldValueInvalid", "root: FieldValueInvalid"},
		},
		"groups have names that are namespaces, once": {
			folders: gitops.Folders{RepoURL: repo, Groups: []gitops.Group{{Name: "a.b"}, {Name: "a"}, {Name: "a"}, {Name: "c.d", Namespace: "c"}}},
			want:    []string{"groups[0].name: FieldValueInvalid", "groups[2].name: FieldValueDuplicate"},
		},
		"a fault that all groups share is reported once": {
			folders: gitops.Folders{RepoURL: repo, Groups: []gitops.Group{{Name: "a"}, {Name: "b"}}, SyncPolicy: gitops.SyncPolicy{Options: []string{"a"}}},
			want:    []string{"syncPolicy.options[0]: FieldValueInvalid"},
		},
		"exclusions stay in the group": {
			folders: gitops.Folders{RepoURL: repo, Groups: []gitops.Group{{Name: "a", Exclude: []string{"", "../b", "c"}}}},
			want:    []string{"groups[0].exclude[0]: FieldValueInvalid", "groups[0].exclude[1]: FieldValueInvalid"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(test.folders.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsDoNotShowPasswords(t *testing.T) {
	for _, address := range []string{"https://me:secret@git.example.com/a.git", "https://me:secret\xff@git.example.com/a.git"} {
		_, err := gitops.Folders{RepoURL: address, Groups: []gitops.Group{{Name: "a"}}}.Build()
		require.ErrorContains(t, err, "repoURL")
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestFoldersDoNotShareLabels(t *testing.T) {
	labels := map[string]string{"owner": "platform"}
	folders := gitops.Folders{RepoURL: repo, Groups: []gitops.Group{{Name: "a"}}, NamespaceLabels: labels}
	folders.ApplicationSets()[0].Template.SyncPolicy.NamespaceLabels["owner"] = "other"
	require.Equal(t, map[string]string{"owner": "platform"}, labels)
}
