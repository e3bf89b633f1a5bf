package gitops

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/finding"
)

var (
	ruleWave = finding.Rule{
		Code: "GITOPS101", Severity: finding.Error,
		Summary: "A sync wave is not a whole number in quotes: Argo CD uses 0 instead, or rejects the manifest.",
		Fix:     "write the wave as a whole number in quotes, or use SetSyncWave",
		Source:  "gitops-engine: pkg/sync/syncwaves/waves.go",
	}
	ruleHook = finding.Rule{
		Code: "GITOPS102", Severity: finding.Error,
		Summary: "A hook names a phase that Argo CD does not know: it ignores the phase, and never applies an " +
			"object all of whose phases are unknown.",
		Fix:    "write phases of Argo CD, or use SetHook",
		Source: "gitops-engine: pkg/sync/hook/hook.go, pkg/sync/ignore",
	}
	ruleDeletePolicy = finding.Rule{
		Code: "GITOPS103", Severity: finding.Error,
		Summary: "A hook names a delete policy that Argo CD does not know: it ignores the policy.",
		Fix:     "write delete policies of Argo CD, or use SetHook",
		Source:  "gitops-engine: pkg/sync/hook/delete_policy.go",
	}
	ruleGeneratedName = finding.Rule{
		Code: "GITOPS104", Severity: finding.Warning,
		Summary: "A hook with a generated name is deleted before the next one only: under its new name it is " +
			"not found, and one stays behind with every sync.",
		Fix:    "add the delete policy HookSucceeded or HookFailed, or give the hook a fixed name",
		Source: "argo-cd: docs/user-guide/resource_hooks.md; gitops-engine: pkg/sync/sync_context.go",
	}
	ruleSyncOption = finding.Rule{
		Code: "GITOPS105", Severity: finding.Error,
		Summary: "An object carries a sync option that Argo CD does not read there: it ignores the option.",
		Fix:     "write an option of single objects, or move it to the Application's sync policy",
		Source:  "argo-cd: docs/user-guide/sync-options.md",
	}
	ruleCompareOption = finding.Rule{
		Code: "GITOPS106", Severity: finding.Error,
		Summary: "An object carries a compare option that Argo CD does not read there: it ignores the option.",
		Fix:     "write IgnoreExtraneous on objects; the options of the diff belong on an Application",
		Source:  "argo-cd: controller/state.go",
	}
	ruleStall = finding.Rule{
		Code: "GITOPS107", Severity: finding.Error,
		Summary: "An object cannot become healthy without one that is applied in a later phase or wave: the " +
			"first sync stalls or fails.",
		Fix:    "move the object behind what it needs, or what it needs forward",
		Source: "gitops-engine: pkg/sync/sync_context.go",
	}
	ruleLate = finding.Rule{
		Code: "GITOPS108", Severity: finding.Warning,
		Summary: "An object refers to one that is applied in a later phase or wave: until then it has no " +
			"effect or a wrong one.",
		Fix:    "move the object behind what it needs, or what it needs forward",
		Source: "gitops-engine: pkg/sync/sync_tasks.go",
	}
	ruleMoved = finding.Rule{
		Code: "GITOPS109", Severity: finding.Warning,
		Summary: "A Namespace or CustomResourceDefinition comes later than what needs it: Argo CD ignores its " +
			"phase and wave and moves it forward.",
		Fix:    "give it the phase and wave of the first object that needs it, or an earlier one",
		Source: "gitops-engine: pkg/sync/sync_tasks.go",
	}
	ruleNeverApplied = finding.Rule{
		Code: "GITOPS110", Severity: finding.Warning,
		Summary: "An object refers to one that no sync applies, because of its hook.",
		Fix:     "make what it needs an ordinary object, or a hook of an earlier phase",
		Source:  "gitops-engine: pkg/sync/sync_phase.go",
	}

	orderRules = []finding.Rule{
		ruleWave, ruleHook, ruleDeletePolicy, ruleGeneratedName, ruleSyncOption, ruleCompareOption,
		ruleStall, ruleLate, ruleMoved, ruleNeverApplied,
	}
)

// CheckOrder reports what is wrong with the order in which Argo CD syncs objects: annotations that it ignores, and
// objects that need something from a later phase or wave, as they show in a first sync. Objects are checked together as
// those of one Application, apart from those that carry the tracking of another one. Only what the objects themselves
// hold counts; a reference to anything else is taken to exist. Check does it too.
func CheckOrder(objects ...*unstructured.Unstructured) []finding.Finding {
	findings := checkOrder(objects)
	finding.Sort(findings)
	return findings
}

func checkOrder(objects []*unstructured.Unstructured) []finding.Finding {
	var findings []finding.Finding
	byApplication := map[string][]*unstructured.Unstructured{}
	for _, obj := range objects {
		findings = append(findings, checkAnnotations(obj)...)
		// An unreadable tracking says nothing; the object stays with the untracked ones.
		tracking, _ := ReadTracking(obj)
		byApplication[tracking.Application] = append(byApplication[tracking.Application], obj)
	}
	for _, application := range keys(byApplication) {
		findings = append(findings, checkDependencies(byApplication[application])...)
	}
	return findings
}

func checkAnnotations(obj *unstructured.Unstructured) []finding.Finding {
	var findings []finding.Finding
	report := func(rule finding.Rule, err error) {
		var fault *AnnotationError
		if errors.As(err, &fault) {
			findings = append(findings, rule.At(objectName(obj), annotationPath(fault.Annotation), fault.Error()))
		}
	}
	_, err := SyncWave(obj)
	report(ruleWave, err)
	report(ruleHook, checkPhases(obj))
	if isHook(obj) {
		_, err = deletePoliciesOf(obj)
		report(ruleDeletePolicy, err)
	}
	_, err = SyncOptions(obj)
	report(ruleSyncOption, err)
	if obj.GroupVersionKind().GroupKind() == grouped("argoproj.io", "Application") {
		_, err = CompareOptions(obj)
	} else {
		_, err = optionsOf(obj, compareOptionsAnnotation, []CompareOption{CompareIgnoreExtraneous})
	}
	report(ruleCompareOption, err)
	// A wrong annotation is reported above.
	hook, _ := HookOf(obj)
	onlyBefore := slices.Equal(hook.DeletePolicies, []HookDeletePolicy{BeforeHookCreation})
	if obj.GetName() == "" && onlyBefore && len(appliedIn(obj)) > 0 {
		found := ruleGeneratedName.At(objectName(obj), "metadata.generateName", "the hook is never deleted")
		findings = append(findings, found)
	}
	return findings
}

// checkDependencies takes the objects of one Application.
func checkDependencies(objects []*unstructured.Unstructured) []finding.Finding {
	var findings []finding.Finding
	first := map[*unstructured.Unstructured]syncTask{}
	for _, task := range syncTasks(objects) {
		if _, ok := first[task.obj]; !ok {
			first[task.obj] = task
		}
		if task.movedFor != nil {
			findings = append(findings, moved(task))
		}
	}
	providers := map[identity][]*unstructured.Unstructured{}
	for _, obj := range objects {
		for _, id := range provides(obj) {
			providers[id] = append(providers[id], obj)
		}
	}
	bound := bindings(objects)
	for _, obj := range objects {
		task, applied := first[obj]
		if !applied {
			continue
		}
		check := func(need dependency, providers ...*unstructured.Unstructured) {
			if found := checkDependency(task, need, providers, first); found != nil {
				findings = append(findings, *found)
			}
		}
		for _, need := range dependencies(obj) {
			check(need, providers[need.on]...)
			for _, binding := range bound[need.on] {
				check(dependency{on: provides(binding)[0], path: need.path}, binding)
			}
		}
	}
	return findings
}

// checkDependency compares a task with the first of the objects that provide what it needs; nil is no finding.
func checkDependency(
	task syncTask, need dependency, providers []*unstructured.Unstructured, first map[*unstructured.Unstructured]syncTask,
) *finding.Finding {
	if len(providers) == 0 {
		return nil
	}
	var earliest *syncTask
	for _, provider := range providers {
		if candidate, ok := first[provider]; ok && (earliest == nil || candidate.before(*earliest)) {
			earliest = &candidate
		}
	}
	if earliest == nil {
		found := ruleNeverApplied.At(objectName(task.obj), need.path, "no sync applies "+objectName(providers[0]))
		return &found
	}
	if !task.before(*earliest) {
		return nil
	}
	rule := ruleLate
	if need.fatal {
		rule = ruleStall
	}
	needed := need.on.String()
	if provider := objectName(earliest.obj); provider != needed {
		needed += " of " + provider
	}
	message := fmt.Sprintf("it is applied in %s, and %s only in %s", task.step(), needed, earliest.step())
	found := rule.At(objectName(task.obj), need.path, message)
	return &found
}

// moved reports a task that Argo CD has moved forward.
func moved(task syncTask) finding.Finding {
	path := annotationPath(waveAnnotation)
	if !slices.Equal(appliedIn(task.obj), []HookPhase{task.phase}) {
		path = annotationPath(hookAnnotation)
	}
	message := fmt.Sprintf("Argo CD applies it in %s, because %s is there", task.step(), objectName(task.movedFor))
	return ruleMoved.At(objectName(task.obj), path, message)
}

func checkPhases(obj *unstructured.Unstructured) error {
	list, found, err := readAnnotation(obj, hookAnnotation)
	if !found || err != nil {
		return err
	}
	return unknownPhases(list)
}

func annotationPath(annotation string) string { return "metadata.annotations[" + annotation + "]" }

func objectName(obj *unstructured.Unstructured) string {
	name := obj.GetName()
	if name == "" {
		name = obj.GetGenerateName() + "*"
	}
	return describe(obj.GetKind(), obj.GetNamespace(), name)
}
