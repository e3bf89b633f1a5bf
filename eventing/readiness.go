package eventing

import (
	"reflect"
	"sync"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/listwatch"
)

var deployment = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}

// readiness gathers what is known about one object and its Deployment.
type readiness struct {
	kind Kind
	// ready is called once everything holds.
	ready func()

	mu          sync.Mutex
	object      *unstructured.Unstructured
	deployments map[types.UID]*unstructured.Unstructured
	reached     bool
}

// selections are the objects whose state decides.
func (r *readiness) selections(key client.ObjectKey) []listwatch.Selection {
	object := listwatch.Selection{
		Kind:      r.kind.groupVersionKind(),
		Namespace: key.Namespace,
		Options:   []client.ListOption{client.MatchingFields{"metadata.name": key.Name}},
	}
	controller, ok := podControllers[r.kind]
	if !ok {
		return []listwatch.Selection{object}
	}
	return []listwatch.Selection{object, {
		Kind:      deployment,
		Namespace: key.Namespace,
		Options: []client.ListOption{client.MatchingLabels{
			"controller":            controller,
			v1alpha1.LabelOwnerName: key.Name,
		}},
	}}
}

// podControllers are the kinds that run as a Deployment, with the label value of
// the controller that makes it.
// argo-events: pkg/reconciler/{eventsource,sensor}/controller.go
var podControllers = map[Kind]string{
	EventSourceKind: "eventsource-controller",
	SensorKind:      "sensor-controller",
}

func (r *readiness) follower(selection listwatch.Selection) listwatch.Follower {
	set, reset := r.setObject, func() { r.object = nil }
	if selection.Kind == deployment {
		set, reset = r.setDeployment, func() { r.deployments = nil }
	}
	return listwatch.Follower{
		Listed: func(items []unstructured.Unstructured) (bool, error) {
			return r.update(func() {
				reset()
				for i := range items {
					set(&items[i], watch.Added)
				}
			}), nil
		},
		Changed: func(event watch.EventType, obj *unstructured.Unstructured) (bool, error) {
			return r.update(func() { set(obj, event) }), nil
		},
	}
}

// update applies a change and reports whether everything holds now.
func (r *readiness) update(change func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	if !r.reached && len(r.unmet()) == 0 {
		r.reached = true
		r.ready()
	}
	return r.reached
}

func (r *readiness) setObject(obj *unstructured.Unstructured, event watch.EventType) {
	r.object = obj
	if event == watch.Deleted {
		r.object = nil
	}
}

func (r *readiness) setDeployment(obj *unstructured.Unstructured, event watch.EventType) {
	if event == watch.Deleted {
		delete(r.deployments, obj.GetUID())
		return
	}
	if r.deployments == nil {
		r.deployments = map[types.UID]*unstructured.Unstructured{}
	}
	r.deployments[obj.GetUID()] = obj
}

func (r *readiness) isReady() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reached
}

func (r *readiness) failing() []Condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unmet()
}

// unmet returns the conditions that do not hold.
func (r *readiness) unmet() []Condition {
	if r.object == nil {
		return []Condition{{Type: ConditionExists, Status: "False", Message: "there is no such object"}}
	}
	conditions := conditionsOf(r.object)
	if len(conditions) == 0 {
		return []Condition{{Type: ConditionExists, Status: "True", Reason: "NoStatus", Message: "no controller has seen the object"}}
	}
	var unmet []Condition
	for _, condition := range conditions {
		if condition.Status != "True" {
			unmet = append(unmet, condition)
		}
	}
	if len(unmet) > 0 {
		return unmet
	}
	missing := r.missing()
	if missing == nil {
		return nil
	}
	return []Condition{*missing}
}

// missing is what keeps an object with true conditions from being deployed as it
// is specified now, or nil.
func (r *readiness) missing() *Condition {
	if _, ok := podControllers[r.kind]; ok {
		return r.rollout()
	}
	return outdatedBus(r.object)
}

// outdatedBus compares the spec of a bus on a foreign server with the copy that
// the controller keeps in its status, for the pods.
// argo-events: pkg/reconciler/eventbus/installer/exotic_jetstream.go
func outdatedBus(bus *unstructured.Unstructured) *Condition {
	spec, ok, _ := unstructured.NestedMap(bus.Object, "spec", "jetstreamExotic")
	if !ok {
		return nil
	}
	copied, _, _ := unstructured.NestedMap(bus.Object, "status", "config", "jetstream")
	if sameConfig(spec, copied) {
		return nil
	}
	return &Condition{Type: ConditionCurrent, Status: "False", Reason: "Outdated", Message: "the status carries an earlier configuration"}
}

func sameConfig(spec, copied map[string]any) bool {
	var configs [2]v1alpha1.JetStreamConfig
	for i, fields := range []map[string]any{spec, copied} {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &configs[i]); err != nil {
			return false
		}
	}
	return reflect.DeepEqual(configs[0], configs[1])
}
