package bootstrap

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// ObjectStatus says how far an applied object is.
type ObjectStatus struct {
	ObjectRef

	// Status in the words of kstatus: InProgress, Failed, Terminating, NotFound,
	// Unknown, or Current for an object that is ready.
	Status string

	// Message says what the object lacks.
	Message string

	// Pods are the problems of a workload's pods, in a NotReadyError only.
	Pods []PodProblem

	// Warnings are the newest Warning events, of different reasons, about the
	// object and what was made from it, in a NotReadyError only.
	Warnings []string
}

// PodProblem is why a pod of a workload is not ready.
type PodProblem struct {
	Pod string
	// Container is empty for a problem of the whole pod, such as one that cannot
	// be scheduled.
	Container string
	// Reason as the node or the scheduler gives it, such as ErrImageNeverPull.
	Reason  string
	Message string
}

// String gives the object, what it lacks, and what is known of the cause.
func (s ObjectStatus) String() string {
	text := fmt.Sprintf("%s: %s: %s", s.ObjectRef, s.Status, s.Message)
	for _, problem := range s.Pods {
		text += ", " + problem.String()
	}
	for _, warning := range s.Warnings {
		text += ", event " + warning
	}
	return text
}

// String gives the pod, the container, the reason and the message.
func (p PodProblem) String() string {
	text := "pod " + p.Pod
	if p.Container != "" {
		text += " container " + p.Container
	}
	text += ": " + p.Reason
	if p.Message != "" {
		text += ": " + p.Message
	}
	return text
}

func (s ObjectStatus) ready() bool { return s.Status == status.CurrentStatus.String() }

// requiredConditions are the rules that kstatus lacks for built-in kinds. It
// takes a Job that runs for current, and does not know APIService.
var requiredConditions = []Condition{
	{GroupKind: jobKind, Type: "Complete"},
	{GroupKind: apiServiceKind, Type: "Available"},
}

// assess computes an object's status by the rules that Readiness documents.
func (r Readiness) assess(object *unstructured.Unstructured) ObjectStatus {
	ref := refOf(object)
	kind := ref.GroupKind()
	if slices.Contains(r.Ignore, kind) {
		return ObjectStatus{ObjectRef: ref, Status: status.CurrentStatus.String(), Message: "not waited for"}
	}
	result, err := status.Compute(object)
	if err != nil {
		return ObjectStatus{ObjectRef: ref, Status: status.UnknownStatus.String(), Message: err.Error()}
	}
	assessed := ObjectStatus{ObjectRef: ref, Status: result.Status.String(), Message: result.Message}
	if suspended, _, _ := unstructured.NestedBool(object.Object, "spec", "suspend"); kind == jobKind && suspended {
		assessed.Status = status.CurrentStatus.String()
		return assessed
	}
	for _, condition := range slices.Concat(requiredConditions, r.Conditions) {
		if assessed.ready() && condition.GroupKind == kind {
			assessed = assessed.require(object, condition.Type)
		}
	}
	return assessed
}

// require makes a status InProgress unless the object has a condition with the
// status True. A condition may carry the generation it is about.
func (s ObjectStatus) require(object *unstructured.Unstructured, conditionType string) ObjectStatus {
	s.Status = status.InProgressStatus.String()
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		condition, _ := each.(map[string]any)
		if condition["type"] != conditionType {
			continue
		}
		observed, told, _ := unstructured.NestedInt64(condition, "observedGeneration")
		switch {
		case told && observed != object.GetGeneration():
			s.Message = fmt.Sprintf("condition %s is about generation %d, not %d", conditionType, observed, object.GetGeneration())
		case condition["status"] == "True":
			s.Status = status.CurrentStatus.String()
			s.Message = fmt.Sprintf("condition %s is True", conditionType)
		default:
			s.Message = fmt.Sprintf("condition %s is %v: %v: %v", conditionType, condition["status"], condition["reason"], condition["message"])
		}
		return s
	}
	s.Message = fmt.Sprintf("condition %s is not set", conditionType)
	return s
}

// objectState is what a run knows of an object it applied.
type objectState struct {
	ObjectStatus
	// inherited marks a failure that was there when the object was applied.
	inherited bool
}

func newObjectState(readiness Readiness, answer *unstructured.Unstructured) objectState {
	state := objectState{ObjectStatus: readiness.assess(answer)}
	state.inherited = state.failed()
	return state
}

// update takes a newer status.
func (s objectState) update(newer ObjectStatus) objectState {
	s.ObjectStatus = newer
	s.inherited = s.inherited && newer.Status == status.FailedStatus.String()
	return s
}

// failed reports a failure that ends the wait. One that was there before the
// run may be just what the run is to cure, so it gets the whole timeout; only a
// Job's is final.
func (s objectState) failed() bool {
	return s.Status == status.FailedStatus.String() && (!s.inherited || s.GroupKind() == jobKind)
}

// notFound is the status of an object that was deleted while a run waited.
func notFound(ref ObjectRef) ObjectStatus {
	return ObjectStatus{ObjectRef: ref, Status: status.NotFoundStatus.String(), Message: "was deleted after it was applied"}
}
