package conformance_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	argocd "github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/util/argo"
	enginesync "github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/gitops-engine/pkg/sync/resource"
	"github.com/argoproj/gitops-engine/pkg/sync/syncwaves"
	enginekube "github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
)

const argoCDPrefix = "argocd.argoproj.io/"

// annotationValues holds what Argo CD understands, what it ignores, and what is just beside.
var annotationValues = map[string][]string{
	argoCDPrefix + "sync-wave": {"0", "1", "-1", "+2", "007", " 1", "1.5", "one", "", "99999999999999999999"},
	argoCDPrefix + "hook": {
		"PreSync", "Sync", "PostSync", "SyncFail", "Skip", "Skip,PreSync", "PreSync, PostSync ,PreSync",
		"presync", "PreSync,presync", "", ",", "PostDelete", "PreDelete,Sync",
	},
	argoCDPrefix + "hook-delete-policy": {
		"HookSucceeded", "HookFailed, BeforeHookCreation", "OnSuccess", "HookFailed,OnSuccess", "",
	},
	argoCDPrefix + "sync-options": {
		"Prune=false", "Prune=false, Validate=false", "Replace=true,,Force=true", "replace=true", "ServerSideApply=false", "",
	},
	"helm.sh/hook": {
		"pre-install", "pre-install,pre-upgrade", "post-upgrade", "crd-install", "test", "pre-rollback", "post-delete",
		"pre-install,post-install", "",
	},
	"helm.sh/hook-weight":        {"5", "-5", "heavy", ""},
	"helm.sh/hook-delete-policy": {"hook-succeeded", "before-hook-creation,hook-failed", "never"},
}

// randomAnnotations returns one in two of the annotations.
func randomAnnotations(random *rand.Rand) map[string]string {
	out := map[string]string{}
	for _, key := range []string{
		argoCDPrefix + "sync-wave", argoCDPrefix + "hook", argoCDPrefix + "hook-delete-policy", argoCDPrefix + "sync-options",
		"helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy",
	} {
		if values := annotationValues[key]; random.IntN(2) == 0 {
			out[key] = values[random.IntN(len(values))]
		}
	}
	return out
}

// An object with any annotations has the wave, the hook and the options that Argo CD's engine reads.
func TestAnnotationsAreReadAsArgoCDReadsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for range 20_000 {
		obj := &unstructured.Unstructured{Object: map[string]any{}}
		obj.SetAnnotations(randomAnnotations(random))

		wave, _ := gitops.SyncWave(obj)
		require.Equal(t, syncwaves.Wave(obj), wave, "%v", obj.GetAnnotations())

		got, _ := gitops.HookOf(obj)
		phases := slices.DeleteFunc(got.Phases, func(phase gitops.HookPhase) bool {
			return phase == gitops.PreDelete || phase == gitops.PostDelete
		})
		require.Equal(t, namesOf(hook.Types(obj)), namesOf(phases), "%v", obj.GetAnnotations())
		if hook.IsHook(obj) {
			seen["hooks"]++
			require.Equal(t, namesOf(hook.DeletePolicies(obj)), namesOf(got.DeletePolicies), "%v", obj.GetAnnotations())
		}

		options, _ := gitops.SyncOptions(obj)
		for _, option := range []gitops.SyncOption{
			gitops.OptionNoPrune, gitops.OptionNoValidation, gitops.OptionReplace, gitops.OptionForce, gitops.OptionClientSideApply,
		} {
			upstream := resource.HasAnnotationOption(obj, common.AnnotationSyncOptions, string(option))
			require.Equal(t, upstream, slices.Contains(options, option), "%v", obj.GetAnnotations())
			if upstream {
				seen["options"]++
			}
		}
	}
	require.Greater(t, seen["hooks"], 1000)
	require.Greater(t, seen["options"], 1000)
}

// namesOf sorts: the engine's order is random, and it repeats what two of Helm's hooks mean.
func namesOf[T ~string](values []T) []string {
	out := []string{}
	for _, value := range values {
		out = append(out, string(value))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// What Backbone writes is what Argo CD writes and understands.
func TestTrackingIsThatOfArgoCD(t *testing.T) {
	const destination = "production"
	for name, test := range map[string]struct{ application, apiVersion, kind, namespace, name string }{
		"core":                  {"argocd", "v1", "ConfigMap", "shop", "settings"},
		"no namespace":          {"argocd", "apps/v1", "Deployment", "", "web"},
		"cluster-scoped":        {"argocd", "rbac.authorization.k8s.io/v1", "ClusterRole", "", "system:web"},
		"any other namespace's": {"team", "apps/v1", "Deployment", "shop", "web"},
	} {
		t.Run(name, func(t *testing.T) {
			obj := &unstructured.Unstructured{Object: map[string]any{}}
			obj.SetAPIVersion(test.apiVersion)
			obj.SetKind(test.kind)
			obj.SetNamespace(test.namespace)
			obj.SetName(test.name)
			application := argocd.Application{}
			application.Namespace, application.Name = test.application, "app"

			upstream := obj.DeepCopy()
			tracker := argo.NewResourceTracking()
			instance := application.InstanceName("argocd")
			require.NoError(t, tracker.SetAppInstance(upstream, "", instance, destination, argo.TrackingMethodAnnotation, ""))
			gitops.SetTracking(obj, gitops.TrackingOf(client.ObjectKeyFromObject(&application), "", destination, obj))
			require.Equal(t, upstream, obj)

			parsed, err := tracker.ParseAppInstanceValue(obj.GetAnnotations()[argoCDPrefix+"tracking-id"])
			require.NoError(t, err)
			read, err := gitops.ReadTracking(obj)
			require.NoError(t, err)
			require.Equal(t, *parsed, argo.AppInstanceValue{
				ApplicationName: read.Application, Group: read.Group, Kind: read.Kind, Namespace: read.Namespace, Name: read.Name,
			})
		})
	}
}

// The order of random sets, with Namespaces and CustomResourceDefinitions at the wrong place, is that of Argo CD's
// engine. It tells the order in its log.
func TestSyncOrderIsThatOfArgoCD(t *testing.T) {
	kube(t)
	random := rand.New(rand.NewPCG(3, 4))
	steps := 0
	for range 60 {
		objects := randomSet(random)
		var got []string
		for _, step := range gitops.SyncOrder(objects...) {
			steps++
			for _, obj := range step.Objects {
				got = append(got, fmt.Sprintf("%s/%d %s/%s", step.Phase, step.Wave, obj.GetKind(), obj.GetName()))
			}
		}
		require.Equal(t, engineOrder(t, objects), got)
	}
	require.Greater(t, steps, 200)
}

var orderedKinds = []struct{ apiVersion, kind string }{
	{"v1", "ConfigMap"}, {"v1", "Secret"}, {"v1", "ServiceAccount"}, {"v1", "Service"}, {"v1", "PersistentVolumeClaim"},
	{"apps/v1", "Deployment"}, {"apps/v1", "StatefulSet"}, {"batch/v1", "Job"}, {"batch/v1", "CronJob"},
	{"rbac.authorization.k8s.io/v1", "Role"}, {"rbac.authorization.k8s.io/v1", "RoleBinding"},
	{"networking.k8s.io/v1", "NetworkPolicy"}, {"networking.k8s.io/v1", "Ingress"}, {"autoscaling/v2", "HorizontalPodAutoscaler"},
	{"v1", "Namespace"}, {"apiextensions.k8s.io/v1", "CustomResourceDefinition"},
	{"ordered.example.com/v1", "Widget"}, {"ordered.example.com/v1", "Gadget"},
}

// randomSet returns objects whose names differ, so that their order is determined.
func randomSet(random *rand.Rand) []*unstructured.Unstructured {
	namespaces := []string{"ordered-a", "ordered-b", "ordered-c"}
	objects := []*unstructured.Unstructured{customResource("Widget"), customResource("Gadget")}
	for _, name := range namespaces[:2] {
		objects = append(objects, orderedObject("v1", "Namespace", "", name))
	}
	for i := range 12 {
		kind := orderedKinds[random.IntN(len(orderedKinds))]
		if kind.kind == "Namespace" || kind.kind == "CustomResourceDefinition" {
			continue
		}
		namespace := namespaces[random.IntN(len(namespaces))]
		objects = append(objects, orderedObject(kind.apiVersion, kind.kind, namespace, fmt.Sprintf("o-%d-%d", random.IntN(1000), i)))
	}
	for _, obj := range objects {
		annotations := map[string]string{}
		for key, value := range randomAnnotations(random) {
			// The engine fails on kinds whose definition no sync applies.
			if obj.GetKind() != "CustomResourceDefinition" || !strings.HasSuffix(key, "/hook") {
				annotations[key] = value
			}
		}
		obj.SetAnnotations(annotations)
	}
	random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
	return objects
}

func orderedObject(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetAPIVersion(apiVersion)
	obj.SetKind(kind)
	obj.SetNamespace(namespace)
	obj.SetName(name)
	return obj
}

func customResource(kind string) *unstructured.Unstructured {
	plural := strings.ToLower(kind) + "s"
	obj := orderedObject("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", plural+".ordered.example.com")
	obj.Object["spec"] = map[string]any{"group": "ordered.example.com", "names": map[string]any{"kind": kind, "plural": plural}}
	return obj
}

var taskPattern = regexp.MustCompile(`(\w+)/(-?\d+) (?:hook|resource) [^/ ]*/(\w+):[^/ ]*/(\S+) nil->obj`)

// engineOrder returns the tasks of a dry run in the engine's order.
func engineOrder(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var tasks string
	config := shared.cluster.Config()
	kubectl := &enginekube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NewLoggingTracer(logr.Discard())}
	reconciled := enginesync.Reconcile(objects, nil, "", everythingNamespaced{})
	run, cleanup, err := enginesync.NewSyncContext("", reconciled, config, config, kubectl, "", nil,
		enginesync.WithLogr(logr.New(taskLog{tasks: &tasks})),
		enginesync.WithOperationSettings(true, false, false, false),
		enginesync.WithManifestValidation(false))
	require.NoError(t, err)
	defer cleanup()
	run.Sync()
	_, message, _ := run.GetState()
	require.NotEmpty(t, tasks, "%s", message)
	var order []string
	for _, match := range taskPattern.FindAllStringSubmatch(tasks, -1) {
		order = append(order, fmt.Sprintf("%s/%s %s/%s", match[1], match[2], match[3], match[4]))
	}
	return order
}

type everythingNamespaced struct{}

func (everythingNamespaced) IsNamespaced(schema.GroupKind) (bool, error) { return true, nil }

// taskLog keeps the sorted tasks that the engine logs before a dry run.
type taskLog struct {
	values []any
	tasks  *string
}

func (l taskLog) Init(logr.RuntimeInfo)        {}
func (l taskLog) Enabled(int) bool             { return true }
func (l taskLog) Error(error, string, ...any)  {}
func (l taskLog) WithName(string) logr.LogSink { return l }

func (l taskLog) WithValues(values ...any) logr.LogSink {
	return taskLog{values: slices.Concat(l.values, values), tasks: l.tasks}
}

func (l taskLog) Info(_ int, message string, _ ...any) {
	if message == "Tasks (dry-run)" {
		*l.tasks = fmt.Sprint(l.values...)
	}
}

// migration is a Job before the sync that runs under a ServiceAccount of its own.
func migration(t *testing.T) (job, account *unstructured.Unstructured) {
	t.Helper()
	account = orderedObject("v1", "ServiceAccount", "", "migrator")
	job = orderedObject("batch/v1", "Job", "", "migrate")
	job.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{
		"serviceAccountName": "migrator",
		"restartPolicy":      "Never",
		"containers":         []any{map[string]any{"name": "migrate", "image": "redis:7.2.11-alpine", "command": []any{"true"}}},
	}}}
	require.NoError(t, gitops.SetHook(job, gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync}}))
	return job, account
}

// An order that the check complains about stalls the sync of the real Argo CD; the corrected one succeeds.
func TestAWrongOrderStallsTheSync(t *testing.T) {
	c := liveKube(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	argocd := gitops.NewClient(c, gitops.ClientOptions{})

	job, account := migration(t)
	findings := gitops.CheckOrder(job, account)
	require.Len(t, findings, 1)
	require.Equal(t, "GITOPS107", findings[0].Code)
	stalled := deploy(t, ctx, c, "stalled", job, account)
	// The Job's controller has tried, and nothing has come of it.
	require.Eventually(t, func() bool {
		var events corev1.EventList
		require.NoError(t, c.List(ctx, &events, client.InNamespace(stalled)))
		return slices.ContainsFunc(events.Items, func(event corev1.Event) bool {
			return event.InvolvedObject.Kind == "Job" && event.Reason == "FailedCreate" && strings.Contains(event.Message, "migrator")
		})
	}, time.Minute, 100*time.Millisecond)
	status, err := argocd.Get(ctx, "stalled")
	require.NoError(t, err)
	require.Equal(t, gitops.PhaseRunning, status.Operation.Phase)
	err = c.Get(ctx, client.ObjectKey{Namespace: stalled, Name: "migrator"}, &corev1.ServiceAccount{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	job, account = migration(t)
	require.NoError(t, gitops.SetHook(account, gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync}}))
	gitops.SetSyncWave(account, -1)
	require.Empty(t, gitops.CheckOrder(job, account))
	deploy(t, ctx, c, "corrected", job, account)
	statuses, err := argocd.Wait(ctx, []string{"corrected"}, gitops.OperationDone())
	require.NoError(t, err)
	require.Equal(t, gitops.PhaseSucceeded, statuses[0].Operation.Phase)
}

// deploy makes an Application of the objects, which goes to a namespace of its own, and deletes it afterwards.
func deploy(t *testing.T, ctx context.Context, c client.WithWatch, name string, objects ...*unstructured.Unstructured) string {
	t.Helper()
	repo := repository{dir: t.TempDir()}
	repo.git(t, "init", "--quiet", "--initial-branch", "main")
	// Hooks alone are never out of sync, so that no automated sync would begin.
	objects = append(objects, orderedObject("v1", "ConfigMap", "", "settings"))
	for _, obj := range objects {
		manifest, err := yaml.Marshal(obj)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(repo.dir, obj.GetName()+".yaml"), manifest, 0o644))
	}
	repo.git(t, "add", ".")
	repo.git(t, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", name)
	destination := namespace(t, c)
	app, err := gitops.Application{
		Name: name, Namespace: "argocd", Project: "default",
		Sources:     []gitops.Source{{RepoURL: "file://" + repo.dir, Revision: "main", Path: "."}},
		Destination: gitops.Destination{Namespace: destination},
	}.Build()
	require.NoError(t, err)
	require.NoError(t, gitops.NewClient(c, gitops.ClientOptions{}).Apply(ctx, app))
	t.Cleanup(func() { require.NoError(t, c.Delete(context.Background(), app)) })
	return destination
}
