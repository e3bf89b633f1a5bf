package eventing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/golden"
)

func sensorOf(triggers ...eventing.Trigger) eventing.Sensor {
	sensor := eventing.Sensor{
		Name:         "shop",
		Namespace:    "events",
		Labels:       map[string]string{"owner": "platform"},
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
	}
	for i, trigger := range triggers {
		sensor.Triggers = append(sensor.Triggers, eventing.SensorTrigger{Name: string(rune('a' + i)), Trigger: trigger})
	}
	return sensor
}

func objectOf(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(apiVersion)
	obj.SetKind(kind)
	obj.SetNamespace(namespace)
	obj.SetName(name)
	return obj
}

// accountable is what has pods that need rights.
type accountable interface {
	RBAC() ([]*unstructured.Unstructured, error)
}

func TestRBACIsTheLeastTheTriggersNeed(t *testing.T) {
	event := eventing.DataKey{Dependency: "push", Path: "body.name"}
	managed := sensorOf(eventing.ArgoCDTrigger{Application: "shop"})
	managed.ServiceAccountName = "given"
	elected := sensorOf(eventing.LogTrigger{})
	elected.Annotations = map[string]string{"events.argoproj.io/leader-election": "K8S"}
	electedSource := eventing.EventSource{
		Name: "git", Namespace: "events",
		Annotations: map[string]string{"events.argoproj.io/leader-election": "k8s"},
		Events:      map[string]eventing.Source{"push": eventing.Webhook{Port: 1, Endpoint: "/"}},
	}
	deadLettered := sensorOf(
		eventing.ObjectTrigger{Operation: eventing.Update, Object: objectOf("v1", "ConfigMap", "shop", "push")},
		eventing.ObjectTrigger{
			Object: objectOf("v1", "Secret", "shop", "push"), Until: &eventing.Until{Labels: map[string]string{"a": "b"}},
			Permissions: []eventing.Permission{{Resource: "pods", Verbs: []string{"list"}}},
		},
	)
	deadLettered.Triggers[0].DeadLetter = &eventing.DeadLetterTrigger{
		Name: "dead", Trigger: eventing.ObjectTrigger{Object: objectOf("v1", "Event", "dead", "push")},
	}
	templated := objectOf("argoproj.io/v1alpha1", "Workflow", "templated", "a")
	templated.Object["spec"] = map[string]any{
		"workflowTemplateRef": map[string]any{"name": "build"},
		"templates": []any{map[string]any{"steps": []any{[]any{
			map[string]any{"name": "a", "templateRef": map[string]any{"name": "lint", "template": "all", "clusterScope": true}},
		}}}},
	}
	tests := map[string]accountable{
		"none-without-the-kubernetes-api": sensorOf(
			eventing.LogTrigger{},
			eventing.HTTPTrigger{URL: "https://chat"},
			eventing.RawTrigger{Kind: "slack", Spec: map[string]any{"channel": "x"}},
		),
		"one-application":                    sensorOf(eventing.ArgoCDTrigger{Application: "shop"}),
		"any-application-named-by-the-event": sensorOf(eventing.ArgoCDTrigger{Parameters: []eventing.Parameter{{From: event, To: "metadata.name"}}}),
		"several-namespaces-and-the-cluster": sensorOf(
			eventing.ObjectTrigger{Object: objectOf("v1", "ConfigMap", "", "push")},
			eventing.ObjectTrigger{Operation: eventing.Patch, Object: objectOf("apps/v1", "Deployment", "shop", "web")},
			eventing.ObjectTrigger{Operation: eventing.Delete, Object: objectOf("networking.k8s.io/v1", "NetworkPolicy", "shop", "lock")},
			eventing.ObjectTrigger{Operation: eventing.Patch, Object: objectOf("v1", "Namespace", "", "shop")},
		),
		"one-right-for-two-triggers": sensorOf(
			eventing.ArgoCDTrigger{Application: "shop"},
			eventing.ArgoCDTrigger{Application: "shop", Revision: "main"},
		),
		"raw-permissions-everywhere": sensorOf(eventing.RawTrigger{
			Kind: "k8s",
			Spec: map[string]any{"operation": "create"},
			Permissions: []eventing.Permission{
				{Resource: "configmaps", Verbs: []string{"create"}},
				{ClusterWide: true, Group: "apps", Resource: "deployments", Verbs: []string{"get"}},
			},
		}),
		"raw-permissions": sensorOf(eventing.RawTrigger{
			Kind: "argoWorkflow",
			Spec: map[string]any{"operation": "submit"},
			Permissions: []eventing.Permission{{
				Namespace: "workflows", Group: "argoproj.io", Resource: "workflows", Verbs: []string{"list", "create"},
			}},
		}),
		"updates-labels-and-dead-letters": deadLettered,
		"workflows": sensorOf(
			eventing.WorkflowTrigger{Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "ci", "submitted")},
			eventing.WorkflowTrigger{Workflow: templated},
			eventing.WorkflowTrigger{Operation: eventing.Resubmit, Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "resubmit", "a")},
			eventing.WorkflowTrigger{Operation: eventing.RetryRun, Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "retry", "a")},
			eventing.WorkflowTrigger{Operation: eventing.Suspend, Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "suspend", "a")},
			eventing.WorkflowTrigger{Operation: eventing.Resume, Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "resume", "a")},
			eventing.WorkflowTrigger{Operation: eventing.Stop, Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "stop", "a")},
			eventing.WorkflowTrigger{Operation: eventing.Terminate, Workflow: objectOf("argoproj.io/v1alpha1", "Workflow", "terminate", ""), Parameters: []eventing.Parameter{{From: event, To: "metadata.name"}}},
		),
		"resources-and-calendars": eventing.EventSource{Name: "watch", Namespace: "events", Events: map[string]eventing.Source{
			"deployments": eventing.Resource{Group: "apps", Version: "v1", Resource: "deployments", Namespace: "shop", Changes: []eventing.Change{eventing.Updated}},
			"nodes":       eventing.Resource{Version: "v1", Resource: "nodes", ClusterWide: true, Changes: []eventing.Change{eventing.Added}},
			"night":       eventing.Calendar{Schedule: "0 3 * * *", CatchUp: &eventing.CatchUp{ConfigMap: "night"}},
			"day":         eventing.Calendar{Schedule: "0 15 * * *", CatchUp: &eventing.CatchUp{ConfigMap: "day", Existing: true}},
			"hourly":      eventing.Calendar{Interval: time.Hour},
		}},
		"no-account-for-a-given-one":   managed,
		"leases-for-leader-election":   elected,
		"leases-for-an-event-source":   electedSource,
		"none-for-a-webhook-by-itself": eventing.EventSource{Name: "git", Namespace: "events", Events: map[string]eventing.Source{"push": eventing.Webhook{Port: 1, Endpoint: "/"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := test.RBAC()
			require.NoError(t, err)
			golden.Equal(t, "rbac-"+name, objects...)
		})
	}
}

func TestRBACRefusesRightsThatOnlyTheEventKnows(t *testing.T) {
	for _, to := range []string{"metadata", "metadata.namespace", "kind", "apiVersion"} {
		t.Run(to, func(t *testing.T) {
			sensor := sensorOf(eventing.ArgoCDTrigger{
				Application: "shop",
				Parameters:  []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "a"}, To: to}},
			})
			_, err := sensor.Build()
			require.NoError(t, err, "the sensor itself is valid")
			_, err = sensor.RBAC()
			require.True(t, apierrors.IsInvalid(err), "got %v", err)
			require.ErrorContains(t, err, "triggers[0].trigger.parameters[0].to: Forbidden")
		})
	}
}

func TestTheSensorRunsAsTheAccountOfItsRBAC(t *testing.T) {
	tests := map[string]struct {
		sensor eventing.Sensor
		want   string
	}{
		"its own account": {sensor: sensorOf(eventing.ArgoCDTrigger{Application: "shop"}), want: "shop-sensor"},
		"no account of its own when no trigger needs the API": {sensor: sensorOf(eventing.LogTrigger{}), want: ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			obj, err := test.sensor.Build()
			require.NoError(t, err)
			got, _, err := unstructured.NestedString(obj.Object, "spec", "template", "serviceAccountName")
			require.NoError(t, err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRBACRefusesRightsThatNobodyNames(t *testing.T) {
	fetched := eventing.URLFile{URL: "https://example.com/a.yaml"}
	event := []eventing.Parameter{{From: eventing.DataKey{Dependency: "push", Path: "a"}, To: "k8s.operation"}}
	secret := eventing.ObjectTrigger{Object: objectOf("v1", "Secret", "shop", "push")}
	tests := map[string]struct {
		trigger eventing.SensorTrigger
		want    string
	}{
		"an object is fetched":               {eventing.SensorTrigger{Trigger: eventing.ObjectTrigger{Source: fetched}}, "triggers[0].trigger.permissions: Required"},
		"a workflow is fetched":              {eventing.SensorTrigger{Trigger: eventing.WorkflowTrigger{Source: fetched}}, "triggers[0].trigger.permissions: Required"},
		"the event decides on the operation": {eventing.SensorTrigger{Trigger: secret, Parameters: event}, "triggers[0].parameters[0].to: Forbidden"},
		"so it does after a failure": {
			eventing.SensorTrigger{Trigger: eventing.LogTrigger{}, DeadLetter: &eventing.DeadLetterTrigger{Name: "dead", Trigger: secret, Parameters: event}},
			"triggers[0].deadLetter.parameters[0].to: Forbidden",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sensor := sensorOf()
			test.trigger.Name = "t"
			sensor.Triggers = []eventing.SensorTrigger{test.trigger}
			_, err := sensor.Build()
			require.NoError(t, err, "the sensor itself is valid")
			_, err = sensor.RBAC()
			require.True(t, apierrors.IsInvalid(err), "got %v", err)
			require.ErrorContains(t, err, test.want)
		})
	}
}
