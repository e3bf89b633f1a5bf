package preview_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
	"github.com/controlbackbone/backbone/internal/golden"
)

const upstreamModule = "github.com/argoproj/argo-cd/v2"

// refusedExamples are those that Argo CD itself refuses, by what is wrong with them.
var refusedExamples = map[string]string{
	"design-doc/applicationset-fasttemplate.yaml":          "no project",
	"design-doc/applicationset.yaml":                       "no project",
	"design-doc/git-directory-discovery-fasttemplate.yaml": "no project",
	"design-doc/git-directory-discovery.yaml":              "no project",
	"design-doc/git-files-discovery-fasttemplate.yaml":     "no project",
	"design-doc/git-files-discovery.yaml":                  "no project",
	"design-doc/git-files-literal-fasttemplate.yaml":       "no project",
	"design-doc/git-files-literal.yaml":                    "no project",
	"design-doc/proposal/filters.yaml":                     "no project, and a design that was not built",
	"design-doc/clusters.yaml":                             "Go templates without goTemplate",
	"matrix/list-and-list.yaml":                            "a key that no generator yields",
	"matrix/matrix-and-union-in-matrix-fasttemplate.yaml":  "the union generator, which became merge",
	"matrix/matrix-and-union-in-matrix.yaml":               "the union generator, which became merge",
}

// TestExpandExamples expands every ApplicationSet of Argo CD's examples: with the content of the repositories, and
// with the answers of clusters and providers too. The golden file tells the names, or which data is missing.
func TestExpandExamples(t *testing.T) {
	dir := moduleDir(t, upstreamModule)
	objects := exampleObjects()
	repositories := []preview.Repository{
		{URL: "https://github.com/argoproj/argo-cd", Content: os.DirFS(dir)},
		{URL: "https://github.com/infra-team/cluster-deployments", Content: clusterDeployments},
	}
	results := &unstructured.Unstructured{Object: map[string]any{}}
	root := filepath.Join(dir, "applicationset/examples")
	require.NoError(t, filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), "kind: ApplicationSet") {
			return nil
		}
		name, err := filepath.Rel(root, file)
		require.NoError(t, err)
		set := documents(t, string(text))
		bare, bareErr := preview.Expand(t.Context(), set, preview.Inputs{Repositories: repositories, Objects: objects})
		full, fullErr := preview.Expand(t.Context(), set, exampleInputs(repositories, objects))
		if fault := refusedExamples[filepath.ToSlash(name)]; fault != "" {
			require.Error(t, fullErr, name)
			require.False(t, isMissing(fullErr), "%s: %v", name, fullErr)
			results.Object[name] = "refused: " + fault
			return nil
		}
		if fullErr != nil {
			t.Errorf("%s: %v", name, fullErr)
			return nil
		}
		result := map[string]any{"applications": texts(qualifiedNames(full))}
		if bareErr != nil {
			require.True(t, isMissing(bareErr), "%s: %v", name, bareErr)
			var missing *preview.MissingInputError
			require.ErrorAs(t, bareErr, &missing)
			result["missing"] = missing.Path + ": " + missing.Input + ": " + missing.Need
		} else {
			require.Equal(t, qualifiedNames(bare), qualifiedNames(full), name)
		}
		results.Object[name] = result
		return nil
	}))
	require.Greater(t, len(results.Object), 40)
	golden.Equal(t, "examples", results)
}

func isMissing(err error) bool {
	var missing *preview.MissingInputError
	return errors.As(err, &missing)
}

func texts(list []string) []any {
	out := []any{}
	for _, text := range list {
		out = append(out, text)
	}
	return out
}

func moduleDir(t testing.TB, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// clusterDeployments is the repository that the comments of the examples describe.
var clusterDeployments = mapFS(map[string]string{
	"add-ons/argo-rollouts/kustomization.yaml":          "",
	"add-ons/prometheus-operator/Chart.yaml":            "",
	"cluster-config/engineering/dev/config.json":        `{"cluster": {"name": "engineering-dev", "address": "http://1.2.3.4"}}`,
	"cluster-config/engineering/production/config.json": `{"cluster": {"name": "engineering-prod", "address": "http://2.4.6.8"}}`,
	"config/clusters.json": `[{"cluster": {"name": "engineering-dev"}, "appVersions": {"guestbook": "v2.0"}},
		{"cluster": {"name": "engineering-prod"}, "appVersions": {"guestbook": "v1.0"}}]`,
})

// exampleObjects are the AppProjects that the examples name.
func exampleObjects() []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, name := range []string{"dev", "prod", "preprod", "project", "project2", "my-project"} {
		objects = append(objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": map[string]any{"name": name},
		}})
	}
	return objects
}

// exampleInputs are answers to everything that the examples ask.
func exampleInputs(repositories []preview.Repository, objects []*unstructured.Unstructured) preview.Inputs {
	decision := map[string]any{
		"apiVersion": "apps.open-cluster-management.io/v1", "kind": "PlacementRule", "metadata": map[string]any{"name": "test-placement"},
		"status": map[string]any{"decisions": []any{map[string]any{"clusterName": "cluster-01"}, map[string]any{"clusterName": "cluster-02"}}},
	}
	placement := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "ocm-placement"},
		"data": map[string]any{
			"apiVersion": "apps.open-cluster-management.io/v1", "kind": "placementrules", "statusListKey": "decisions", "matchKey": "clusterName",
		},
	}
	return preview.Inputs{
		Repositories: repositories,
		Objects:      append(objects, &unstructured.Unstructured{Object: decision}, &unstructured.Unstructured{Object: placement}),
		Clusters: []preview.Cluster{
			{Name: "engineering-dev", Server: "https://1.2.3.4", Labels: map[string]string{"environment": "dev"}},
			{Name: "engineering-prod", Server: "https://2.4.6.8", Labels: map[string]string{"environment": "prod"}},
			{Name: "finance-preprod", Server: "https://9.8.7.6", Labels: map[string]string{"environment": "preprod"}},
			{Name: "cluster-01", Server: "https://kubernetes-01", Labels: map[string]string{"environment": "dev"}},
			{Name: "cluster-02", Server: "https://kubernetes-02", Labels: map[string]string{"environment": "prod"}},
		},
		Organizations: []preview.Organization{
			{Provider: "github", Name: "argoproj", Repositories: []preview.ProviderRepository{
				{Name: "argocd-example-apps", URL: "https://github.com/argoproj/argocd-example-apps.git", Branches: []preview.Branch{{Name: "master"}}},
				{Name: "argo-cd", URL: "https://github.com/argoproj/argo-cd.git", Branches: []preview.Branch{{Name: "master"}}},
			}},
			{Provider: "gitlab", Name: "test-argocd-proton", Repositories: []preview.ProviderRepository{
				{Name: "test-app", URL: "https://gitlab.com/test-argocd-proton/test-app.git", Branches: []preview.Branch{{Name: "main"}}},
			}},
		},
		PullRequests: []preview.RepositoryPullRequests{{Provider: "github", Repository: "myorg/myrepo", PullRequests: []preview.PullRequest{
			{Number: 7, Branch: "feature", HeadSHA: "0123456789abcdef", Labels: []string{"preview"}},
			{Number: 8, Branch: "other", HeadSHA: "fedcba9876543210"},
		}}},
	}
}
