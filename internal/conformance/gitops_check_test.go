package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	argocd "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/controlbackbone/backbone/gitops"
)

// untyped converts one of Argo CD's objects.
func untyped(t *testing.T, kind string, obj any) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	require.NoError(t, err)
	out := &unstructured.Unstructured{Object: content}
	out.SetGroupVersionKind(argocd.SchemeGroupVersion.WithKind(kind))
	return out
}

// subsets returns every set of one or two of the values.
func subsets[T any](values []T) [][]T {
	var out [][]T
	for i := range values {
		out = append(out, values[i:i+1])
		for j := range values {
			if i != j {
				out = append(out, []T{values[i], values[j]})
			}
		}
	}
	return out
}

// faulty returns the objects with a finding of the code.
func faulty(findings []gitops.Finding, codes ...string) map[string]bool {
	out := map[string]bool{}
	for _, found := range findings {
		if slices.Contains(codes, found.Code) {
			out[found.Object] = true
		}
	}
	return out
}

func applicationOf(name string, spec argocd.ApplicationSpec) argocd.Application {
	spec.Project = "shop"
	return argocd.Application{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd"}, Spec: spec}
}

func TestCheckPermitsTheSourcesThatArgoCDPermits(t *testing.T) {
	patterns := []string{
		"*", "", "!*", "**", "https://git.example.com/*", "https://git.example.com/**", "https://git.example.com/team/shop.git", "HTTPS://Git.Example.com/team/shop",
		"!https://git.example.com/*", "!https://git.example.com/team/shop", "git@git.example.com:team/shop.git", "git@git.example.com:*/*", "ssh://git@git.example.com/team/*",
		"!git@git.example.com:team/*", "https://{git,hub}.example.com/[a-t]*/sh?p", "[", "![", " https://git.example.com/team/shop ", "https://git.example.com:443/%zz",
	}
	repos := []string{
		"https://git.example.com/team/shop.git", "https://git.example.com/team/shop", "https://git.example.com/shop", "https://hub.example.com/team/shop", "HTTPS://GIT.example.com/TEAM/shop.git",
		"git@git.example.com:team/shop.git", "ssh://git@git.example.com/team/shop", "git@git.example.com:shop", "file:///srv/shop", "oci://registry.example.com/charts", "https://git.example.com:443/%zz", "shop",
	}
	for _, set := range subsets(patterns) {
		project := argocd.AppProject{
			ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "argocd"},
			Spec:       argocd.AppProjectSpec{SourceRepos: set, Destinations: []argocd.ApplicationDestination{{Server: "*", Namespace: "*"}}},
		}
		objects := []*unstructured.Unstructured{untyped(t, "AppProject", &project)}
		for i, repo := range repos {
			app := applicationOf(fmt.Sprint(i), argocd.ApplicationSpec{Source: &argocd.ApplicationSource{RepoURL: repo, Path: "p"}, Destination: argocd.ApplicationDestination{Name: "in-cluster"}})
			objects = append(objects, untyped(t, "Application", &app))
		}
		denied := faulty(gitops.Check(objects), "GITOPS004")
		for i, repo := range repos {
			require.Equal(t, project.IsSourcePermitted(argocd.ApplicationSource{RepoURL: repo}), !denied[fmt.Sprintf("Application argocd/%d", i)], "%q for %s", set, repo)
		}
	}
}

var destinationPatterns = func() []argocd.ApplicationDestination {
	var out []argocd.ApplicationDestination
	for _, namespace := range []string{"", "*", "shop", "team-*", "!shop", "!team-*", "!*"} {
		for _, server := range []string{"*", "https://1.2.3.4", "!https://1.2.3.4"} {
			out = append(out, argocd.ApplicationDestination{Server: server, Namespace: namespace})
		}
		for _, name := range []string{"*", "edge", "ed*", "!edge", "!in-cluster"} {
			out = append(out, argocd.ApplicationDestination{Name: name, Namespace: namespace})
		}
		out = append(out, argocd.ApplicationDestination{Server: "https://*", Name: "!edge", Namespace: namespace})
	}
	return append(out, argocd.ApplicationDestination{})
}()

var checkedClusters = []argocd.ApplicationDestination{
	{Server: "https://kubernetes.default.svc", Name: "in-cluster"},
	{Server: "https://1.2.3.4", Name: "edge"},
	{Server: "https://5.6.7.8", Name: "core"},
}

func clusterSecret(cluster argocd.ApplicationDestination) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{"stringData": map[string]any{"name": cluster.Name, "server": cluster.Server}}}
	out.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Secret"})
	out.SetName(cluster.Name)
	out.SetNamespace("argocd")
	out.SetLabels(map[string]string{"argocd.argoproj.io/secret-type": "cluster"})
	return out
}

// TestCheckPermitsTheDestinationsThatArgoCDPermits: exactly where the set holds the clusters; and where it does not, what
// is reported is forbidden whatever the cluster is.
func TestCheckPermitsTheDestinationsThatArgoCDPermits(t *testing.T) {
	namespaces := []string{"", "shop", "team-a", "other"}
	for _, set := range subsets(destinationPatterns) {
		project := argocd.AppProject{
			ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "argocd"},
			Spec:       argocd.AppProjectSpec{SourceRepos: []string{"*"}, Destinations: set},
		}
		unknown := []*unstructured.Unstructured{untyped(t, "AppProject", &project)}
		for i, cluster := range checkedClusters {
			for j, namespace := range namespaces {
				for how, destination := range map[string]argocd.ApplicationDestination{"server": {Server: cluster.Server}, "name": {Name: cluster.Name}} {
					destination.Namespace = namespace
					app := applicationOf(fmt.Sprintf("%d-%d-%s", i, j, how), argocd.ApplicationSpec{Source: &argocd.ApplicationSource{RepoURL: "r", Path: "p"}, Destination: destination})
					unknown = append(unknown, untyped(t, "Application", &app))
				}
			}
		}
		known := slices.Concat(unknown, []*unstructured.Unstructured{clusterSecret(checkedClusters[1]), clusterSecret(checkedClusters[2])})
		denied, certainly := faulty(gitops.Check(known), "GITOPS005"), faulty(gitops.Check(unknown), "GITOPS005")
		for i, cluster := range checkedClusters {
			for j, namespace := range namespaces {
				cluster.Namespace = namespace
				permitted, err := project.IsDestinationPermitted(cluster, nil)
				require.NoError(t, err)
				for _, how := range []string{"server", "name"} {
					object := fmt.Sprintf("Application argocd/%d-%d-%s", i, j, how)
					require.Equal(t, permitted, !denied[object], "%v for %v by %s", set, cluster, how)
					require.False(t, certainly[object] && permitted, "%v for %v by %s, unknown", set, cluster, how)
				}
			}
		}
	}
}

func TestCheckPermitsTheNamespacesThatArgoCDPermits(t *testing.T) {
	for _, set := range subsets([]string{"*", "", "team-*", "/^team-[a-c]$/", "/[/", "team-a", "!team-a", "[", "//"}) {
		project := argocd.AppProject{
			ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "argocd"},
			Spec:       argocd.AppProjectSpec{SourceNamespaces: set, SourceRepos: []string{"*"}, Destinations: []argocd.ApplicationDestination{{Server: "*", Namespace: "*"}}},
		}
		for _, namespace := range []string{"argocd", "team-a", "team-z", "other"} {
			app := applicationOf("web", argocd.ApplicationSpec{Source: &argocd.ApplicationSource{RepoURL: "r", Path: "p"}, Destination: argocd.ApplicationDestination{Name: "in-cluster"}})
			app.Namespace = namespace
			denied := faulty(gitops.Check([]*unstructured.Unstructured{untyped(t, "AppProject", &project), untyped(t, "Application", &app)}), "GITOPS003")
			if slices.Contains(set, "/[/") {
				// An expression that does not compile is not known to match nothing.
				require.Empty(t, denied)
				continue
			}
			require.Equal(t, project.IsAppNamespacePermitted(&app, "argocd"), len(denied) == 0, "%q for %s", set, namespace)
		}
	}
}

func TestCheckRejectsTheProjectsThatArgoCDRejects(t *testing.T) {
	policy := func(parts ...string) argocd.AppProjectSpec {
		return argocd.AppProjectSpec{Roles: []argocd.ProjectRole{{Name: "dev", Policies: []string{strings.Join(parts, ",")}}}}
	}
	var specs []argocd.AppProjectSpec
	for _, subject := range []string{" proj:shop:dev", "proj:shop:ops", "dev", ""} {
		for _, resource := range []string{" applications ", "exec", "projects", ""} {
			for _, action := range []string{"get", "*", "action/a/b", "x/action/", "look"} {
				for _, object := range []string{"shop/*", "shop/a/b-*", "shop", "shop/a/b/c", "other/*", "shop/ü"} {
					for _, effect := range []string{"allow", "deny ", "Allow"} {
						specs = append(specs, policy("p", subject, resource, action, object, effect))
					}
				}
			}
		}
	}
	specs = append(specs, policy("p", "proj:shop:dev"), policy("g", "proj:shop:dev", "applications", "get", "shop/*", "allow"), policy())
	for _, group := range []string{"a", "", " ", "a b", " a", "a\u00a0", "a,b", `"a,b"`, `"a`, `"`, `""`, "a\nb", "ü", `" a "`} {
		specs = append(specs, argocd.AppProjectSpec{Roles: []argocd.ProjectRole{{Name: "dev", Groups: []string{group}}}})
	}
	for _, name := range []string{"a", "", "-a", "a-", "a_b", "ü", "a b"} {
		specs = append(specs, argocd.AppProjectSpec{Roles: []argocd.ProjectRole{{Name: name}}})
	}
	for _, kind := range []string{"allow", "deny", "", "Allow"} {
		for _, schedule := range []string{"* * * * *", "@daily", "@every 1h", "1-5/2 * * jan mon-fri", "CRON_TZ=UTC * * * * *", "* * * * * *", "", "60 * * * *", "L * * * *"} {
			for _, duration := range []string{"1h", "-1h", "0", "1d", ""} {
				for _, clusters := range [][]string{{"a"}, nil} {
					specs = append(specs, argocd.AppProjectSpec{SyncWindows: argocd.SyncWindows{{Kind: kind, Schedule: schedule, Duration: duration, Clusters: clusters}}})
				}
			}
		}
	}
	for _, account := range []argocd.ApplicationDestinationServiceAccount{
		{Server: "*", Namespace: "*", DefaultServiceAccount: "a:b"}, {Server: "!a", DefaultServiceAccount: "a"}, {Namespace: "a!", DefaultServiceAccount: "a"}, {Server: "[", DefaultServiceAccount: "a"}, {DefaultServiceAccount: " "}, {DefaultServiceAccount: "a/b"},
	} {
		specs = append(specs, argocd.AppProjectSpec{DestinationServiceAccounts: []argocd.ApplicationDestinationServiceAccount{account}},
			argocd.AppProjectSpec{DestinationServiceAccounts: []argocd.ApplicationDestinationServiceAccount{account, account}})
	}
	for _, set := range subsets(destinationPatterns) {
		specs = append(specs, argocd.AppProjectSpec{Destinations: set})
	}
	for _, set := range [][]string{{"a"}, {"a", "b"}, {"a", "a"}, {"!*"}, {"!**"}} {
		specs = append(specs, argocd.AppProjectSpec{SourceRepos: set}, argocd.AppProjectSpec{SourceNamespaces: set})
	}
	for _, spec := range specs {
		project := argocd.AppProject{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "argocd"}, Spec: spec}
		err := project.ValidateProject()
		found := faulty(gitops.Check([]*unstructured.Unstructured{untyped(t, "AppProject", &project)}), "GITOPS040", "GITOPS041")
		require.Equal(t, err != nil, len(found) > 0, "%+v: Argo CD says %v", spec, err)
	}
	t.Logf("%d projects", len(specs))
}

// TestCheckFindsOnlyRealErrorsInArgoCDsExamples: the older design documents' templates have no project, which the
// CustomResourceDefinition requires by now, and the union generator never came to be.
func TestCheckFindsOnlyRealErrorsInArgoCDsExamples(t *testing.T) {
	noProject, union := []string{"GITOPS002 spec.template.spec.project"}, []string{"GITOPS033 spec.generators[0].matrix.generators[0].union"}
	expected := map[string][]string{
		"design-doc/applicationset-fasttemplate.yaml":          noProject,
		"design-doc/applicationset.yaml":                       noProject,
		"design-doc/git-directory-discovery-fasttemplate.yaml": noProject,
		"design-doc/git-directory-discovery.yaml":              noProject,
		"design-doc/git-files-discovery-fasttemplate.yaml":     noProject,
		"design-doc/git-files-discovery.yaml":                  noProject,
		"design-doc/git-files-literal-fasttemplate.yaml":       noProject,
		"design-doc/git-files-literal.yaml":                    noProject,
		"design-doc/proposal/filters.yaml":                     noProject,
		"matrix/matrix-and-union-in-matrix-fasttemplate.yaml":  union,
		"matrix/matrix-and-union-in-matrix.yaml":               union,
	}
	sets := 0
	root := filepath.Join(moduleDir(t, argoCDModule), "applicationset/examples")
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		name, err := filepath.Rel(root, path)
		require.NoError(t, err)
		objects := readDocuments(t, path)
		var found []string
		for _, one := range gitops.Check(objects) {
			if one.Severity == gitops.SeverityError {
				found = append(found, one.Code+" "+one.Path)
				t.Logf("%s: %s", name, one)
			}
		}
		for _, obj := range objects {
			if obj.GetKind() == "ApplicationSet" {
				sets++
			}
		}
		if !slices.Equal(expected[name], found) {
			t.Errorf("%s: %q", name, found)
		}
		return nil
	}))
	require.Greater(t, sets, 20)
	t.Logf("%d ApplicationSets", sets)
}

// readDocuments returns the objects of a YAML file, and nothing for a file that is no YAML (Helm's templates).
func readDocuments(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	var out []*unstructured.Unstructured
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			return nil
		}
		obj := &unstructured.Unstructured{}
		if json.Unmarshal(document, &obj.Object) == nil && obj.Object != nil {
			out = append(out, obj)
		}
	}
}

// TestCheckFindsNoErrorInWhatTheBuildersMake, used as they are meant to be.
func TestCheckFindsNoErrorInWhatTheBuildersMake(t *testing.T) {
	folders, err := gitops.Folders{RepoURL: "file:///srv/repo", Groups: []gitops.Group{{Name: "cicd"}, {Name: "security", Namespace: "{{ .path.basename }}"}}}.Build()
	require.NoError(t, err)
	for _, found := range gitops.Check(folders) {
		t.Log(found)
		require.NotEqual(t, gitops.SeverityError, found.Severity, "%s", found)
	}
}
