package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// evidenceTime bounds the search for reasons after a wait has ended.
	evidenceTime = 10 * time.Second
	// evidencePods bounds the pods that are looked at for one workload.
	evidencePods = 20
	// evidenceEvents bounds the events that are looked through, and
	// evidenceWarnings those that are shown, for one object.
	evidenceEvents, evidenceWarnings = 500, 3
)

// notReady looks once more at the objects that are not ready, and for the
// reason in their pods. A wait whose time is over counts as successful when
// everything turns out to be ready; a cancelled one is not looked into, because
// its caller wants to be gone.
func (w *waiter) notReady(ctx context.Context, reason error) error {
	unready, _ := w.unready()
	if errors.Is(ctx.Err(), context.Canceled) {
		return &NotReadyError{Component: w.component.Name, Objects: unready, Err: reason}
	}
	// The component's own time may be over, so this takes a little of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evidenceTime)
	defer cancel()
	fresh := make([]ObjectStatus, 0, len(unready))
	for _, each := range unready {
		if each = w.look(ctx, each); !each.ready() {
			fresh = append(fresh, each)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return &NotReadyError{Component: w.component.Name, Objects: fresh, Err: reason}
}

// look gives an object's present status with the problems of its pods. What
// cannot be read leaves the status as it was.
func (w *waiter) look(ctx context.Context, last ObjectStatus) ObjectStatus {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(last.GroupVersionKind())
	err := w.api.Get(ctx, client.ObjectKey{Namespace: last.Namespace, Name: last.Name}, object)
	if apierrors.IsNotFound(err) {
		return notFound(last.ObjectRef)
	}
	if err != nil {
		return last
	}
	now := w.component.Ready.assess(object)
	if now.ready() {
		return now
	}
	if failure := conditionMessage(object, "ReplicaFailure"); failure != "" {
		now.Message += ": " + failure
	}
	now.Pods = w.podProblems(ctx, object)
	now.Warnings = w.warningEvents(ctx, object)
	return now
}

// conditionMessage is the message of a condition that is True.
func conditionMessage(object *unstructured.Unstructured, conditionType string) string {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		condition, _ := each.(map[string]any)
		if condition["type"] == conditionType && condition["status"] == "True" {
			message, _ := condition["message"].(string)
			return message
		}
	}
	return ""
}

// podProblems lists what keeps a workload's pods from being ready. An object
// that selects no pods has none.
func (w *waiter) podProblems(ctx context.Context, object *unstructured.Unstructured) []PodProblem {
	if object.GetKind() == "Pod" {
		pod := corev1.Pod{}
		if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod) != nil {
			return nil
		}
		return problemsOf(pod)
	}
	content, found, _ := unstructured.NestedMap(object.Object, "spec", "selector")
	if !found || object.GetNamespace() == "" {
		return nil
	}
	labels := metav1.LabelSelector{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(content, &labels) != nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(&labels)
	if err != nil || selector.Empty() {
		return nil
	}
	pods := &corev1.PodList{}
	err = w.api.List(ctx, pods, client.InNamespace(object.GetNamespace()),
		client.MatchingLabelsSelector{Selector: selector}, client.Limit(evidencePods))
	if err != nil {
		return nil
	}
	var problems []PodProblem
	for _, pod := range pods.Items {
		problems = append(problems, problemsOf(pod)...)
	}
	return problems
}

func problemsOf(pod corev1.Pod) []PodProblem {
	var problems []PodProblem
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		problem := PodProblem{Pod: pod.Name, Container: container.Name}
		switch state := container.State; {
		case state.Waiting != nil:
			problem.Reason, problem.Message = state.Waiting.Reason, state.Waiting.Message
		case state.Terminated != nil && state.Terminated.ExitCode != 0:
			problem.Reason, problem.Message = state.Terminated.Reason, state.Terminated.Message
		case state.Running != nil && !container.Ready:
			problem.Reason = "NotReady"
		default:
			continue
		}
		problems = append(problems, problem)
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			problems = append(problems, PodProblem{Pod: pod.Name, Reason: condition.Reason, Message: condition.Message})
		}
	}
	return problems
}

// warningEvents lists the newest Warning events about an object, or about
// objects that its controller made: their names begin with its own.
func (w *waiter) warningEvents(ctx context.Context, object *unstructured.Unstructured) []string {
	if object.GetNamespace() == "" {
		return nil
	}
	events := &corev1.EventList{}
	err := w.api.List(ctx, events, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"type": corev1.EventTypeWarning}, client.Limit(evidenceEvents))
	if err != nil {
		return nil
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return eventTime(b).Compare(eventTime(a)) })
	var warnings []string
	seen := map[string]bool{}
	for _, event := range events.Items {
		about := event.InvolvedObject
		own := about.Name == object.GetName() && about.Kind == object.GetKind()
		if !own && !strings.HasPrefix(about.Name, object.GetName()+"-") || seen[event.Reason] {
			continue
		}
		seen[event.Reason] = true
		warnings = append(warnings, fmt.Sprintf("%s of %s %s: %s", event.Reason, about.Kind, about.Name, event.Message))
		if len(warnings) == evidenceWarnings {
			break
		}
	}
	return warnings
}

// eventTime is when an event was last seen; reporters fill different fields.
func eventTime(event corev1.Event) time.Time {
	switch {
	case event.Series != nil:
		return event.Series.LastObservedTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	}
	return event.EventTime.Time
}
