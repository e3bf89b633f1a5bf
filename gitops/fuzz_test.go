package gitops_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/gitops"
)

// FuzzBuild checks that arbitrary strings never panic, and that each value is either built or Invalid.
func FuzzBuild(f *testing.F) {
	f.Add("grafana", "observability", repo, "K8s/observability/grafana", "{{ .path.basename }}", "PruneLast=true")
	f.Add("", "\x00", "\xff", "../..", "{{", "=")
	f.Add("a", "!*", "!", "/", "{{/*}}", "{{ . }}=")
	f.Fuzz(func(t *testing.T, name, namespace, repoURL, path, template, option string) {
		application := gitops.Application{
			Name: name, Namespace: namespace, Labels: map[string]string{name: path}, Annotations: map[string]string{name: template}, Project: namespace,
			Sources:     []gitops.Source{{RepoURL: repoURL, Path: path, Revision: option, Tool: gitops.Directory{Include: template}}},
			Destination: gitops.Destination{Server: repoURL, Namespace: namespace},
			SyncPolicy:  gitops.SyncPolicy{CreateNamespace: true, NamespaceLabels: map[string]string{option: name}, Options: []string{option}},
		}
		templated := application
		templated.Name = template
		templated.Sources = []gitops.Source{{RepoURL: repoURL, Path: template, Tool: gitops.RawTool{path: map[string]any{name: template}}}}
		set := gitops.ApplicationSet{
			Name: name, Namespace: namespace, TemplateOptions: []string{option}, ApplicationsSync: gitops.ApplicationsSync(option),
			Generators: []gitops.Generator{
				gitops.GitDirectories{RepoURL: repoURL, Include: []string{path}, Exclude: []string{template}, Values: map[string]string{name: template}},
				gitops.List{Elements: []map[string]any{{name: template}}},
				gitops.Clusters{Selector: metav1.LabelSelector{MatchLabels: map[string]string{name: path}}},
				gitops.RawGenerator{name: template},
			},
			Template: templated,
		}
		project := gitops.AppProject{
			Name: name, Description: template, SourceRepos: []string{repoURL}, Destinations: []gitops.Destination{{Name: name, Namespace: namespace}},
			AllowClusterKinds: []metav1.GroupKind{{Group: path, Kind: name}},
		}
		for _, value := range []interface {
			builder
			Validate() field.ErrorList
		}{application, set, project} {
			obj, err := value.Build()
			if invalid := len(value.Validate()) > 0; apierrors.IsInvalid(err) != invalid || err == nil && obj.GetName() != name {
				t.Fatalf("%T: invalid: %v, built %v, error %v", value, invalid, obj, err)
			}
		}
		folders := gitops.Folders{
			RepoURL: repoURL, Root: path, Revision: option, Namespace: namespace, Server: repoURL, NamespaceLabels: map[string]string{name: template},
			Groups: []gitops.Group{{Name: name, Namespace: template, Exclude: []string{path}, Description: option}},
		}
		objects, err := folders.Build()
		if invalid := len(folders.Validate()) > 0; apierrors.IsInvalid(err) != invalid || err == nil && len(objects) != 2 {
			t.Fatalf("Folders: invalid: %v, built %d objects, error %v", invalid, len(objects), err)
		}
	})
}
