package gitops

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	hookAnnotation             = "argocd.argoproj.io/hook"
	deletePolicyAnnotation     = "argocd.argoproj.io/hook-delete-policy"
	helmHookAnnotation         = "helm.sh/hook"
	helmDeletePolicyAnnotation = "helm.sh/hook-delete-policy"
)

// HookPhase says when Argo CD applies a hook.
type HookPhase string

const (
	// PreSync is before everything that is no hook; the sync goes on when the hook has succeeded.
	PreSync HookPhase = "PreSync"
	// Sync is together with everything that is no hook.
	Sync HookPhase = "Sync"
	// PostSync is when everything else is applied and healthy.
	PostSync HookPhase = "PostSync"
	// SyncFail is when a sync has failed.
	SyncFail HookPhase = "SyncFail"
	// Skip is never: Argo CD leaves the object alone.
	Skip HookPhase = "Skip"
	// PreDelete is before the Application's resources are deleted with it. Argo CD 3.3 and later; earlier versions
	// never apply such an object.
	PreDelete HookPhase = "PreDelete"
	// PostDelete is after the Application's resources are deleted with it.
	PostDelete HookPhase = "PostDelete"
)

// HookDeletePolicy says when Argo CD deletes a hook.
type HookDeletePolicy string

const (
	// BeforeHookCreation deletes the hook of the last sync before it is made again. It finds hooks with a fixed name only.
	BeforeHookCreation HookDeletePolicy = "BeforeHookCreation"
	// HookSucceeded deletes the hook when the sync has succeeded.
	HookSucceeded HookDeletePolicy = "HookSucceeded"
	// HookFailed deletes the hook when it has failed.
	HookFailed HookDeletePolicy = "HookFailed"
)

var (
	// gitops-engine: pkg/sync/sync_tasks.go
	syncPhases = []HookPhase{PreSync, Sync, PostSync, SyncFail}
	// argo-cd: controller/hook.go
	deletePhases   = []HookPhase{PreDelete, PostDelete}
	hookPhases     = slices.Concat(syncPhases, []HookPhase{Skip}, deletePhases)
	deletePolicies = []HookDeletePolicy{BeforeHookCreation, HookSucceeded, HookFailed}

	// gitops-engine: pkg/sync/hook/helm; argo-cd: controller/hook.go
	helmPhases = map[string]HookPhase{
		"pre-install": PreSync, "pre-upgrade": PreSync, "post-install": PostSync, "post-upgrade": PostSync,
		"pre-delete": PreDelete, "post-delete": PostDelete,
	}
	helmDeletePolicies = map[string]HookDeletePolicy{
		"before-hook-creation": BeforeHookCreation, "hook-succeeded": HookSucceeded, "hook-failed": HookFailed,
	}
)

// Hook says that an object is not part of the desired state but runs at certain moments of a sync, such as a Job that
// migrates a database. The zero value is an ordinary object.
type Hook struct {
	// Phases in which the object is applied. Skip, PreDelete and PostDelete stand alone: beside other phases Argo CD
	// 2.14 ignores them.
	Phases []HookPhase
	// DeletePolicies of the hook. Default: BeforeHookCreation.
	DeletePolicies []HookDeletePolicy
}

// Validate reports phases and delete policies that Argo CD would ignore.
func (h Hook) Validate() field.ErrorList {
	var faults field.ErrorList
	path := field.NewPath("phases")
	for i, phase := range h.Phases {
		switch {
		case !slices.Contains(hookPhases, phase):
			faults = append(faults, field.NotSupported(path.Index(i), phase, hookPhases))
		case slices.Contains(h.Phases[:i], phase):
			faults = append(faults, field.Duplicate(path.Index(i), phase))
		case len(h.Phases) > 1 && !slices.Contains(syncPhases, phase):
			faults = append(faults, field.Forbidden(path.Index(i), string(phase)+" must be the only phase"))
		}
	}
	policies := field.NewPath("deletePolicies")
	for i, policy := range h.DeletePolicies {
		switch {
		case !slices.Contains(deletePolicies, policy):
			faults = append(faults, field.NotSupported(policies.Index(i), policy, deletePolicies))
		case slices.Contains(h.DeletePolicies[:i], policy):
			faults = append(faults, field.Duplicate(policies.Index(i), policy))
		}
	}
	if len(h.Phases) == 0 && len(h.DeletePolicies) > 0 {
		faults = append(faults, field.Required(path, "a delete policy has no meaning without a phase"))
	}
	return faults
}

// SetHook makes an object the hook, in place of what its annotations said before; the zero value makes it an ordinary
// object again. Helm's own annotations stay. It changes nothing when the hook is not valid.
func SetHook(obj metav1.Object, hook Hook) error {
	if err := hook.Validate().ToAggregate(); err != nil {
		return fmt.Errorf("set hook of %s: %w", obj.GetName(), err)
	}
	writeAnnotation(obj, hookAnnotation, joinList(hook.Phases))
	writeAnnotation(obj, deletePolicyAnnotation, joinList(hook.DeletePolicies))
	return nil
}

// HookOf returns the hook as Argo CD reads it, Helm's annotations included; the zero value is an ordinary object. An
// *AnnotationError names phases or delete policies that Argo CD does not know. It ignores them, and an object all of
// whose phases are unknown is never applied.
// gitops-engine: pkg/sync/hook
func HookOf(obj metav1.Object) (Hook, error) {
	list, annotated, err := readAnnotation(obj, hookAnnotation)
	if err == nil && annotated {
		err = unknownPhases(list)
	}
	hook := Hook{Phases: union(phasesOf(obj), deletionPhasesOf(obj))}
	if len(hook.Phases) == 0 && !isHook(obj) {
		return Hook{}, err
	}
	policies, policyErr := deletePoliciesOf(obj)
	if err == nil {
		err = policyErr
	}
	hook.DeletePolicies = policies
	hook.DeletePolicies = union(hook.DeletePolicies, helmValues(obj, helmDeletePolicyAnnotation, helmDeletePolicies))
	if len(hook.DeletePolicies) == 0 {
		hook.DeletePolicies = []HookDeletePolicy{BeforeHookCreation}
	}
	return hook, err
}

func deletePoliciesOf(obj metav1.Object) ([]HookDeletePolicy, error) {
	list, _, err := readAnnotation(obj, deletePolicyAnnotation)
	if err != nil {
		return nil, err
	}
	policies, unknown := knownEntries(list, deletePolicies)
	if len(unknown) > 0 {
		return policies, unknownNames(deletePolicyAnnotation, unknown, deletePolicies)
	}
	return policies, nil
}

// unknownPhases also complains about an empty list: it makes a hook that is never applied.
func unknownPhases(list string) error {
	phases, unknown := knownEntries(list, hookPhases)
	if len(unknown) == 0 && len(phases) > 0 {
		return nil
	}
	return unknownNames(hookAnnotation, unknown, hookPhases)
}

func unknownNames[T ~string](annotation string, unknown []string, table []T) error {
	problem := fmt.Sprintf("is unknown to Argo CD: write one or more of %s", joinList(table))
	return &AnnotationError{Annotation: annotation, Value: joinList(unknown), Problem: problem}
}

// phasesOf returns what the sync knows: phases without those of a deletion. Helm's hooks count when there is none of
// Argo CD's.
func phasesOf(obj metav1.Object) []HookPhase {
	list, _, _ := readAnnotation(obj, hookAnnotation)
	phases, _ := knownEntries(list, slices.Concat(syncPhases, []HookPhase{Skip}))
	if len(phases) > 0 {
		return phases
	}
	return without(helmValues(obj, helmHookAnnotation, helmPhases), deletePhases)
}

func deletionPhasesOf(obj metav1.Object) []HookPhase {
	list, _, _ := readAnnotation(obj, hookAnnotation)
	phases, _ := knownEntries(list, deletePhases)
	return union(phases, without(helmValues(obj, helmHookAnnotation, helmPhases), syncPhases))
}

func isHook(obj metav1.Object) bool {
	if _, found, err := readAnnotation(obj, hookAnnotation); found && err == nil {
		return !slices.Equal(phasesOf(obj), []HookPhase{Skip})
	}
	value, found, err := readAnnotation(obj, helmHookAnnotation)
	return found && err == nil && value != "crd-install"
}

// appliedIn returns the phases of a sync in which an object is applied; none for what Argo CD leaves out.
// gitops-engine: pkg/sync/sync_phase.go
func appliedIn(obj metav1.Object) []HookPhase {
	phases := phasesOf(obj)
	switch {
	case slices.Equal(phases, []HookPhase{Skip}):
		return nil
	case isHook(obj):
		return without(phases, []HookPhase{Skip})
	default:
		return []HookPhase{Sync}
	}
}

func helmValues[T ~string](obj metav1.Object, annotation string, table map[string]T) []T {
	list, _, _ := readAnnotation(obj, annotation)
	var out []T
	for _, item := range listEntries(list) {
		if value, ok := table[item]; ok {
			out = union(out, []T{value})
		}
	}
	return out
}

func union[T comparable](list, more []T) []T {
	for _, value := range more {
		if !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	return list
}

func without[T comparable](list, others []T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(value T) bool { return slices.Contains(others, value) })
}
