package gitops_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/golden"
)

const repo = "https://git.example.com/platform/gitops.git"

func ptr[T any](value T) *T { return &value }

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
		"application-helm": gitops.Application{
			Name: "grafana", Project: "observability",
			Sources: []gitops.Source{{RepoURL: "https://charts.example.com", Revision: "1.2.3", Chart: "grafana", Tool: gitops.Helm{
				ReleaseName: "grafana", Values: map[string]any{"replicas": 2, "ingress": map[string]any{"enabled": false}},
				Parameters: []gitops.HelmParameter{{Name: "image.tag", Value: "11", ForceString: true}}, SkipCRDs: true,
			}}},
			Info:                 []gitops.Info{{Name: "dashboards", Value: "https://grafana.example.com"}},
			RevisionHistoryLimit: ptr(int64(0)),
		},
		"application-kustomize": gitops.Application{
			Name: "shop", Project: "shops", Sources: []gitops.Source{{RepoURL: repo, Path: "shop", Tool: gitops.Kustomize{
				NamePrefix: "one-", Labels: map[string]string{"app": "shop"}, LabelWithoutSelector: true,
				Images: []string{"shop=registry.example.com/shop:2"}, Replicas: []gitops.KustomizeReplica{{Name: "idle", Count: 0}},
				Patches: []gitops.KustomizePatch{{
					Patch:   "- op: remove\n  path: /spec/replicas\n",
					Target:  gitops.KustomizeTarget{Group: "apps", Version: "v1", Kind: "Deployment", LabelSelector: "app=shop"},
					Options: map[string]bool{"allowNameChange": true},
				}},
			}}},
		},
		"application-plugin": gitops.Application{
			Name: "shop", Project: "shops", Sources: []gitops.Source{{RepoURL: repo, Path: "shop", Tool: gitops.Plugin{
				Name: "cue", Env: []gitops.EnvVar{{Name: "DEBUG"}},
				Parameters: []gitops.PluginParameter{
					{Name: "text", String: "a"}, {Name: "nothing"}, {Name: "list", Array: []string{}}, {Name: "fields", Map: map[string]string{"a": "b"}},
				},
			}}},
		},
		"application-hydrated": gitops.Application{
			Name: "shop", Project: "shops", SourceHydrator: &gitops.SourceHydrator{
				DrySource:  gitops.DrySource{RepoURL: repo, Path: "shop"},
				SyncSource: gitops.SyncSource{TargetBranch: "environments/production", Path: "shop"},
				HydrateTo:  "environments/production-next",
			},
		},
		"applicationset-rollout": gitops.ApplicationSet{
			Name: "shops",
			Generators: []gitops.Generator{
				gitops.Selected{
					Generator: gitops.Overridden{
						Generator: gitops.Clusters{FlatList: true},
						Template:  gitops.TemplateOverride{Name: "{{ .name }}-fleet", Sources: []gitops.Source{{RepoURL: repo, Path: "fleet"}}},
					},
					Selector: metav1.LabelSelector{MatchLabels: map[string]string{"server": "https://one.example.com"}},
				},
				gitops.Merge{MergeKeys: []string{"server"}, Generators: []gitops.Generator{
					gitops.Matrix{
						First:  gitops.Selected{Generator: gitops.Clusters{}, Selector: metav1.LabelSelector{MatchLabels: map[string]string{"name": "one"}}},
						Second: gitops.List{ElementsYAML: "- shop: a"},
					},
					gitops.List{Elements: []map[string]any{{"server": "https://two.example.com", "shop": "b"}}},
				}},
			},
			Template: gitops.Application{
				Name: "{{ .name }}", Project: "shops", Labels: map[string]string{"wave": "{{ .wave }}"}, Sources: []gitops.Source{{RepoURL: repo, Path: "shop"}},
			},
			TemplatePatch: "spec:\n  source:\n    helm:\n      valueFiles:\n      {{- range .valueFiles }}\n      - {{ . }}\n      {{- end }}\n",
			Strategy: gitops.Strategy{RollingSync: []gitops.RolloutStep{
				{MatchExpressions: []gitops.ApplicationMatch{{Key: "wave", Operator: "In", Values: []string{"one"}}}, MaxUpdate: ptr(intstr.FromInt32(0))},
				{MatchExpressions: []gitops.ApplicationMatch{{Key: "wave", Operator: "NotIn", Values: []string{"one"}}}, MaxUpdate: ptr(intstr.FromString("25%"))},
			}},
			PreservedFields:              gitops.PreservedFields{Annotations: []string{"example.com/paused"}},
			IgnoreApplicationDifferences: []gitops.ApplicationDifferences{{JSONPointers: []string{"/spec/syncPolicy/automated"}}},
		},
		"applicationset-hosts": gitops.ApplicationSet{
			Name: "previews",
			Generators: []gitops.Generator{
				gitops.SCMProvider{
					Organization: gitops.GitLabGroup{Group: "shops", ExcludeSharedProjects: true, TokenRef: gitops.SecretKeyRef{Name: "gitlab", Key: "token"}},
					Filters:      []gitops.SCMFilter{{RepositoryMatch: "^shop-", PathsExist: []string{"deploy"}}},
				},
				gitops.PullRequests{Repository: gitops.GitHubRepository{Owner: "shops", Repo: "shop", Labels: []string{"preview"}}, RequeueAfter: time.Minute},
				gitops.ClusterDecisionResource{ConfigMap: "placement", Name: "shops"},
				gitops.PluginGenerator{ConfigMap: "tenants", Parameters: map[string]any{"tiers": []int{1, 2}}},
			},
			Template: gitops.Application{Name: "{{ .name }}", Project: "shops", Sources: []gitops.Source{{RepoURL: repo, Path: "shop"}}},
		},
		"appproject-roles": gitops.AppProject{
			Name: "shops", SourceRepos: []string{repo}, Destinations: []gitops.Destination{{Namespace: "shop-*"}},
			Roles: []gitops.ProjectRole{{
				Name: "deployer", Groups: []string{"shop-keepers"},
				Policies: []gitops.Policy{{Action: "sync"}, {Resource: "logs", Action: "get", Object: "shop-a"}, {Action: "action/apps/Deployment/restart", Object: "apps/shop-*", Effect: gitops.Deny}},
			}},
			SyncWindows:                []gitops.SyncWindow{{Kind: gitops.DenySyncs, Schedule: "0 22 * * 5", Duration: 60 * time.Hour, TimeZone: "Europe/Zurich", Applications: []string{"*"}, ManualSync: true}},
			OrphanedResources:          &gitops.OrphanedResources{},
			SignatureKeys:              []string{"4AEE18F83AFDEB23"},
			DestinationServiceAccounts: []gitops.DestinationServiceAccount{{Namespace: "shop-*", ServiceAccount: "deployer"}},
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

func TestBuildOfGeneratorsSharesNothingWithItsInput(t *testing.T) {
	raw := gitops.RawGenerator{"list": map[string]any{"elements": []any{map[string]any{"name": "before"}}}}
	parameters := map[string]any{"tiers": []any{"before"}}
	set := gitops.ApplicationSet{
		Name: "s", Template: application(func(*gitops.Application) {}),
		Generators: []gitops.Generator{
			gitops.Selected{Generator: gitops.Overridden{Generator: raw, Template: gitops.TemplateOverride{Project: "other"}}},
			gitops.PluginGenerator{ConfigMap: "tenants", Parameters: parameters},
		},
	}
	obj, err := set.Build()
	require.NoError(t, err)
	before := obj.DeepCopy()
	require.Equal(t, gitops.RawGenerator{"list": map[string]any{"elements": []any{map[string]any{"name": "before"}}}}, raw)

	raw["list"].(map[string]any)["elements"].([]any)[0].(map[string]any)["name"] = "after"
	parameters["tiers"].([]any)[0] = "after"
	require.Equal(t, before, obj)
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
