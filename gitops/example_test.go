package gitops_test

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
)

// A repository with the folders K8s/observability/* and K8s/security/* becomes one project and one ApplicationSet for
// each group; every folder in a group becomes an Application.
func ExampleFolders() {
	folders := gitops.Folders{
		RepoURL: "https://git.example.com/platform/gitops.git",
		Groups: []gitops.Group{
			{Name: "observability"},
			{Name: "security", NamespaceLabels: map[string]string{"owner": "security-team"}},
		},
		NamespaceLabels: map[string]string{"owner": "platform-team", "environment": "production"},
	}
	objects, err := folders.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, obj := range objects {
		fmt.Println(obj.GetKind(), obj.GetName())
	}
	// Output:
	// AppProject observability
	// AppProject security
	// ApplicationSet observability
	// ApplicationSet security
}

func ExampleApplicationSet() {
	const repo = "https://git.example.com/platform/gitops.git"
	set := gitops.ApplicationSet{
		Name:       "observability",
		Generators: []gitops.Generator{gitops.GitDirectories{RepoURL: repo, Include: []string{"K8s/observability/*"}}},
		Template: gitops.Application{
			Name:        "{{ .path.basename }}",
			Project:     "observability",
			Sources:     []gitops.Source{{RepoURL: repo, Path: "{{ .path.path }}"}},
			Destination: gitops.Destination{Namespace: "observability"},
			SyncPolicy:  gitops.SyncPolicy{CreateNamespace: true},
		},
	}
	obj, err := set.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := yaml.Marshal(obj)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(document))
	// Output:
	// apiVersion: argoproj.io/v1alpha1
	// kind: ApplicationSet
	// metadata:
	//   name: observability
	//   namespace: argocd
	// spec:
	//   generators:
	//   - git:
	//       directories:
	//       - path: K8s/observability/*
	//       repoURL: https://git.example.com/platform/gitops.git
	//       revision: HEAD
	//   goTemplate: true
	//   goTemplateOptions:
	//   - missingkey=error
	//   template:
	//     metadata:
	//       name: '{{ .path.basename }}'
	//     spec:
	//       destination:
	//         namespace: observability
	//         server: https://kubernetes.default.svc
	//       project: observability
	//       source:
	//         path: '{{ .path.path }}'
	//         repoURL: https://git.example.com/platform/gitops.git
	//         targetRevision: HEAD
	//       syncPolicy:
	//         automated:
	//           prune: true
	//           selfHeal: true
	//         retry:
	//           backoff:
	//             duration: 5s
	//             factor: 2
	//             maxDuration: 3m0s
	//           limit: 5
	//         syncOptions:
	//         - ServerSideApply=true
	//         - ApplyOutOfSyncOnly=true
	//         - CreateNamespace=true
}

// All faults are reported at once, each with the path of the Go field.
func ExampleApplication_Validate() {
	application := gitops.Application{
		Name:              "Shop",
		Sources:           []gitops.Source{{RepoURL: "https://charts.example.com", Chart: "shop"}},
		IgnoreDifferences: drift.IgnoreRules{{Group: "apps/v1", Kind: "Deployment", JSONPointers: []string{"/spec/replicas"}}},
	}
	for _, fault := range application.Validate() {
		fmt.Println(fault.Field, "-", fault.Type)
	}
	// Output:
	// name - Invalid value
	// project - Required value
	// sources[0].revision - Required value
	// ignoreDifferences[0].group - Invalid value
}

// Developers may sync and restart what belongs to their project, but not at the weekend.
func ExampleAppProject() {
	project := gitops.AppProject{
		Name:         "shops",
		SourceRepos:  []string{"https://git.example.com/platform/gitops.git"},
		Destinations: []gitops.Destination{{Namespace: "shop-*"}},
		Roles: []gitops.ProjectRole{{
			Name:     "developer",
			Groups:   []string{"shop-developers"},
			Policies: []gitops.Policy{{Action: "sync"}, {Action: "action/apps/Deployment/restart", Object: "shop-*"}},
		}},
		SyncWindows: []gitops.SyncWindow{{
			Kind: gitops.DenySyncs, Schedule: "0 18 * * 5", Duration: 62 * time.Hour, TimeZone: "Europe/Zurich", Applications: []string{"*"},
		}},
	}
	obj, err := project.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	roles, _, _ := unstructured.NestedSlice(obj.Object, "spec", "roles")
	for _, policy := range roles[0].(map[string]any)["policies"].([]any) {
		fmt.Println(policy)
	}
	// Output:
	// p, proj:shops:developer, applications, sync, shops/*, allow
	// p, proj:shops:developer, applications, action/apps/Deployment/restart, shops/shop-*, allow
}

// Each cluster gets its shops: those in staging first, then those in production, a quarter of them at a time. A cluster
// for tests is left out.
func ExampleStrategy() {
	const repo = "https://git.example.com/platform/gitops.git"
	quarter := intstr.FromString("25%")
	environment := func(name string) []gitops.ApplicationMatch {
		return []gitops.ApplicationMatch{{Key: "environment", Operator: "In", Values: []string{name}}}
	}
	set := gitops.ApplicationSet{
		Name: "shops",
		Generators: []gitops.Generator{gitops.Selected{
			Generator: gitops.Matrix{First: gitops.Clusters{}, Second: gitops.GitDirectories{RepoURL: repo, Include: []string{"shops/*"}}},
			Selector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"tests"}},
			}},
		}},
		Template: gitops.Application{
			Name:        "{{ .name }}-{{ .path.basename }}",
			Labels:      map[string]string{"environment": "{{ .metadata.labels.environment }}"},
			Project:     "shops",
			Sources:     []gitops.Source{{RepoURL: repo, Path: "{{ .path.path }}", Tool: gitops.Helm{ValueFiles: []string{"{{ .name }}.yaml"}}}},
			Destination: gitops.Destination{Name: "{{ .name }}", Namespace: "shop-{{ .path.basename }}"},
		},
		Strategy: gitops.Strategy{RollingSync: []gitops.RolloutStep{
			{MatchExpressions: environment("staging")},
			{MatchExpressions: environment("production"), MaxUpdate: &quarter},
		}},
	}
	obj, err := set.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	steps, _, _ := unstructured.NestedSlice(obj.Object, "spec", "strategy", "rollingSync", "steps")
	fmt.Println(len(steps), "steps")
	// Output:
	// 2 steps
}
