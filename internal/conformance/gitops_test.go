package conformance_test

import (
	"testing"
	"time"

	argocd "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/conformance"
)

const argoCDModule = "github.com/argoproj/argo-cd/v2"

var argoCDCRDs = []string{"manifests/crds/application-crd.yaml", "manifests/crds/applicationset-crd.yaml", "manifests/crds/appproject-crd.yaml"}

// gitopsObjects uses every field of every builder.
func gitopsObjects(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	build := func(obj *unstructured.Unstructured, err error) *unstructured.Unstructured {
		require.NoError(t, err)
		return obj
	}
	application := gitops.Application{
		Name:        "grafana",
		Namespace:   "argocd",
		Labels:      map[string]string{"owner": "platform"},
		Annotations: map[string]string{"example.com/note": "a note"},
		Project:     "observability",
		Sources: []gitops.Source{
			{RepoURL: "https://git.example.com/gitops.git", Revision: "main", Path: "K8s/observability/grafana", Tool: gitops.Directory{Recurse: true, Include: "*.yaml", Exclude: "draft-*"}},
			{RepoURL: "https://charts.example.com", Revision: "1.2.3", Chart: "grafana", Tool: gitops.RawTool{"helm": map[string]any{"releaseName": "grafana", "valueFiles": []any{"$values/grafana.yaml"}}}},
			{RepoURL: "https://git.example.com/values.git", Ref: "values"},
		},
		Destination: gitops.Destination{Name: "in-cluster", Namespace: "observability"},
		SyncPolicy: gitops.SyncPolicy{
			AllowEmpty:           true,
			CreateNamespace:      true,
			NamespaceLabels:      map[string]string{"owner": "platform"},
			NamespaceAnnotations: map[string]string{"example.com/contact": "the platform team"},
			Options:              []string{"PruneLast=true"},
			Retry:                &gitops.Retry{Limit: -1, Backoff: time.Second, Factor: 3, MaxBackoff: time.Minute},
		},
		IgnoreDifferences: drift.IgnoreRules{{
			Group: "apps", Kind: "Deployment", Name: "grafana", Namespace: "observability",
			JSONPointers: []string{"/spec/replicas"}, JQPathExpressions: []string{".spec.template.spec.initContainers"}, ManagedFieldsManagers: []string{"kube-controller-manager"},
		}},
		Cascade: true,
	}
	template := application
	template.Cascade = false
	template.Name = "{{ .path.basename }}"
	set := gitops.ApplicationSet{
		Name: "everything",
		Generators: []gitops.Generator{
			gitops.GitDirectories{
				RepoURL: "https://git.example.com/gitops.git", Revision: "main", Include: []string{"K8s/*/*"}, Exclude: []string{"K8s/*/drafts"},
				PathParamPrefix: "folder", Values: map[string]string{"name": "{{ .path.basename }}"}, RequeueAfter: 30 * time.Second,
			},
			gitops.GitFiles{RepoURL: "https://git.example.com/gitops.git", Include: []string{"clusters/*.json"}},
			gitops.List{Elements: []map[string]any{{"name": "a", "replicas": 3}}},
			gitops.Clusters{},
			gitops.Matrix{
				First:  gitops.Clusters{Selector: metav1.LabelSelector{MatchLabels: map[string]string{"environment": "production"}}, Values: map[string]string{"tier": "one"}},
				Second: gitops.GitDirectories{RepoURL: "https://git.example.com/gitops.git", Include: []string{"K8s/{{ .name }}/*"}},
			},
			gitops.RawGenerator{"plugin": map[string]any{"configMapRef": map[string]any{"name": "plugin"}}},
		},
		Template:                    template,
		TemplateOptions:             []string{"missingkey=error"},
		ApplicationsSync:            gitops.CreateUpdate,
		PreserveResourcesOnDeletion: true,
	}
	project := gitops.AppProject{
		Name:                 "observability",
		Description:          "What observes the platform.",
		SourceRepos:          []string{"https://git.example.com/*"},
		Destinations:         []gitops.Destination{{Namespace: "observability"}, {Name: "edge-*", Namespace: "*"}},
		AllowClusterKinds:    []metav1.GroupKind{{Kind: "Namespace"}},
		DenyClusterKinds:     []metav1.GroupKind{{Group: "rbac.authorization.k8s.io", Kind: "*"}},
		AllowNamespacedKinds: []metav1.GroupKind{{Group: "*", Kind: "*"}},
		DenyNamespacedKinds:  []metav1.GroupKind{{Kind: "ResourceQuota"}},
	}
	minimal := gitops.Application{Name: "minimal", Project: "default", Sources: []gitops.Source{{RepoURL: "file:///srv/repo", Path: "."}}}
	manual := minimal
	manual.Name = "manual"
	manual.SyncPolicy = gitops.SyncPolicy{Manual: true, Retry: &gitops.Retry{}}
	objects := map[string]*unstructured.Unstructured{
		"an Application with every field":       build(application.Build()),
		"an Application with few fields":        build(minimal.Build()),
		"an Application that is synced by hand": build(manual.Build()),
		"an ApplicationSet with every field":    build(set.Build()),
		"an AppProject with every field":        build(project.Build()),
	}
	folders, err := gitops.Folders{RepoURL: "file:///srv/repo", Groups: []gitops.Group{{Name: "cicd"}, {Name: "security", Namespace: "{{ .path.basename }}"}}}.Build()
	require.NoError(t, err)
	for _, obj := range folders {
		objects["the "+obj.GetKind()+" of the group "+obj.GetName()] = obj
	}
	return objects
}

func TestGitopsObjectsAreUpstreamObjects(t *testing.T) {
	for name, obj := range gitopsObjects(t) {
		t.Run(name, func(t *testing.T) {
			conformance.Strict(t, obj, map[string]any{
				"Application":    &argocd.Application{},
				"ApplicationSet": &argocd.ApplicationSet{},
				"AppProject":     &argocd.AppProject{},
			}[obj.GetKind()])
		})
	}
}

func TestGitopsProjectsAreValidUpstream(t *testing.T) {
	for name, obj := range gitopsObjects(t) {
		if obj.GetKind() != "AppProject" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var project argocd.AppProject
			conformance.Strict(t, obj, &project)
			require.NoError(t, project.ValidateProject())
		})
	}
}

func TestGitopsObjectsSurviveTheAPIServer(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	for name, obj := range gitopsObjects(t) {
		t.Run(name, func(t *testing.T) {
			obj.SetNamespace(own)
			roundTrip(t, c, obj)
		})
	}
}

func TestFoldersPermitExactlyTheirNamespaces(t *testing.T) {
	tests := map[string]struct {
		namespace string
		permitted []string
		denied    []string
	}{
		"the group's own by default":                             {permitted: []string{"tools"}, denied: []string{"other", "argocd", "kube-system"}},
		"what a template with a fixed part can yield":            {namespace: "team-{{ .path.basename }}", permitted: []string{"team-a"}, denied: []string{"other", "argocd"}},
		"all but the control plane's for a template without one": {namespace: "{{ .path.basename }}", permitted: []string{"a", "b"}, denied: []string{"argocd", "kube-system"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folders := gitops.Folders{RepoURL: "file:///srv/repo", Groups: []gitops.Group{{Name: "tools", Namespace: test.namespace}}}
			obj, err := folders.AppProjects()[0].Build()
			require.NoError(t, err)
			var project argocd.AppProject
			conformance.Strict(t, obj, &project)
			permits := func(namespace string) bool {
				permitted, err := project.IsDestinationPermitted(argocd.ApplicationDestination{Server: argocd.KubernetesInternalAPIServerAddr, Namespace: namespace}, nil)
				require.NoError(t, err)
				return permitted
			}
			for _, namespace := range test.permitted {
				require.True(t, permits(namespace), namespace)
			}
			for _, namespace := range test.denied {
				require.False(t, permits(namespace), namespace)
			}
		})
	}
}
