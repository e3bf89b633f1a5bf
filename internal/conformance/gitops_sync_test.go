package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	appv1 "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/argoapp"
)

// Declarations, as they are merged into an Application that Argo CD syncs on its own.
const (
	sources          = `source: null, sources: [{repoURL: "file:///srv/charts", targetRevision: main, path: a}, {repoURL: "file:///srv/values", ref: values}]`
	twoSources       = `spec: {` + sources + `}`
	manual           = `spec: {syncPolicy: {automated: null}}`
	manualTwoSources = `spec: {syncPolicy: {automated: null}, ` + sources + `}`
)

func TestSyncBecomesAnOperation(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own := namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own})
	tests := map[string]struct {
		application string
		request     gitops.SyncRequest
		want        string
	}{
		"hooks are skipped by the strategy apply": {
			request: gitops.SyncRequest{SkipHooks: true}, want: `{syncStrategy: {apply: {}}}`,
		},
		"force without hooks": {
			request: gitops.SyncRequest{SkipHooks: true, Force: true}, want: `{syncStrategy: {apply: {force: true}}}`,
		},
		"force with hooks": {
			request: gitops.SyncRequest{Force: true}, want: `{syncStrategy: {hook: {force: true}}}`,
		},
		"a dry run may go to another revision than the automation": {
			request: gitops.SyncRequest{Revision: "other", DryRun: true}, want: `{revision: other, dryRun: true}`,
		},
		"without automation any revision will do": {
			application: manual, request: gitops.SyncRequest{Revision: "other"}, want: `{revision: other}`,
		},
		"options replace those of the policy": {
			request: gitops.SyncRequest{Options: []string{"Validate=false"}}, want: `{syncOptions: [Validate=false]}`,
		},
		"several sources without revisions": {
			application: twoSources, want: `{}`,
		},
		"revisions of several sources": {
			application: manualTwoSources,
			request:     gitops.SyncRequest{Revisions: []string{"", "v1"}},
			want: `
revisions: [main, v1]
sources: [{repoURL: "file:///srv/charts", targetRevision: main, path: a}, {repoURL: "file:///srv/values", ref: values, targetRevision: v1}]`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app := createApplication(t, c, own, "a")
			defer func() { require.NoError(t, c.Delete(t.Context(), app.obj)) }()
			app.patch(t, `spec: {syncPolicy: {syncOptions: null}}`)
			if test.application != "" {
				app.patch(t, test.application)
			}
			require.NoError(t, argocd.Sync(t.Context(), "a", test.request))
			want := map[string]any{}
			require.NoError(t, yaml.Unmarshal([]byte(test.want), &want))
			if diff := cmp.Diff(want, app.read(t, "operation", "sync")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSyncRefuses(t *testing.T) {
	c := kube(t)
	install(t, c, argoCDModule, argoCDCRDs...)
	own, projects := namespace(t, c), namespace(t, c)
	argocd := gitops.NewClient(c, gitops.ClientOptions{Namespace: own, ProjectNamespace: projects})
	project := func(name, windows string) {
		obj, err := gitops.AppProject{
			Name: name, Namespace: projects, SourceRepos: []string{"*"}, Destinations: []gitops.Destination{{Server: "*", Namespace: "*"}},
		}.Build()
		require.NoError(t, err)
		require.NoError(t, c.Create(t.Context(), obj))
		controlled{client: c, obj: obj}.patch(t, `spec: {syncWindows: [`+windows+`]}`)
	}
	project("closed", `{kind: deny, schedule: "* * * * *", duration: 1h, applications: ["*"]}`)
	project("on-request", `{kind: deny, schedule: "* * * * *", duration: 1h, applications: ["*"], manualSync: true}`)
	project("faulty", `{kind: deny, schedule: "every day", duration: 1h, applications: ["*"]}`)
	tests := map[string]struct {
		application string
		request     gitops.SyncRequest
		// Exactly one of the following; none permits the sync.
		reason gitops.RefusalReason
		faults []string
	}{
		"another revision than the automation's":     {request: gitops.SyncRequest{Revision: "other"}, reason: gitops.RefusedAutomated},
		"the automation's revision by its name":      {request: gitops.SyncRequest{Revision: "HEAD"}},
		"another revision of one of the sources":     {application: twoSources, request: gitops.SyncRequest{Revisions: []string{"main", "v1"}}, reason: gitops.RefusedAutomated},
		"the automation's revisions of the sources":  {application: twoSources, request: gitops.SyncRequest{Revisions: []string{"main", "HEAD"}}},
		"a closed sync window":                       {application: `spec: {project: closed}`, reason: gitops.RefusedSyncWindow},
		"even a dry run in it":                       {application: `spec: {project: closed}`, request: gitops.SyncRequest{DryRun: true}, reason: gitops.RefusedSyncWindow},
		"a window that permits syncs on request":     {application: `spec: {project: on-request}`},
		"a window that cannot be read":               {application: `spec: {project: faulty}`, reason: gitops.RefusedSyncWindow},
		"a project that does not exist is Argo CD's": {application: `spec: {project: none}`},
		"an Application that is being deleted":       {application: `metadata: {finalizers: [example.com/keep], labels: {deleting: "true"}}`, reason: gitops.RefusedDeleting},
		"one revision for several sources":           {application: twoSources, request: gitops.SyncRequest{Revision: "main"}, faults: []string{"revision"}},
		"revisions for one source":                   {request: gitops.SyncRequest{Revisions: []string{"main"}}, faults: []string{"revisions"}},
		"too few revisions":                          {application: twoSources, request: gitops.SyncRequest{Revisions: []string{"main"}}, faults: []string{"revisions"}},
		"every fault of the request at once": {
			request: gitops.SyncRequest{
				Revision: "main", Revisions: []string{"main"}, Options: []string{"Prune", "A=1", "A=2"},
				Resources: []gitops.Resource{{Name: "d"}, {Kind: "ConfigMap"}, {Kind: "ConfigMap"}},
			},
			faults: []string{
				"revisions", "resources[0].kind", "resources[1].name", "resources[2].name", "resources[2]", "options[0]", "options[2]",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app := createApplication(t, c, own, "a")
			defer func() { require.NoError(t, client.IgnoreNotFound(c.Delete(t.Context(), app.obj))) }()
			defer setFinalizers(t, app, nil)
			if test.application != "" {
				app.patch(t, test.application)
			}
			if app.obj.GetLabels()["deleting"] != "" {
				require.NoError(t, c.Delete(t.Context(), app.obj))
			}
			err := argocd.Sync(t.Context(), "a", test.request)
			var refused *gitops.SyncRefusedError
			switch {
			case test.reason != "":
				require.ErrorAs(t, err, &refused)
				require.Equal(t, test.reason, refused.Reason)
			case test.faults != nil:
				require.Equal(t, test.faults, faultPaths(t, err))
			default:
				require.NoError(t, err)
				return
			}
			require.Nil(t, app.read(t, "operation"))
		})
	}
}

// The sync windows decide as Argo CD's own code does, for projects and Applications at random.
func TestSyncWindowsDecideAsInArgoCD(t *testing.T) {
	logrus.SetLevel(logrus.ErrorLevel)
	t.Cleanup(func() { logrus.SetLevel(logrus.InfoLevel) })
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	patterns := func() []string {
		return map[string][]string{
			"none": nil, "all": {"*"}, "web": {"web"}, "prefix": {"db-*", "we*"}, "faulty": {"[", "w?b"}, "url": {"https://*", "in-*"},
		}[pick("none", "none", "all", "web", "prefix", "faulty", "url")]
	}
	permitted, refused, faulty := 0, 0, 0
	for range 20000 {
		var upstream appv1.SyncWindows
		var own argoapp.Project
		for range random.IntN(4) {
			window := appv1.SyncWindow{
				Kind: pick("allow", "deny"), Schedule: pick("* * * * *", "0 0 1 1 *", "0 */2 * * *", "0 12 * * MON-FRI", "0 0 30 2 *", "nonsense"),
				Duration: pick("1h", "13h", "90m"), TimeZone: pick("", "Asia/Tokyo", "America/St_Johns", "Nowhere/None"),
				Applications: patterns(), Namespaces: patterns(), Clusters: patterns(), ManualSync: random.IntN(2) == 0,
			}
			if random.IntN(10) > 0 && window.Schedule == "nonsense" {
				window.Schedule = "* * * * *"
			}
			upstream = append(upstream, &window)
			own.Spec.SyncWindows = append(own.Spec.SyncWindows, argoapp.SyncWindow{
				Kind: window.Kind, Schedule: window.Schedule, Duration: window.Duration, TimeZone: window.TimeZone,
				Applications: window.Applications, Namespaces: window.Namespaces, Clusters: window.Clusters, ManualSync: window.ManualSync,
			})
		}
		destination := appv1.ApplicationDestination{Namespace: pick("web", "db-1", ""), Server: pick("", "https://example.com")}
		if destination.Server == "" {
			destination.Name = pick("", "in-cluster")
		}
		app := appv1.Application{ObjectMeta: metav1.ObjectMeta{Name: pick("web", "db-1")}, Spec: appv1.ApplicationSpec{Destination: destination}}
		want, wantErr := upstream.Matches(&app).CanSync(true)
		blocking, err := own.BlockingWindows(argoapp.Application{
			Metadata: argoapp.Metadata{Name: app.Name},
			Spec: argoapp.Spec{Destination: argoapp.Destination{
				Server: destination.Server, Name: destination.Name, Namespace: destination.Namespace,
			}},
		}, time.Now())
		description := fmt.Sprintf("%+v of %+v: %v, %v", own, app.Spec.Destination, wantErr, err)
		require.Equal(t, wantErr == nil, err == nil, description)
		switch {
		case wantErr != nil:
			faulty++
		case want:
			permitted++
			require.Empty(t, blocking, description)
		default:
			refused++
			require.NotEmpty(t, blocking, description)
		}
	}
	t.Logf("%d permitted, %d refused, %d faulty", permitted, refused, faulty)
	require.Greater(t, min(permitted, refused, faulty), 100)
}
