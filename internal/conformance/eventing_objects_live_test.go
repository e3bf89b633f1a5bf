package conformance_test

import (
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	standardk8s "github.com/argoproj/argo-events/pkg/sensors/triggers/standard-k8s"
	"github.com/argoproj/argo-events/pkg/shared/logging"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/conformance"
)

// fire runs upstream's own code for an object trigger against the API server, as
// the account of Sensor.RBAC.
func fire(t *testing.T, home string, trigger eventing.ObjectTrigger) error {
	t.Helper()
	c := kube(t)
	sensor := eventing.Sensor{
		Name: "fire", Namespace: home,
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
		Triggers:     []eventing.SensorTrigger{{Name: "object", Trigger: trigger}},
	}
	rights, err := sensor.RBAC()
	require.NoError(t, err)
	require.NoError(t, eventing.NewClient(c, eventing.ClientOptions{}).Apply(t.Context(), rights...))
	obj, err := sensor.Build()
	require.NoError(t, err)
	typed := &v1alpha1.Sensor{}
	conformance.Strict(t, obj, typed)
	return execute(t, home, typed)
}

func execute(t *testing.T, home string, sensor *v1alpha1.Sensor) error {
	t.Helper()
	config := shared.cluster.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + home + ":fire-sensor"}
	kubernetesClient, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	dynamicClient, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	upstream := standardk8s.NewStandardK8sTrigger(kubernetesClient, dynamicClient, sensor, &sensor.Spec.Triggers[0], logging.NewArgoEventsLogger())
	resource, err := upstream.FetchResource(t.Context())
	if err != nil {
		return err
	}
	events := map[string]*v1alpha1.Event{"push": event(`{"body":{"ref":"main"}}`)}
	resource, err = upstream.ApplyResourceParameters(events, resource)
	require.NoError(t, err)
	result, err := upstream.Execute(t.Context(), events, resource)
	if err != nil {
		return err
	}
	return upstream.ApplyPolicy(t.Context(), result)
}

// Every operation works with the least rights, and does what it says.
func TestObjectTriggersDoWhatTheyAreDocumentedToDo(t *testing.T) {
	c := kube(t)
	ref := []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "body.ref"}, To: "data.ref"}}
	named := func(namespace string, data map[string]any) *unstructured.Unstructured {
		obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
		obj.SetNamespace(namespace)
		obj.SetName("push")
		if data != nil {
			obj.Object["data"] = data
		}
		return obj
	}
	impatient := &eventing.Retry{Attempts: 1, Pause: time.Millisecond}
	tests := map[string]struct {
		// live is in the API server before, with this data and the label seen.
		live    map[string]any
		trigger func(namespace string) eventing.ObjectTrigger
		want    map[string]any
		fails   func(error) bool
	}{
		"create makes the object": {
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Object: named(ns, nil), Parameters: ref}
			},
			want: map[string]any{"ref": "main"},
		},
		"create fails on an object that is there": {
			live:    map[string]any{"a": "1"},
			trigger: func(ns string) eventing.ObjectTrigger { return eventing.ObjectTrigger{Object: named(ns, nil)} },
			want:    map[string]any{"a": "1"},
			fails:   apierrors.IsAlreadyExists,
		},
		"update merges into the live object": {
			live: map[string]any{"a": "1", "b": "1"},
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Update, Object: named(ns, map[string]any{"b": "2"}), Parameters: ref}
			},
			want: map[string]any{"a": "1", "b": "2", "ref": "main"},
		},
		"update starts from the live object": {
			live: map[string]any{"a": "1"},
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Update, Live: true, Object: named(ns, nil), Parameters: ref}
			},
			want: map[string]any{"a": "1", "ref": "main"},
		},
		"update may not create": {
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Update, Object: named(ns, nil)}
			},
			fails: apierrors.IsForbidden,
		},
		"update may create with a permission": {
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Update, Object: named(ns, nil), Parameters: ref, Permissions: []eventing.Permission{
					{Namespace: ns, Resource: "configmaps", Verbs: []string{"create"}},
				}}
			},
			want: map[string]any{"ref": "main"},
		},
		"patch merges": {
			live: map[string]any{"a": "1"},
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Patch, Object: named(ns, map[string]any{"b": "2"})}
			},
			want: map[string]any{"a": "1", "b": "2"},
		},
		"patch merges strategically": {
			live: map[string]any{"a": "1"},
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{
					Operation: eventing.Patch, PatchStrategy: eventing.StrategicMergePatch, Object: named(ns, map[string]any{"b": "2"}),
				}
			},
			want: map[string]any{"a": "1", "b": "2"},
		},
		"patch may not create": {
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Patch, Object: named(ns, nil)}
			},
			fails: apierrors.IsForbidden,
		},
		"delete deletes": {
			live: map[string]any{"a": "1"},
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Delete, Object: named(ns, nil)}
			},
		},
		"delete is content with nothing": {
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Delete, Object: named(ns, nil)}
			},
		},
		"the labels are there": {
			live: map[string]any{"a": "1"},
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Operation: eventing.Patch, Object: named(ns, nil), Until: &eventing.Until{Labels: map[string]string{"seen": "true"}, Retry: impatient}}
			},
			want: map[string]any{"a": "1"},
		},
		"the labels do not appear": {
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Object: named(ns, nil), Parameters: ref, Until: &eventing.Until{Labels: map[string]string{"seen": "true"}, Retry: impatient}}
			},
			want:  map[string]any{"ref": "main"},
			fails: func(err error) bool { return err != nil },
		},
		"the labels do not appear, and need not": {
			trigger: func(ns string) eventing.ObjectTrigger {
				return eventing.ObjectTrigger{Object: named(ns, nil), Parameters: ref, Until: &eventing.Until{
					Labels: map[string]string{"seen": "true"}, Retry: impatient, IgnoreTimeout: true,
				}}
			},
			want: map[string]any{"ref": "main"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			home, target := namespace(t, c), namespace(t, c)
			if test.live != nil {
				live := named(target, test.live)
				live.SetLabels(map[string]string{"seen": "true"})
				require.NoError(t, c.Create(t.Context(), live))
			}
			err := fire(t, home, test.trigger(target))
			if test.fails == nil {
				require.NoError(t, err)
			} else {
				require.True(t, test.fails(err), "got %v", err)
			}
			got := named(target, nil)
			err = c.Get(t.Context(), client.ObjectKeyFromObject(got), got)
			if test.want == nil {
				require.True(t, apierrors.IsNotFound(err), "got %v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got.Object["data"])
		})
	}
}

// The builder refuses the strategies that cannot work upstream.
func TestUpstreamCannotSendOtherPatches(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	for _, strategy := range []string{"application/json-patch+json", "application/apply-patch+yaml"} {
		t.Run(strategy, func(t *testing.T) {
			obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
			obj.SetNamespace(home)
			obj.SetName("push")
			require.NoError(t, client.IgnoreAlreadyExists(c.Create(t.Context(), obj.DeepCopy())))
			trigger := eventing.ObjectTrigger{Operation: eventing.Patch, Object: obj}
			require.NoError(t, fire(t, home, trigger))
			built, err := eventing.Sensor{
				Name: "fire", Namespace: home,
				Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
				Triggers:     []eventing.SensorTrigger{{Name: "object", Trigger: trigger}},
			}.Build()
			require.NoError(t, err)
			typed := &v1alpha1.Sensor{}
			conformance.Strict(t, built, typed)
			typed.Spec.Triggers[0].Template.K8s.PatchStrategy = types.PatchType(strategy)
			require.Error(t, execute(t, home, typed))
		})
	}
}
