package gitops

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SyncStep is what Argo CD applies together: one wave of one phase. It waits for the step to be healthy before the next.
type SyncStep struct {
	Phase HookPhase
	Wave  int
	// Objects in the order in which they are applied; those of one kind at once.
	Objects []*unstructured.Unstructured
}

// String returns "PreSync wave 0".
func (s SyncStep) String() string { return fmt.Sprintf("%s wave %d", s.Phase, s.Wave) }

// SyncOrder returns the steps in which Argo CD syncs the objects of one Application: phases, then waves, then kinds,
// then names. A Namespace or a CustomResourceDefinition that is needed earlier moves there. A hook with several phases
// appears in each; what no sync applies (Skip, hooks of a deletion, unknown hooks) does not appear. The steps of
// SyncFail come last and happen only after a failure.
// gitops-engine: pkg/sync/sync_tasks.go
func SyncOrder(objects ...*unstructured.Unstructured) []SyncStep {
	var steps []SyncStep
	for _, task := range syncTasks(objects) {
		if last := len(steps) - 1; last >= 0 && steps[last].Phase == task.phase && steps[last].Wave == task.wave {
			steps[last].Objects = append(steps[last].Objects, task.obj)
			continue
		}
		steps = append(steps, SyncStep{Phase: task.phase, Wave: task.wave, Objects: []*unstructured.Unstructured{task.obj}})
	}
	return steps
}

// syncTask is one object in one phase.
type syncTask struct {
	obj   *unstructured.Unstructured
	phase HookPhase
	wave  int
	// movedFor is the object before which a Namespace or a CustomResourceDefinition was moved.
	movedFor *unstructured.Unstructured
}

// step names where the task is.
func (t syncTask) step() string { return SyncStep{Phase: t.phase, Wave: t.wave}.String() }

// before reports whether the task is in an earlier phase or wave.
func (t syncTask) before(other syncTask) bool { return compareSteps(t, other) < 0 }

func compareSteps(a, b syncTask) int {
	return cmp.Or(
		cmp.Compare(slices.Index(syncPhases, a.phase), slices.Index(syncPhases, b.phase)),
		cmp.Compare(a.wave, b.wave),
	)
}

func syncTasks(objects []*unstructured.Unstructured) []syncTask {
	var tasks []syncTask
	for _, obj := range objects {
		for _, phase := range appliedIn(obj) {
			// An unreadable wave has a value too, the one that Argo CD uses.
			wave, _ := SyncWave(obj)
			tasks = append(tasks, syncTask{obj: obj, phase: phase, wave: wave})
		}
	}
	slices.SortStableFunc(tasks, func(a, b syncTask) int {
		return cmp.Or(
			compareSteps(a, b),
			cmp.Compare(kindRank(a.obj.GetKind()), kindRank(b.obj.GetKind())),
			strings.Compare(cmp.Or(a.obj.GetName(), a.obj.GetGenerateName()), cmp.Or(b.obj.GetName(), b.obj.GetGenerateName())),
		)
	})
	moveForward(tasks, namespaceProvided, namespaceNeeded)
	moveForward(tasks, kindProvided, kindNeeded)
	return tasks
}

// moveForward puts what provides something before the first task that needs it, and into its phase and wave.
func moveForward(tasks []syncTask, provided, needed func(*unstructured.Unstructured) string) {
	firstNeed := map[string]int{}
	for i := range tasks {
		key := provided(tasks[i].obj)
		if key == "" {
			if key = needed(tasks[i].obj); key != "" {
				if _, ok := firstNeed[key]; !ok {
					firstNeed[key] = i
				}
			}
			continue
		}
		target, ok := firstNeed[key]
		if !ok {
			continue
		}
		moved, dependent := tasks[i], tasks[target]
		if dependent.before(moved) {
			moved.movedFor = dependent.obj
		}
		moved.phase, moved.wave = dependent.phase, dependent.wave
		copy(tasks[target+1:i+1], tasks[target:i])
		tasks[target] = moved
		for other, index := range firstNeed {
			if index >= target {
				firstNeed[other] = index + 1
			}
		}
	}
}

func namespaceProvided(obj *unstructured.Unstructured) string {
	if obj.GroupVersionKind().GroupKind() != (schema.GroupKind{Kind: "Namespace"}) {
		return ""
	}
	return obj.GetName()
}

func namespaceNeeded(obj *unstructured.Unstructured) string { return obj.GetNamespace() }

func kindProvided(obj *unstructured.Unstructured) string {
	if obj.GroupVersionKind().GroupKind() != crdKind {
		return ""
	}
	group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
	if group == "" || kind == "" {
		return ""
	}
	return group + "/" + kind
}

func kindNeeded(obj *unstructured.Unstructured) string {
	kind := obj.GroupVersionKind()
	return kind.Group + "/" + kind.Kind
}

var crdKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

// kindRank orders kinds within a wave; all other kinds come last.
func kindRank(kind string) int {
	if rank := slices.Index(kindOrder, kind); rank >= 0 {
		return rank
	}
	return len(kindOrder)
}

var kindOrder = []string{
	"Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
	"ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
	"CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList",
	"Role", "RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController",
	"ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress",
	"APIService",
}
