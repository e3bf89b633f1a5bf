package conformance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
)

const (
	gitopsRepo   = "https://git.example.com/gitops.git"
	gitopsCharts = "https://charts.example.com"
)

// gitopsObjects uses every field of every builder that both Argo CD 2.14 and 3.x know.
func gitopsObjects(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{}
	for name, application := range gitopsApplications() {
		addGitops(t, objects, "an Application "+name, application)
		addGitops(t, objects, "an ApplicationSet of Applications "+name, gitopsSetOf(application))
	}
	addGitops(t, objects, "an ApplicationSet with every field", gitopsSet())
	addGitops(t, objects, "an AppProject with every field", gitopsProject())
	folders, err := gitops.Folders{RepoURL: "file:///srv/repo", Groups: []gitops.Group{{Name: "cicd"}, {Name: "security", Namespace: "{{ .path.basename }}"}}}.Build()
	require.NoError(t, err)
	for _, obj := range folders {
		objects["the "+obj.GetKind()+" of the group "+obj.GetName()] = obj
	}
	return objects
}

// gitopsObjectsOf3x uses the fields that Argo CD 2.14 does not know.
func gitopsObjectsOf3x(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{}
	for name, application := range gitopsApplicationsOf3x() {
		addGitops(t, objects, "an Application "+name, application)
		addGitops(t, objects, "an ApplicationSet of Applications "+name, gitopsSetOf(application))
	}
	addGitops(t, objects, "an ApplicationSet with every new field", gitopsSetOf3x())
	addGitops(t, objects, "an AppProject with every new field", gitopsProjectOf3x())
	return objects
}

func addGitops(t *testing.T, objects map[string]*unstructured.Unstructured, name string, value interface {
	Build() (*unstructured.Unstructured, error)
}) {
	t.Helper()
	obj, err := value.Build()
	require.NoError(t, err, name)
	objects[name] = obj
}

func gitopsSetOf(template gitops.Application) gitops.ApplicationSet {
	template.Cascade = false
	template.Name = "{{ .name }}"
	return gitops.ApplicationSet{Name: "set", Generators: []gitops.Generator{gitops.List{Elements: []map[string]any{{"name": "a"}}}}, Template: template}
}

func gitopsTools() map[string]gitops.Tool {
	return map[string]gitops.Tool{
		"with plain files": gitops.Directory{Recurse: true, Include: "*.yaml", Exclude: "draft-*", Jsonnet: gitops.Jsonnet{
			Libs: []string{"vendor"}, ExtVars: []gitops.JsonnetVar{{Name: "a", Value: "b"}, {Name: "d", Value: "[]", Code: true}}, TLAs: []gitops.JsonnetVar{{Name: "c", Value: "1 + 1", Code: true}},
		}},
		"with a chart": gitops.Helm{
			ReleaseName: "grafana", Namespace: "observability", ValueFiles: []string{"values.yaml"}, IgnoreMissingValueFiles: true,
			Values:         map[string]any{"replicas": 2, "ingress": map[string]any{"hosts": []any{"a", 1.5, true}}},
			Parameters:     []gitops.HelmParameter{{Name: "image.tag", Value: "11", ForceString: true}},
			FileParameters: []gitops.HelmFileParameter{{Name: "dashboard", Path: "dashboard.json"}},
			SkipCRDs:       true, SkipTests: true, SkipSchemaValidation: true, PassCredentials: true, Version: "v3",
			KubeVersion: "1.33.0", APIVersions: []string{"monitoring.coreos.com/v1/ServiceMonitor"},
		},
		"with a chart and values as text": gitops.Helm{ValuesYAML: "replicas: 2 # two\n"},
		"with a kustomization": gitops.Kustomize{
			NamePrefix: "a-", NameSuffix: "-b", Namespace: "observability",
			Labels: map[string]string{"app": "grafana"}, Annotations: map[string]string{"example.com/app": "${ARGOCD_APP_NAME}"},
			ForceLabels: true, ForceAnnotations: true, LabelWithoutSelector: true, AnnotationsEnvsubst: true,
			Images: []string{"grafana=registry.example.com/grafana:11"}, Replicas: []gitops.KustomizeReplica{{Name: "grafana", Count: 2}},
			Patches: []gitops.KustomizePatch{
				{Path: "patch.yaml"},
				{
					Patch: "- op: remove\n  path: /spec/replicas\n", Options: map[string]bool{"allowNameChange": true},
					Target: gitops.KustomizeTarget{
						Group: "apps", Version: "v1", Kind: "Deployment", Name: "grafana", Namespace: "observability",
						LabelSelector: "app=grafana", AnnotationSelector: "a=b",
					},
				},
			},
			Components: []string{"../component"}, Version: "v5.4.3", KubeVersion: "1.33.0", APIVersions: []string{"apps/v1/Deployment"},
		},
		"with a plugin": gitops.Plugin{
			Name: "cue", Env: []gitops.EnvVar{{Name: "A", Value: "b"}, {Name: "EMPTY"}},
			Parameters: []gitops.PluginParameter{
				{Name: "text", String: "a"}, {Name: "nothing"}, {Name: "list", Array: []string{"b"}}, {Name: "fields", Map: map[string]string{"c": "d"}},
			},
		},
	}
}

func gitopsApplications() map[string]gitops.Application {
	minimal := gitops.Application{Name: "minimal", Project: "default", Sources: []gitops.Source{{RepoURL: "file:///srv/repo", Path: "."}}}
	manual := minimal
	manual.SyncPolicy = gitops.SyncPolicy{Manual: true, Retry: &gitops.Retry{}}
	chart := minimal
	chart.Sources = []gitops.Source{{RepoURL: gitopsCharts, Chart: "grafana", Revision: "1.2.3"}}
	limit := int64(3)
	full := gitops.Application{
		Name:        "grafana",
		Namespace:   "argocd",
		Labels:      map[string]string{"owner": "platform"},
		Annotations: map[string]string{"example.com/note": "a note"},
		Project:     "observability",
		Sources: []gitops.Source{
			{RepoURL: gitopsCharts, Revision: "1.2.3", Chart: "grafana", Tool: gitops.RawTool{"helm": map[string]any{"valueFiles": []any{"$values/grafana.yaml"}}}},
			{RepoURL: "https://git.example.com/values.git", Ref: "values", Name: "values"},
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
		Info:                 []gitops.Info{{Name: "dashboards", Value: "https://grafana.example.com"}},
		RevisionHistoryLimit: &limit,
		Cascade:              true,
	}
	hydrated := minimal
	hydrated.Sources = nil
	hydrated.SourceHydrator = &gitops.SourceHydrator{
		DrySource:  gitops.DrySource{RepoURL: gitopsRepo, Revision: "main", Path: "K8s/grafana"},
		SyncSource: gitops.SyncSource{TargetBranch: "environments/production", Path: "grafana"},
		HydrateTo:  "environments/production-next",
	}
	applications := map[string]gitops.Application{
		"with few fields": minimal, "with every field": full, "that is synced by hand": manual, "of a chart": chart, "that is hydrated": hydrated,
	}
	for name, tool := range gitopsTools() {
		single := minimal
		single.Sources = []gitops.Source{{RepoURL: gitopsRepo, Revision: "main", Path: "K8s/grafana", Tool: tool}}
		applications[name] = single
		full.Sources = append(full.Sources, single.Sources...)
	}
	applications["with every field"] = full
	return applications
}

func gitopsApplicationsOf3x() map[string]gitops.Application {
	retried := gitops.Application{
		Name: "retried", Project: "default", SyncPolicy: gitops.SyncPolicy{Retry: &gitops.Retry{Limit: 1, Refresh: true}},
		Sources: []gitops.Source{{RepoURL: gitopsRepo, Path: "shop", Revision: "1.*", TagPrefix: "shop/", Tool: gitops.Kustomize{
			Labels: map[string]string{"a": "b"}, LabelWithoutSelector: true, LabelIncludeTemplates: true, IgnoreMissingComponents: true,
		}}},
	}
	several := retried
	several.Sources = append([]gitops.Source{{RepoURL: gitopsRepo, Path: "other"}}, retried.Sources...)
	applications := map[string]gitops.Application{"of tagged sources": retried, "of several tagged sources": several}
	tools := gitopsTools()
	tools["with a newer kustomization"] = retried.Sources[0].Tool
	for name, tool := range tools {
		applications["that is hydrated "+name] = gitops.Application{Name: "hydrated", Project: "default", SourceHydrator: &gitops.SourceHydrator{
			DrySource:  gitops.DrySource{RepoURL: gitopsRepo, Path: "shop", Tool: tool},
			SyncSource: gitops.SyncSource{RepoURL: "https://git.example.com/rendered.git", TargetBranch: "production", Path: "shop"},
		}}
	}
	return applications
}

func gitopsProject() gitops.AppProject {
	return gitops.AppProject{
		Name:         "observability",
		Description:  "What observes the platform.",
		SourceRepos:  []string{"https://git.example.com/*"},
		Destinations: []gitops.Destination{{Namespace: "observability"}, {Name: "edge-*", Namespace: "*"}},

		AllowClusterKinds:               []metav1.GroupKind{{Kind: "Namespace"}},
		DenyClusterKinds:                []metav1.GroupKind{{Group: "rbac.authorization.k8s.io", Kind: "*"}},
		AllowNamespacedKinds:            []metav1.GroupKind{{Group: "*", Kind: "*"}},
		DenyNamespacedKinds:             []metav1.GroupKind{{Kind: "ResourceQuota"}},
		PermitOnlyProjectScopedClusters: true,

		SourceNamespaces:           []string{"observability", "/^team-.+$/"},
		SignatureKeys:              []string{"4AEE18F83AFDEB23"},
		DestinationServiceAccounts: []gitops.DestinationServiceAccount{{Server: "https://*", Namespace: "*", ServiceAccount: "argocd:deployer"}, {ServiceAccount: "deployer"}},

		Roles: []gitops.ProjectRole{{
			Name: "deployer", Description: "deploys", Groups: []string{"sre", `"a, b"`},
			Policies: []gitops.Policy{
				{Action: "*"},
				{Action: "get", Effect: gitops.Deny},
				{Resource: "applicationsets", Action: "create", Object: "a"},
				{Resource: "logs", Action: "get", Object: "argocd/grafana-*"},
				{Resource: "exec", Action: "create"},
				{Resource: "clusters", Action: "get"},
				{Resource: "repositories", Action: "override"},
				{Action: "action/apps/Deployment/restart"},
				{Action: "update/*/Pod/*/*"},
				{Action: "delete/*"},
			},
		}},
		SyncWindows: []gitops.SyncWindow{
			{
				Kind: gitops.DenySyncs, Schedule: "0 22 * * FRI", Duration: 60 * time.Hour, TimeZone: "Europe/Zurich",
				Applications: []string{"*"}, Namespaces: []string{"observability"}, Clusters: []string{"in-cluster"}, ManualSync: true,
			},
			{Kind: gitops.AllowSyncs, Schedule: "*/5 0-4 1,15 * *", Duration: time.Minute, Namespaces: []string{"*"}},
		},
		OrphanedResources: &gitops.OrphanedResources{Warn: true, Ignore: []gitops.OrphanedResource{{Group: "apps", Kind: "Deployment", Name: "scratch-*"}, {Kind: "ConfigMap"}}},
	}
}

func gitopsProjectOf3x() gitops.AppProject {
	return gitops.AppProject{
		Name: "observability", SourceRepos: []string{"*"}, Destinations: []gitops.Destination{{Namespace: "*"}},
		AllowClusterResources: []gitops.ClusterResource{{Kind: "Namespace", Name: "observability-*"}},
		DenyClusterResources:  []gitops.ClusterResource{{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "admin"}},
		SourceIntegrity: []gitops.SignaturePolicy{
			{Repos: []string{"*", "!" + gitopsRepo}, Mode: gitops.CheckHistory, Keys: []string{"4AEE18F83AFDEB23"}},
			{Repos: []string{gitopsRepo}, Mode: gitops.CheckNoSignature},
		},
		SyncWindows: []gitops.SyncWindow{{
			Kind: gitops.AllowSyncs, Schedule: "0 22 * * *", Duration: time.Hour, Applications: []string{"*"}, Clusters: []string{"*"},
			AndOperator: true, SyncOverrun: true, Description: "TICKET-1",
		}},
	}
}

func gitopsStrategy() gitops.Strategy {
	count, percent := intstr.FromInt32(1), intstr.FromString("10%")
	return gitops.Strategy{RollingSync: []gitops.RolloutStep{
		{MatchExpressions: []gitops.ApplicationMatch{{Key: "tier", Operator: "In", Values: []string{"one"}}}, MaxUpdate: &count},
		{MatchExpressions: []gitops.ApplicationMatch{{Key: "tier", Operator: "NotIn", Values: []string{"one"}}}, MaxUpdate: &percent},
		{},
	}}
}
