package conformance_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/argoapp"
)

// theatre is one Application with its owners on the real Argo CD: all of them in one git repository, in the folder app
// what the Application deploys, in the folder owners what its owners deploy.
type theatre struct {
	repository
	client client.WithWatch
	argocd *gitops.Client
	// app is the Application, and owners are those that somebody could refresh.
	app    string
	owners []gitops.Resource
	// namespace that the Application deploys to.
	namespace string
	// label adds a label to the Application at its origin, so that whoever owns the Application writes it again.
	label func(*testing.T)
}

func newTheatre(t *testing.T, c client.WithWatch) *theatre {
	t.Helper()
	stage := &theatre{
		repository: repository{dir: t.TempDir()}, client: c, argocd: gitops.NewClient(c, gitops.ClientOptions{}), namespace: namespace(t, c),
	}
	stage.app = stage.namespace
	stage.git(t, "init", "--quiet", "--initial-branch", "main")
	return stage
}

// write commits files, by path.
func (s *theatre) write(t *testing.T, files map[string]string) {
	t.Helper()
	for file, content := range files {
		path := filepath.Join(s.dir, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	s.git(t, "add", ".")
	s.git(t, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "change")
}

// paint commits ConfigMaps that say the color.
func (s *theatre) paint(t *testing.T, color string, names ...string) {
	t.Helper()
	files := map[string]string{}
	for _, name := range names {
		files["app/"+name+".yaml"] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {color: %q}\n", name, color)
	}
	s.write(t, files)
}

// color returns that of a ConfigMap, and "" if there is none.
func (s *theatre) color(t *testing.T, name string) string {
	t.Helper()
	var found corev1.ConfigMap
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, &found); client.IgnoreNotFound(err) != nil {
		require.NoError(t, err)
	}
	return found.Data["color"]
}

// spec of an Application that heals itself.
func (s *theatre) spec(path, namespace, options string) string {
	return fmt.Sprintf(`{project: default, source: {repoURL: "file://%s", targetRevision: main, path: %s},
  destination: {server: "https://kubernetes.default.svc", namespace: %s},
  syncPolicy: {automated: {selfHeal: true, prune: true}, syncOptions: %s}}`, s.dir, path, namespace, options)
}

func (s *theatre) application(labels string) string {
	return fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s, namespace: argocd, labels: %s}\nspec: %s\n",
		s.app, labels, s.spec("app", s.namespace, "[]"))
}

// parent deploys the folder owners.
func (s *theatre) parent(name, options string) string {
	return fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s, namespace: argocd}\nspec: %s\n",
		name, s.spec("owners", "argocd", options))
}

// applicationSet generates the Application, and keeps somebody else's ignore rule.
func (s *theatre) applicationSet(labels string) string {
	return fmt.Sprintf(`apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: %[1]s-set, namespace: argocd}
spec:
  goTemplate: true
  ignoreApplicationDifferences: [{jsonPointers: [/spec/info]}]
  generators: [{list: {elements: [{name: %[1]s}]}}]
  template:
    metadata: {name: "{{.name}}", labels: %[2]s}
    spec: %[3]s
`, s.app, labels, s.spec("app", s.namespace, "[CreateNamespace=true]"))
}

// apply creates what a person would.
func (s *theatre) apply(t *testing.T, manifest string) {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(manifest), &obj.Object))
	require.NoError(t, s.argocd.Apply(t.Context(), obj))
}

func (s *theatre) own(t *testing.T, kind, name string) {
	t.Helper()
	s.owners = append(s.owners, gitops.Resource{Group: argoapp.Group, Kind: kind, Namespace: "argocd", Name: name})
}

func (s *theatre) object(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(argoapp.Kind(kind))
	require.NoError(t, s.client.Get(t.Context(), client.ObjectKey{Namespace: "argocd", Name: name}, obj))
	return obj
}

func (s *theatre) patch(t *testing.T, kind, name, patch string) {
	t.Helper()
	require.NoError(t, s.client.Patch(t.Context(), s.object(t, kind, name), client.RawPatch(types.MergePatchType, []byte(patch))))
}

func (s *theatre) isAutomated(t *testing.T) bool {
	t.Helper()
	_, found, err := unstructured.NestedFieldNoCopy(s.object(t, "Application", s.app).Object, "spec", "syncPolicy", "automated")
	require.NoError(t, err)
	return found
}

// refreshAll makes Argo CD look at everything again, and waits until it has.
func (s *theatre) refreshAll(t *testing.T) {
	t.Helper()
	for _, owner := range s.owners {
		if owner.Kind == "ApplicationSet" {
			s.patch(t, owner.Kind, owner.Name, `{"metadata":{"annotations":{"argocd.argoproj.io/application-set-refresh":"true"}}}`)
			continue
		}
		require.NoError(t, s.argocd.Refresh(t.Context(), owner.Name, gitops.RefreshHard))
	}
	require.NoError(t, s.argocd.Refresh(t.Context(), s.app, gitops.RefreshHard))
	require.Eventually(t, func() bool {
		pending := s.object(t, "Application", s.app).GetAnnotations()["argocd.argoproj.io/refresh"] != ""
		for _, owner := range s.owners {
			annotations := s.object(t, owner.Kind, owner.Name).GetAnnotations()
			pending = pending || annotations["argocd.argoproj.io/refresh"] != "" || annotations["argocd.argoproj.io/application-set-refresh"] != ""
		}
		return !pending
	}, time.Minute, 100*time.Millisecond)
}

func TestRollbackStaysAgainstTheRealControllers(t *testing.T) {
	c := liveKube(t)
	cases := map[string]func(*testing.T, *theatre){
		"standalone": func(t *testing.T, s *theatre) {
			s.apply(t, s.application("{}"))
		},
		"generated by an ApplicationSet": func(t *testing.T, s *theatre) {
			s.apply(t, s.applicationSet("{}"))
			s.own(t, "ApplicationSet", s.app+"-set")
			s.label = func(t *testing.T) {
				s.patch(t, "ApplicationSet", s.app+"-set", `{"spec":{"template":{"metadata":{"labels":{"touched":"yes"}}}}}`)
			}
		},
		"deployed by an app-of-apps that heals itself":                 deployedBy("[]"),
		"deployed by an app-of-apps that applies on the server's side": deployedBy("[ServerSideApply=true, ApplyOutOfSyncOnly=true]"),
		"generated by an ApplicationSet, deployed by an Application that deploys itself": func(t *testing.T, s *theatre) {
			root := s.parent(s.app+"-root", "[]")
			s.write(t, map[string]string{"owners/root.yaml": root, "owners/set.yaml": s.applicationSet("{}")})
			s.apply(t, root)
			s.own(t, "Application", s.app+"-root")
			s.own(t, "ApplicationSet", s.app+"-set")
			s.label = func(t *testing.T) {
				s.write(t, map[string]string{"owners/set.yaml": s.applicationSet(`{touched: "yes"}`)})
			}
		},
	}
	for name, set := range cases {
		t.Run(name, func(t *testing.T) {
			s := newTheatre(t, c)
			t.Cleanup(func() { s.strike(t) })
			s.paint(t, "good", "settings")
			set(t, s)
			testRollbackStays(t, s)
		})
	}
}

// deployedBy sets up a parent with these sync options.
func deployedBy(options string) func(*testing.T, *theatre) {
	return func(t *testing.T, s *theatre) {
		s.write(t, map[string]string{"owners/app.yaml": s.application("{}")})
		s.apply(t, s.parent(s.app+"-parent", options))
		s.own(t, "Application", s.app+"-parent")
		s.label = func(t *testing.T) {
			s.write(t, map[string]string{"owners/app.yaml": s.application(`{touched: "yes"}`)})
		}
	}
}

// strike deletes the owners from the top down, then the Application; what it has deployed goes with the namespace.
func (s *theatre) strike(t *testing.T) {
	t.Helper()
	for _, owner := range append(s.owners, gitops.Resource{Kind: "Application", Name: s.app}) {
		obj := &unstructured.Unstructured{}
		obj.SetGroupVersionKind(argoapp.Kind(owner.Kind))
		obj.SetNamespace("argocd")
		obj.SetName(owner.Name)
		require.NoError(t, client.IgnoreNotFound(s.client.Delete(context.Background(), obj)))
	}
}

func testRollbackStays(t *testing.T, s *theatre) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	statuses, err := s.argocd.Wait(ctx, []string{s.app})
	require.NoError(t, err)
	require.Equal(t, "good", s.color(t, "settings"))
	s.paint(t, "bad", "settings", "extra")
	require.NoError(t, s.argocd.Refresh(ctx, s.app, gitops.RefreshNormal))
	_, err = s.argocd.Wait(ctx, []string{s.app}, gitops.Synced(), gitops.Healthy(), movedOn(statuses[0].Revisions))
	require.NoError(t, err)
	require.Equal(t, "bad", s.color(t, "settings"))

	if len(s.owners) > 0 {
		// This is what makes the guards necessary.
		s.patch(t, "Application", s.app, `{"spec":{"syncPolicy":{"automated":null}}}`)
		require.Eventually(t, func() bool { return s.isAutomated(t) }, time.Minute, 100*time.Millisecond,
			"switching automated sync off by hand was not undone")
	}
	before := map[string]*unstructured.Unstructured{}
	for _, owner := range s.owners {
		before[owner.Name] = s.object(t, owner.Kind, owner.Name)
	}

	var steps []string
	result, err := s.argocd.Rollback(ctx, s.app, gitops.RollbackRequest{Prune: true, OnEvent: func(e gitops.RollbackEvent) {
		if e.Done {
			steps = append(steps, e.Step.String())
		}
	}})
	t.Log(strings.Join(steps, "\n"))
	require.NoError(t, err)
	require.Equal(t, statuses[0].Revisions, result.Status.Operation.Revisions)
	stays := func() {
		t.Helper()
		require.False(t, s.isAutomated(t), "automated sync is on again")
		require.Equal(t, "good", s.color(t, "settings"))
		require.Empty(t, s.color(t, "extra"))
	}
	stays()
	s.refreshAll(t)
	stays()

	// A commit that changes something else, and owners that have a reason to write.
	s.paint(t, "new", "other")
	if s.label != nil {
		s.label(t)
	}
	s.refreshAll(t)
	if s.label != nil {
		require.Eventually(t, func() bool {
			return s.object(t, "Application", s.app).GetLabels()["touched"] == "yes"
		}, time.Minute, 100*time.Millisecond, "the owner did not write the Application")
	}
	for _, owner := range s.owners {
		if owner.Kind == "Application" {
			// It may be syncing already.
			require.Eventually(t, func() bool { return s.argocd.Sync(ctx, owner.Name, gitops.SyncRequest{}) == nil },
				time.Minute, 100*time.Millisecond)
			_, err := s.argocd.Wait(ctx, []string{owner.Name}, gitops.OperationDone())
			require.NoError(t, err)
		}
	}
	require.Never(t, func() bool { return s.isAutomated(t) || s.color(t, "settings") != "good" || s.color(t, "other") != "" },
		10*time.Second, 250*time.Millisecond)
	stays()

	// The record has survived the owners' writes, so another process can undo the rollback.
	status, err := s.argocd.RollbackStatus(ctx, s.app)
	require.NoError(t, err)
	require.Equal(t, gitops.RollbackSucceeded, status.Phase)
	require.NoError(t, s.argocd.RestoreAutomation(ctx, s.app))
	require.NoError(t, s.argocd.Refresh(ctx, s.app, gitops.RefreshNormal))
	require.Eventually(t, func() bool {
		return s.isAutomated(t) && s.color(t, "settings") == "bad" && s.color(t, "extra") == "bad" && s.color(t, "other") == "new"
	}, time.Minute, 250*time.Millisecond, "automated sync does not run forward")
	_, err = s.argocd.Wait(ctx, []string{s.app})
	require.NoError(t, err)
	for _, owner := range s.owners {
		now := s.object(t, owner.Kind, owner.Name)
		require.NotContains(t, now.GetAnnotations(), gitops.RollbackGuardsAnnotation)
		for _, path := range [][]string{{"spec", "ignoreDifferences"}, {"spec", "syncPolicy"}, {"spec", "ignoreApplicationDifferences"}} {
			want, _, _ := unstructured.NestedFieldNoCopy(before[owner.Name].Object, path...)
			got, _, _ := unstructured.NestedFieldNoCopy(now.Object, path...)
			require.Equal(t, want, got, "%s %v", owner, path)
		}
	}
	require.NotContains(t, s.object(t, "Application", s.app).GetAnnotations(), gitops.RollbackAnnotation)
}
