package gitops_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/golden"
)

const repo = "https://git.example.com/platform/gitops.git"

// builder is what every kind of the package is.
type builder interface {
	Build() (*unstructured.Unstructured, error)
}

func TestBuild(t *testing.T) {
	tests := map[string]builder{
		"application-minimal": gitops.Application{Name: "grafana", Project: "observability", Sources: []gitops.Source{{RepoURL: repo, Path: "K8s/observability/grafana"}}},
		"application-multi-source": gitops.Application{
			Name: "grafana", Namespace: "gitops", Labels: map[string]string{"owner": "platform"}, Project: "observability",
			Sources: []gitops.Source{
				{RepoURL: "https://charts.example.com", Revision: "1.2.3", Chart: "grafana", Tool: gitops.RawTool{"helm": map[string]any{"valueFiles": []string{"$values/grafana.yaml"}}}},
				{RepoURL: repo, Ref: "values"},
			},
			Destination:       gitops.Destination{Name: "edge", Namespace: "observability"},
			IgnoreDifferences: drift.IgnoreRules{{Group: "apps", Kind: "Deployment", JSONPointers: []string{"/spec/replicas"}}},
			Cascade:           true,
		},
		"application-manual": gitops.Application{
			Name: "shop", Project: "shop", Sources: []gitops.Source{{RepoURL: repo, Path: "shop", Tool: gitops.Directory{Recurse: true}}},
			SyncPolicy: gitops.SyncPolicy{Manual: true, Options: []string{"ServerSideApply=false", "PruneLast=true"}, Retry: &gitops.Retry{}},
		},
		"applicationset-matrix": gitops.ApplicationSet{
			Name: "shops",
			Generators: []gitops.Generator{gitops.Matrix{
				First:  gitops.Clusters{Selector: metav1.LabelSelector{MatchLabels: map[string]string{"environment": "production"}}},
				Second: gitops.GitDirectories{RepoURL: repo, Include: []string{"shops/*"}, Exclude: []string{"shops/closed"}, RequeueAfter: time.Minute},
			}, gitops.List{Elements: []map[string]any{{"name": "a", "replicas": 3}}}, gitops.RawGenerator{"plugin": map[string]any{"configMapRef": map[string]any{"name": "p"}}}},
			Template: gitops.Application{
				Name: "{{ .name }}-{{ .path.basename }}", Project: "shops", Labels: map[string]string{"shop": "{{ .path.basename }}"},
				Sources:     []gitops.Source{{RepoURL: repo, Path: "{{ .path.path }}"}},
				Destination: gitops.Destination{Name: "{{ .name }}", Namespace: "shop"},
			},
			ApplicationsSync:            gitops.CreateUpdate,
			PreserveResourcesOnDeletion: true,
		},
		"appproject": gitops.AppProject{
			Name: "observability", Description: "What observes the platform.", SourceRepos: []string{repo},
			Destinations:        []gitops.Destination{{Namespace: "observability"}, {Name: "edge-*", Namespace: "observability"}},
			AllowClusterKinds:   []metav1.GroupKind{{Kind: "Namespace"}},
			DenyNamespacedKinds: []metav1.GroupKind{{Kind: "ResourceQuota"}},
		},
	}
	for name, value := range tests {
		t.Run(name, func(t *testing.T) {
			obj, err := value.Build()
			require.NoError(t, err)
			golden.Equal(t, name, obj)
		})
	}
}

func TestBuildFolders(t *testing.T) {
	objects, err := gitops.Folders{
		RepoURL:           repo,
		Revision:          "main",
		Root:              "clusters/one",
		NamespaceLabels:   map[string]string{"owner": "platform-team", "environment": "production"},
		SyncPolicy:        gitops.SyncPolicy{NamespaceLabels: map[string]string{"owner": "nobody", "tier": "one"}},
		IgnoreDifferences: drift.IgnoreRules{{Group: "apps", Kind: "Deployment", JSONPointers: []string{"/spec/replicas"}}},
		Groups: []gitops.Group{
			{Name: "observability", NamespaceLabels: map[string]string{"owner": "observers"}, Exclude: []string{"drafts"}},
			{Name: "tenants", Namespace: "tenant-{{ .path.basename }}", AllowClusterKinds: []metav1.GroupKind{{Group: "example.com", Kind: "Tenant"}}},
		},
		PreserveResourcesOnDeletion: true,
	}.Build()
	require.NoError(t, err)
	golden.Equal(t, "folders", objects...)
}

func TestBuildSharesNothingWithItsInput(t *testing.T) {
	settings := map[string]any{"helm": map[string]any{"releaseName": "before"}}
	application := gitops.Application{
		Name: "a", Labels: map[string]string{"owner": "before"}, Project: "p",
		Sources:    []gitops.Source{{RepoURL: repo, Path: ".", Tool: gitops.RawTool(settings)}},
		SyncPolicy: gitops.SyncPolicy{Options: []string{"PruneLast=true"}},
	}
	obj, err := application.Build()
	require.NoError(t, err)
	before := obj.DeepCopy()

	settings["helm"].(map[string]any)["releaseName"] = "after"
	application.Labels["owner"] = "after"
	application.SyncPolicy.Options[0] = "PruneLast=false"
	require.Equal(t, before, obj)
}

func TestBuildReportsFaultsAsInvalid(t *testing.T) {
	_, err := gitops.Folders{}.Build()
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	for name, value := range map[string]builder{
		"Application": gitops.Application{}, "ApplicationSet": gitops.ApplicationSet{}, "AppProject": gitops.AppProject{},
	} {
		obj, err := value.Build()
		require.Nil(t, obj, name)
		require.True(t, apierrors.IsInvalid(err), "%s: %v", name, err)
	}
}
