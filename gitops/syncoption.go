package gitops

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	syncOptionsAnnotation    = "argocd.argoproj.io/sync-options"
	compareOptionsAnnotation = "argocd.argoproj.io/compare-options"
	skipReconcileAnnotation  = "argocd.argoproj.io/skip-reconcile"
)

// SyncOption says how Argo CD syncs one object; SyncPolicy.Options are those of a whole Application.
// argo-cd: docs/user-guide/sync-options.md; gitops-engine: pkg/sync/common/types.go
type SyncOption string

const (
	// OptionNoPrune keeps the object when it has left the sources.
	OptionNoPrune SyncOption = "Prune=false"
	// OptionConfirmPrune asks before the object is pruned.
	OptionConfirmPrune SyncOption = "Prune=confirm"
	// OptionPrune prunes the object although the Application says otherwise. Argo CD 3.4 and later; without meaning before.
	OptionPrune SyncOption = "Prune=true"
	// OptionPruneLast prunes the object after the last wave.
	OptionPruneLast SyncOption = "PruneLast=true"
	// OptionNoDelete keeps the object when the Application is deleted.
	OptionNoDelete SyncOption = "Delete=false"
	// OptionConfirmDelete asks before the object is deleted with the Application.
	OptionConfirmDelete SyncOption = "Delete=confirm"
	// OptionDelete deletes the object although the Application says otherwise. Argo CD 3.4 and later; without meaning before.
	OptionDelete SyncOption = "Delete=true"
	// OptionReplace replaces the object instead of applying it. It wins over server-side apply.
	OptionReplace SyncOption = "Replace=true"
	// OptionForce deletes the object and creates it again when it cannot be changed.
	OptionForce SyncOption = "Force=true"
	// OptionServerSideApply applies the object on the server's side.
	OptionServerSideApply SyncOption = "ServerSideApply=true"
	// OptionClientSideApply applies the object on the client's side although the Application says otherwise.
	OptionClientSideApply SyncOption = "ServerSideApply=false"
	// OptionNoValidation applies the object without validation against its schema.
	OptionNoValidation SyncOption = "Validate=false"
	// OptionSkipDryRunOnMissingResource applies a custom resource whose kind the cluster does not know yet.
	OptionSkipDryRunOnMissingResource SyncOption = "SkipDryRunOnMissingResource=true"
)

// CompareOption says how Argo CD compares one object, or all objects of an Application that carries it.
// argo-cd: docs/user-guide/compare-options.md, controller/state.go
type CompareOption string

const (
	// CompareIgnoreExtraneous leaves an object that is not in the sources out of the sync status.
	CompareIgnoreExtraneous CompareOption = "IgnoreExtraneous"
	// CompareServerSide compares with a dry run on the server's side. Only on an Application.
	CompareServerSide CompareOption = "ServerSideDiff=true"
	// CompareClientSide compares on the client's side although Argo CD's configuration says otherwise. Only on an
	// Application.
	CompareClientSide CompareOption = "ServerSideDiff=false"
	// CompareMutations includes what mutating webhooks change in the comparison on the server's side. Only on an
	// Application.
	CompareMutations CompareOption = "IncludeMutationWebhook=true"
)

var (
	syncOptions = []SyncOption{
		OptionNoPrune, OptionConfirmPrune, OptionPrune, OptionPruneLast,
		OptionNoDelete, OptionConfirmDelete, OptionDelete, OptionReplace, OptionForce,
		OptionServerSideApply, OptionClientSideApply, OptionNoValidation, OptionSkipDryRunOnMissingResource,
	}
	applicationCompareOptions = []CompareOption{CompareServerSide, CompareClientSide, CompareMutations}
	compareOptions            = append([]CompareOption{CompareIgnoreExtraneous}, applicationCompareOptions...)
)

// SetSyncOptions adds sync options to those of an object. An option replaces one with the same key; others stay. It
// fails, and changes nothing, on an option that Argo CD ignores on an object, and on two values of one key.
func SetSyncOptions(obj metav1.Object, options ...SyncOption) error {
	return setOptions(obj, syncOptionsAnnotation, syncOptions, options)
}

// SyncOptions returns the sync options of an object. An *AnnotationError names those that Argo CD ignores; they are
// among the result.
func SyncOptions(obj metav1.Object) ([]SyncOption, error) {
	return optionsOf(obj, syncOptionsAnnotation, syncOptions)
}

// SetCompareOptions adds compare options to those of an object, as SetSyncOptions does.
func SetCompareOptions(obj metav1.Object, options ...CompareOption) error {
	return setOptions(obj, compareOptionsAnnotation, compareOptions, options)
}

// CompareOptions returns the compare options of an object, as SyncOptions does.
func CompareOptions(obj metav1.Object) ([]CompareOption, error) {
	return optionsOf(obj, compareOptionsAnnotation, compareOptions)
}

// SetSkipReconcile makes Argo CD leave an Application alone: no comparison and no sync.
func SetSkipReconcile(application metav1.Object, skip bool) {
	value := ""
	if skip {
		value = strconv.FormatBool(true)
	}
	writeAnnotation(application, skipReconcileAnnotation, value)
}

// SkipReconcile reports whether Argo CD leaves an Application alone. An *AnnotationError says that the annotation is no
// boolean; Argo CD then reconciles.
// argo-cd: controller/appcontroller.go, canProcessApp
func SkipReconcile(application metav1.Object) (bool, error) {
	text, found, err := readAnnotation(application, skipReconcileAnnotation)
	if !found || err != nil {
		return false, err
	}
	skip, err := strconv.ParseBool(text)
	if err != nil {
		return false, &AnnotationError{Annotation: skipReconcileAnnotation, Value: text, Problem: `is not a boolean: write "true"`}
	}
	return skip, nil
}

func optionsOf[T ~string](obj metav1.Object, annotation string, table []T) ([]T, error) {
	list, _, err := readAnnotation(obj, annotation)
	if err != nil {
		return nil, err
	}
	var all []T
	for _, item := range listEntries(list) {
		all = append(all, T(item))
	}
	if _, unknown := knownEntries(list, table); len(unknown) > 0 {
		return all, &AnnotationError{
			Annotation: annotation, Value: joinList(unknown),
			Problem: fmt.Sprintf("has no meaning there: Argo CD knows %s", joinList(table)),
		}
	}
	return all, nil
}

func setOptions[T ~string](obj metav1.Object, annotation string, table, more []T) error {
	list, _, err := readAnnotation(obj, annotation)
	if err != nil {
		return err
	}
	for i, option := range more {
		if !slices.Contains(table, option) {
			return fmt.Errorf("annotation %s: no option %q: Argo CD knows %s", annotation, option, joinList(table))
		}
		for _, other := range more[:i] {
			if optionKey(other) == optionKey(option) && other != option {
				return fmt.Errorf("annotation %s: %s and %s contradict each other", annotation, other, option)
			}
		}
	}
	var merged []T
	for _, item := range listEntries(list) {
		replaced := func(option T) bool { return optionKey(option) == optionKey(T(item)) }
		if !slices.ContainsFunc(more, replaced) {
			merged = append(merged, T(item))
		}
	}
	writeAnnotation(obj, annotation, joinList(union(merged, more)))
	return nil
}

// optionKey is the key of an option "Key=value".
func optionKey[T ~string](option T) string {
	name, _, _ := strings.Cut(string(option), "=")
	return name
}
