package eventing_test

import (
	"fmt"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing"
)

// A push to the main branch syncs an Argo CD Application.
func Example() {
	bus := eventing.EventBus{
		Namespace: "argo-events",
		Bus:       eventing.JetStreamExotic{URL: "nats://nats.messaging:4222"},
	}
	source := eventing.EventSource{
		Name:      "git",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"push": eventing.Webhook{
				Port:     12000,
				Endpoint: "/push",
				Auth:     &eventing.SecretKey{Name: "git-webhook", Key: "token"},
			},
		},
	}
	sensor := eventing.Sensor{
		Name:      "sync-shop",
		Namespace: "argo-events",
		Dependencies: []eventing.Dependency{{
			Name:        "push",
			EventSource: "git",
			Event:       "push",
			Filters: eventing.Filters{Data: []eventing.DataFilter{
				eventing.StringIn{Path: "body.ref", Values: []string{"refs/heads/main"}},
			}},
		}},
		Triggers: []eventing.SensorTrigger{{
			Name: "sync",
			Trigger: eventing.ArgoCDTrigger{
				Application: "shop",
				Parameters: []eventing.Parameter{{
					From: eventing.DataKey{Dependency: "push", Path: "body.after"},
					To:   "operation.sync.revision",
				}},
			},
		}},
	}

	for _, build := range []func() (*unstructured.Unstructured, error){bus.Build, source.Build, sensor.Build} {
		obj, err := build()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(obj.GetKind(), obj.GetName())
	}
	rights, err := sensor.RBAC()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, obj := range rights {
		fmt.Println(obj.GetKind(), obj.GetName(), "in", obj.GetNamespace())
	}
	// Output:
	// EventBus default
	// EventSource git
	// Sensor sync-shop
	// ServiceAccount sync-shop-sensor in argo-events
	// Role sensor:argo-events:sync-shop in argocd
	// RoleBinding sensor:argo-events:sync-shop in argocd
}

// Every fault is reported at once, with the path of the Go field.
func ExampleSensor_Validate() {
	sensor := eventing.Sensor{
		Name:      "sync-shop",
		Namespace: "argo-events",
		Dependencies: []eventing.Dependency{{
			Name: "push", EventSource: "git", Event: "push.main",
		}},
		Triggers: []eventing.SensorTrigger{{
			Name:    "sync",
			When:    "push && schedule",
			Trigger: eventing.ArgoCDTrigger{},
		}},
	}
	for _, fault := range sensor.Validate() {
		fmt.Println(fault)
	}
	// Output:
	// dependencies[0].event: Invalid value: "push.main": must match ^[A-Za-z0-9_-]+$
	// triggers[0].when: Invalid value: "push && schedule": no dependency is named "schedule"
	// triggers[0].trigger.application: Required value: the object needs a name
}

// The object holds only the fields that were meant, in upstream's form.
func ExampleEventSource_Build() {
	source := eventing.EventSource{
		Name:      "git",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{
			"push":    eventing.Webhook{Port: 12000, Endpoint: "/push"},
			"charged": eventing.RawSource{Kind: "stripe", Spec: map[string]any{"eventFilter": []string{"charge.succeeded"}}},
		},
	}
	obj, err := source.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := yaml.Marshal(obj.Object)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// apiVersion: argoproj.io/v1alpha1
	// kind: EventSource
	// metadata:
	//   name: git
	//   namespace: argo-events
	// spec:
	//   service:
	//     ports:
	//     - name: webhook-12000
	//       port: 12000
	//       targetPort: 12000
	//   stripe:
	//     charged:
	//       eventFilter:
	//       - charge.succeeded
	//   webhook:
	//     push:
	//       endpoint: /push
	//       method: POST
	//       port: "12000"
}

// The object converts into upstream's type in one line.
func ExampleSensor_Build() {
	sensor := eventing.Sensor{
		Name:         "audit",
		Namespace:    "argo-events",
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
		Triggers:     []eventing.SensorTrigger{{Name: "log", Trigger: eventing.LogTrigger{}}},
	}
	obj, err := sensor.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	var typed v1alpha1.Sensor
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &typed); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(typed.Spec.Triggers[0].RetryStrategy.Steps, typed.Spec.Triggers[0].AtLeastOnce)
	// Output: 8 true
}

// An alert of the platform becomes a message on Slack, or a ConfigMap when Slack
// does not take it. Alerts of the night are left to whoever is on call.
func Example_alerts() {
	source := eventing.EventSource{
		Name:      "alerts",
		Namespace: "argo-events",
		Events: map[string]eventing.Source{"firing": eventing.Alertmanager{
			Listener: eventing.Listener{Port: 12000},
			Auth:     &eventing.SecretKey{Name: "alertmanager", Key: "token"},
			Filter:   `body.status == "firing"`,
		}},
	}
	lost := &unstructured.Unstructured{}
	lost.SetAPIVersion("v1")
	lost.SetKind("ConfigMap")
	lost.SetGenerateName("alert-")
	summary := eventing.DataKey{Dependency: "alert", Path: "body.commonAnnotations.summary"}
	sensor := eventing.Sensor{
		Name:      "alerts",
		Namespace: "argo-events",
		Dependencies: []eventing.Dependency{{
			Name: "alert", EventSource: "alerts", Event: "firing",
			Filters: eventing.Filters{Time: &eventing.TimeWindow{Start: "07:00:00", Stop: "19:00:00", Timezone: "Europe/Berlin"}},
		}},
		Triggers: []eventing.SensorTrigger{{
			Name: "tell",
			Trigger: eventing.SlackTrigger{
				Token: eventing.SecretKey{Name: "slack", Key: "token"}, Channel: "platform",
				Parameters: []eventing.Parameter{{From: summary, To: "message", Default: new("an alert")}},
			},
			RateLimit: &eventing.RateLimit{Requests: 10, Per: time.Minute},
			DeadLetter: &eventing.DeadLetterTrigger{
				Name:    "keep",
				Trigger: eventing.ObjectTrigger{Object: lost, Parameters: []eventing.Parameter{{From: summary, To: "data.summary"}}},
			},
		}},
	}
	for _, build := range []func() (*unstructured.Unstructured, error){source.Build, sensor.Build} {
		obj, err := build()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(obj.GetKind(), obj.GetName())
	}
	rights, err := sensor.RBAC()
	if err != nil {
		fmt.Println(err)
		return
	}
	rules, _, err := unstructured.NestedSlice(rights[1].Object, "rules")
	fmt.Println(rights[1].GetKind(), rules, err)
	// Output:
	// EventSource alerts
	// Sensor alerts
	// Role [map[apiGroups:[] resources:[configmaps] verbs:[create]]] <nil>
}
