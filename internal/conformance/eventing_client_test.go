package conformance_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
)

// shortly is a deadline for what must not happen.
const shortly = 500 * time.Millisecond

// soon is a deadline for what must happen.
const soon = 10 * time.Second

// patchStatus acts as the controller of an object.
func patchStatus(t *testing.T, c client.Client, obj *unstructured.Unstructured, status map[string]any) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"status": status})
	require.NoError(t, err)
	require.NoError(t, c.Status().Patch(t.Context(), obj, client.RawPatch(types.MergePatchType, patch)))
}

func conditions(entries ...eventing.Condition) map[string]any {
	list := make([]any, 0, len(entries))
	for _, entry := range entries {
		list = append(list, map[string]any{
			"type": entry.Type, "status": entry.Status, "reason": entry.Reason, "message": entry.Message,
		})
	}
	return map[string]any{"conditions": list}
}

// requireNotReady waits for a short while and compares what was missing.
func requireNotReady(t *testing.T, events *eventing.Client, kind eventing.Kind, key client.ObjectKey, want ...eventing.Condition) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	err := events.WaitReady(ctx, kind, key)
	var failure *eventing.NotReadyError
	require.ErrorAs(t, err, &failure)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, kind, failure.Kind)
	require.Equal(t, key, failure.Key)
	if diff := cmp.Diff(want, failure.Failing); diff != "" {
		t.Errorf("failing conditions (-want +got):\n%s", diff)
	}
	for _, condition := range want {
		require.ErrorContains(t, err, condition.String())
	}
}

func requireReady(t *testing.T, events *eventing.Client, kind eventing.Kind, key client.ObjectKey) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	require.NoError(t, events.WaitReady(ctx, kind, key))
}

func TestWaitReadyForAnEventBus(t *testing.T) {
	c := kube(t)
	installArgoEvents(t, c)
	events := eventing.NewClient(c, eventing.ClientOptions{})
	bus := eventing.EventBus{Namespace: namespace(t, c), Bus: eventing.JetStreamExotic{URL: "nats://nats:4222"}}
	key := client.ObjectKey{Namespace: bus.Namespace, Name: eventing.DefaultEventBusName}

	requireNotReady(t, events, eventing.EventBusKind, key,
		eventing.Condition{Type: eventing.ConditionExists, Status: "False", Message: "there is no such object"})

	obj, err := bus.Build()
	require.NoError(t, err)
	require.NoError(t, events.Apply(t.Context(), obj))
	requireNotReady(t, events, eventing.EventBusKind, key,
		eventing.Condition{Type: eventing.ConditionExists, Status: "True", Reason: "NoStatus", Message: "no controller has seen the object"})

	deployed := eventing.Condition{Type: "Deployed", Status: "True", Reason: "Skipped"}
	invalid := eventing.Condition{Type: "Configured", Status: "False", Reason: "InvalidSpec", Message: "the url is missing"}
	patchStatus(t, c, obj, conditions(deployed, invalid))
	requireNotReady(t, events, eventing.EventBusKind, key, invalid)

	configured := eventing.Condition{Type: "Configured", Status: "True"}
	status := conditions(deployed, configured)
	status["config"] = map[string]any{"jetstream": map[string]any{"url": "nats://earlier:4222"}}
	patchStatus(t, c, obj, status)
	requireNotReady(t, events, eventing.EventBusKind, key,
		eventing.Condition{Type: eventing.ConditionCurrent, Status: "False", Reason: "Outdated", Message: "the status carries an earlier configuration"})

	ready := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	go func() { ready <- events.WaitReady(ctx, eventing.EventBusKind, key) }()
	spec, _, err := unstructured.NestedMap(obj.Object, "spec", "jetstreamExotic")
	require.NoError(t, err)
	status["config"] = map[string]any{"jetstream": spec}
	patchStatus(t, c, obj, status)
	require.NoError(t, <-ready, "a change must end the wait")
}

func TestWaitReadyForASensorSeesItsPods(t *testing.T) {
	c := kube(t)
	installArgoEvents(t, c)
	events := eventing.NewClient(c, eventing.ClientOptions{})
	sensor := eventing.Sensor{
		Name: "sync", Namespace: namespace(t, c),
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
		Triggers:     []eventing.SensorTrigger{{Name: "sync", Trigger: eventing.ArgoCDTrigger{Application: "shop"}}},
	}
	live := applySensor(t, c, events, sensor)
	key := client.ObjectKeyFromObject(live)
	patchStatus(t, c, live, conditions(
		eventing.Condition{Type: "DependenciesProvided", Status: "True"},
		eventing.Condition{Type: "TriggersProvided", Status: "True"},
		eventing.Condition{Type: "Deployed", Status: "True"},
	))
	requireRollout(t, events, key, "NoDeployment", "the controller has not created a Deployment")

	foreign := sensorDeployment(t, live, "foreign")
	foreign.OwnerReferences = nil
	require.NoError(t, c.Create(t.Context(), foreign))
	requireRollout(t, events, key, "NoDeployment", "the controller has not created a Deployment")

	// From here on the real Deployment controller reports.
	deployment := sensorDeployment(t, live, "sync-sensor")
	deployment.Spec.Template.Spec.ServiceAccountName = "sync-sensor"
	require.NoError(t, c.Create(t.Context(), deployment))
	requireRollout(t, events, key, "Unavailable", `serviceaccount "sync-sensor" not found`)
	require.NoError(t, c.Delete(t.Context(), deployment))
	deployment = sensorDeployment(t, live, "sync-sensor")
	require.NoError(t, c.Create(t.Context(), deployment))
	requireRollout(t, events, key, "Unavailable", "Deployment sync-sensor: 0 of 1 pods are available")
	patchDeployment(t, c, deployment, `{"spec":{"replicas":0}}`)
	requireReady(t, events, eventing.SensorKind, key)

	// The conditions stay true when the spec changes: only the pods tell.
	sensor.Triggers[0].Trigger = eventing.ArgoCDTrigger{Application: "bank"}
	live = applySensor(t, c, events, sensor)
	requireRollout(t, events, key, "Outdated", "Deployment sync-sensor carries an earlier spec")
	updated, err := json.Marshal(sensorDeployment(t, live, "sync-sensor").Spec.Template.Spec.Containers)
	require.NoError(t, err)
	patchDeployment(t, c, deployment, `{"spec":{"template":{"spec":{"containers":`+string(updated)+`}}}}`)
	requireReady(t, events, eventing.SensorKind, key)
}

// applySensor applies the sensor and returns the live object.
func applySensor(t *testing.T, c client.Client, events *eventing.Client, sensor eventing.Sensor) *unstructured.Unstructured {
	t.Helper()
	obj, err := sensor.Build()
	require.NoError(t, err)
	require.NoError(t, events.Apply(t.Context(), obj))
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
	return obj
}

// requireRollout waits until the sensor is unready because of its pods, for the
// reason given.
func requireRollout(t *testing.T, events *eventing.Client, key client.ObjectKey, reason, message string) {
	t.Helper()
	var last error
	reported := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), shortly)
		defer cancel()
		last = events.WaitReady(ctx, eventing.SensorKind, key)
		var failure *eventing.NotReadyError
		require.ErrorAs(t, last, &failure)
		require.Len(t, failure.Failing, 1)
		condition := failure.Failing[0]
		return condition.Type == eventing.ConditionRolledOut && condition.Reason == reason && strings.Contains(condition.Message, message)
	}
	for deadline := time.Now().Add(soon); !reported(); {
		require.True(t, time.Now().Before(deadline), "want %s (%s), got %v", reason, message, last)
	}
}

func patchDeployment(t *testing.T, c client.Client, deployment *appsv1.Deployment, patch string) {
	t.Helper()
	require.NoError(t, c.Patch(t.Context(), deployment, client.RawPatch(types.MergePatchType, []byte(patch))))
}

func TestWaitReadyReturnsARefusalAtOnce(t *testing.T) {
	c := kube(t)
	installArgoEvents(t, c)
	config := shared.cluster.Config()
	config.Impersonate.UserName = "nobody"
	stranger, err := client.NewWithWatch(config, client.Options{})
	require.NoError(t, err)
	err = eventing.NewClient(stranger, eventing.ClientOptions{}).WaitReady(t.Context(), eventing.SensorKind, client.ObjectKey{Namespace: "default", Name: "sync"})
	require.True(t, apierrors.IsForbidden(err), "got %v", err)
}

// sensorDeployment is what upstream's controller makes for a sensor.
// argo-events: buildDeployment in pkg/reconciler/sensor/resource.go
func sensorDeployment(t *testing.T, sensor *unstructured.Unstructured, name string) *appsv1.Deployment {
	t.Helper()
	var typed v1alpha1.Sensor
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(sensor.Object, &typed))
	encoded, err := json.Marshal(&v1alpha1.Sensor{
		ObjectMeta: metav1.ObjectMeta{Namespace: typed.Namespace, Name: typed.Name},
		Spec:       typed.Spec,
	})
	require.NoError(t, err)
	labels := map[string]string{"controller": "sensor-controller", "sensor-name": typed.Name, "owner-name": typed.Name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: typed.Namespace, Name: name, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(&typed, v1alpha1.SensorGroupVersionKind)},
		},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "main", Image: "argo-events",
					Env: []corev1.EnvVar{{Name: v1alpha1.EnvVarSensorObject, Value: base64.StdEncoding.EncodeToString(encoded)}},
				}}},
			},
		},
	}
}
