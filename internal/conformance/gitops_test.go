package conformance_test

import (
	"cmp"
	"maps"
	"strings"
	"testing"

	argocd "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/conformance"
)

const argoCDModule = "github.com/argoproj/argo-cd/v2"

var argoCDCRDs = []string{"manifests/crds/application-crd.yaml", "manifests/crds/applicationset-crd.yaml", "manifests/crds/appproject-crd.yaml"}

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

func TestGitopsObjectsOf3xSurviveItsAPIServer(t *testing.T) {
	c := v3Kube(t)
	own := namespace(t, c)
	objects := gitopsObjectsOf3x(t)
	maps.Copy(objects, gitopsObjects(t))
	for name, obj := range objects {
		t.Run(name, func(t *testing.T) {
			obj.SetNamespace(own)
			roundTrip(t, c, obj)
		})
	}
}

// TestGitopsProjectsAreRejectedAsUpstream shows what the builder rejects to a project that was valid before, to prove
// that argo-cd rejects it too.
func TestGitopsProjectsAreRejectedAsUpstream(t *testing.T) {
	tests := map[string]func(*gitops.AppProject){
		"a role with a name that is none":         func(p *gitops.AppProject) { p.Roles[0].Name = "-a" },
		"two roles of a name":                     func(p *gitops.AppProject) { p.Roles = append(p.Roles, p.Roles[0]) },
		"a resource that projects have not":       func(p *gitops.AppProject) { p.Roles[0].Policies[0].Resource = "projects" },
		"an action that there is not":             func(p *gitops.AppProject) { p.Roles[0].Policies[0].Action = "invoke" },
		"a policy of more than six fields":        func(p *gitops.AppProject) { p.Roles[0].Policies[0].Action = "action/a, b" },
		"an object outside the project":           func(p *gitops.AppProject) { p.Roles[0].Policies[0].Object = "a/b/c" },
		"an effect that there is not":             func(p *gitops.AppProject) { p.Roles[0].Policies[0].Effect = "maybe" },
		"the same policy twice":                   func(p *gitops.AppProject) { p.Roles[0].Policies = append(p.Roles[0].Policies, p.Roles[0].Policies[0]) },
		"a group with a bare comma":               func(p *gitops.AppProject) { p.Roles[0].Groups[0] = "a, b" },
		"a group that ends with a space":          func(p *gitops.AppProject) { p.Roles[0].Groups[0] = "a " },
		"the same group twice":                    func(p *gitops.AppProject) { p.Roles[0].Groups = []string{"a", "a"} },
		"a window of an unknown kind":             func(p *gitops.AppProject) { p.SyncWindows[0].Kind = "open" },
		"a schedule with seconds":                 func(p *gitops.AppProject) { p.SyncWindows[0].Schedule = "0 0 22 * * 5" },
		"a schedule of a word":                    func(p *gitops.AppProject) { p.SyncWindows[0].Schedule = "@daily" },
		"an hour that there is not":               func(p *gitops.AppProject) { p.SyncWindows[0].Schedule = "0 24 * * *" },
		"a window for nothing":                    func(p *gitops.AppProject) { p.SyncWindows[1].Namespaces = nil },
		"the same window twice":                   func(p *gitops.AppProject) { p.SyncWindows[1] = p.SyncWindows[0] },
		"a service account that is a pattern":     func(p *gitops.AppProject) { p.DestinationServiceAccounts[0].ServiceAccount = "*" },
		"a service account for denied namespaces": func(p *gitops.AppProject) { p.DestinationServiceAccounts[0].Namespace = "!a" },
		"a service account for a broken pattern":  func(p *gitops.AppProject) { p.DestinationServiceAccounts[0].Namespace = "[" },
		"two service accounts for a destination":  func(p *gitops.AppProject) { p.DestinationServiceAccounts[1] = p.DestinationServiceAccounts[0] },
		"the same source namespace twice":         func(p *gitops.AppProject) { p.SourceNamespaces = []string{"a", "a"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			project := gitopsProject()
			change(&project)
			_, err := project.Build()
			require.True(t, apierrors.IsInvalid(err), "%v", err)
			require.Error(t, upstreamProject(project).ValidateProject())
		})
	}
}

// upstreamProject writes roles, windows and the like as the builder does, without checking them.
func upstreamProject(p gitops.AppProject) *argocd.AppProject {
	project := &argocd.AppProject{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Spec: argocd.AppProjectSpec{SourceNamespaces: p.SourceNamespaces}}
	for _, role := range p.Roles {
		var policies []string
		for _, policy := range role.Policies {
			policies = append(policies, strings.Join([]string{
				"p", "proj:" + p.Name + ":" + role.Name, cmp.Or(policy.Resource, "applications"), policy.Action,
				p.Name + "/" + cmp.Or(policy.Object, "*"), string(cmp.Or(policy.Effect, gitops.Allow)),
			}, ", "))
		}
		project.Spec.Roles = append(project.Spec.Roles, argocd.ProjectRole{Name: role.Name, Policies: policies, Groups: role.Groups})
	}
	for _, window := range p.SyncWindows {
		project.Spec.SyncWindows = append(project.Spec.SyncWindows, &argocd.SyncWindow{
			Kind: string(window.Kind), Schedule: window.Schedule, Duration: window.Duration.String(), TimeZone: window.TimeZone,
			Applications: window.Applications, Namespaces: window.Namespaces, Clusters: window.Clusters,
		})
	}
	for _, account := range p.DestinationServiceAccounts {
		project.Spec.DestinationServiceAccounts = append(project.Spec.DestinationServiceAccounts, argocd.ApplicationDestinationServiceAccount{
			Server: cmp.Or(account.Server, argocd.KubernetesInternalAPIServerAddr), Namespace: account.Namespace, DefaultServiceAccount: account.ServiceAccount,
		})
	}
	return project
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
