package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/argoapp"
)

// Expand returns the Applications that the objects come to: the declared ones, and those that the ApplicationSet
// controller would create from the ApplicationSets, with Argo CD's own code. AppProjects, and cluster Secrets among the
// objects are taken into account, and all other objects left out. The objects are not changed.
//
// It is all or nothing: if one ApplicationSet cannot be expanded, there is no State, as one that lacks Applications
// would look like their deletion. The error joins one [MissingInputError] or [ExpandError] for each generator at
// fault; errors.As finds the first.
//
// Argo CD refuses an Application with the name of another, of a project that does not exist, or with a destination that
// does not exist, and the API server one whose name or labels are not valid: these are errors too.
//
// The result does not hold what only a cluster gives: uid, owner references, status.
func Expand(ctx context.Context, objects []*unstructured.Unstructured, inputs Inputs) (*State, error) {
	defer silence()()
	in, err := newAnswers(objects, inputs)
	if err != nil {
		return nil, fmt.Errorf("expand: %w", err)
	}
	var (
		all    []Application
		faults []error
	)
	for _, obj := range objects {
		switch {
		case obj == nil:
		case isApplication(obj):
			declared := obj.DeepCopy()
			in.defaultNamespace(declared)
			all = append(all, Application{Object: declared, ApplicationsSync: gitops.SyncApplications})
		case isApplicationSet(obj):
			applications, err := expandSet(ctx, obj, in)
			if ctx.Err() != nil {
				return nil, fmt.Errorf("expand: %w", context.Cause(ctx))
			}
			if err != nil {
				faults = append(faults, err)
			}
			all = append(all, applications...)
		}
	}
	all = sortApplications(all)
	if err := errors.Join(append(faults, conflicts(all)...)...); err != nil {
		return nil, err
	}
	known := slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return obj == nil || isApplication(obj) || isApplicationSet(obj)
	})
	return &State{Applications: all, known: known}, nil
}

// sortApplications sorts by namespace and name, which it looks up once.
func sortApplications(all []Application) []Application {
	type named struct {
		name string
		app  Application
	}
	sorted := make([]named, len(all))
	for i, app := range all {
		sorted[i] = named{app.Object.GetNamespace() + "\x00" + app.Object.GetName(), app}
	}
	slices.SortStableFunc(sorted, func(a, b named) int { return strings.Compare(a.name, b.name) })
	for i := range sorted {
		all[i] = sorted[i].app
	}
	return all
}

func isApplication(obj *unstructured.Unstructured) bool { return isKind(obj, "Application") }

func isApplicationSet(obj *unstructured.Unstructured) bool { return isKind(obj, "ApplicationSet") }

func isKind(obj *unstructured.Unstructured, kind string) bool {
	gvk := obj.GroupVersionKind()
	return gvk.Group == argoapp.Group && gvk.Kind == kind
}

func (in *answers) defaultNamespace(obj *unstructured.Unstructured) {
	if obj.GetNamespace() == "" {
		obj.SetNamespace(in.namespace)
	}
}

// conflicts reports the Applications, sorted by name, that more than one object makes. Argo CD lets the controller of
// one ApplicationSet overwrite a declared Application, and refuses to overwrite another one's.
func conflicts(all []Application) []error {
	var found []error
	for i := 1; i < len(all); i++ {
		first, second := &all[i-1], &all[i]
		if compareNames(first.Object, second.Object) != 0 {
			continue
		}
		if second.ApplicationSet == "" {
			first, second = second, first
		}
		if second.ApplicationSet == "" {
			found = append(found, fmt.Errorf("Application %s: declared twice; remove or rename one", qualified(second.Object)))
			continue
		}
		maker := "a declared Application"
		if first.ApplicationSet != "" {
			maker = "an Application of ApplicationSet " + first.ApplicationSet
		}
		found = append(found, &ExpandError{
			ApplicationSet: second.Object.GetNamespace() + "/" + second.ApplicationSet,
			Path:           "spec.template.metadata.name", Application: second.Object.GetName(),
			Err: fmt.Errorf("%s has the same name; rename one", maker),
		})
	}
	return found
}
