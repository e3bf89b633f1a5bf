package preview

import (
	"context"
	"errors"

	"github.com/argoproj/argo-cd/v2/applicationset/utils"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validate reports the first Application that Argo CD (argo-cd: applicationset/controllers/applicationset_controller.go,
// validateGeneratedApplications) or the API server would refuse.
func (e *expansion) validate(ctx context.Context) error {
	var (
		names        = make(map[string]bool, len(e.generated))
		projects     = map[string]error{}
		destinations = map[string]error{}
	)
	for i := range e.generated {
		app := &e.generated[i]
		if i%chunkSize == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if names[app.name] {
			return e.refused(app, "spec.template.metadata.name", errors.New("more than one set of parameters yields this name"))
		}
		names[app.name] = true
		if faults := validateMeta(app.object); len(faults) > 0 {
			fault := e.refused(app, "spec.template.metadata", faults.ToAggregate())
			fault.Reason = ""
			return fault
		}
		if err := remembered(projects, app.project, func() error { return e.validateProject(app.project) }); err != nil {
			return e.invalid(app, "spec.template.spec.project", err)
		}
		destination := app.destination
		key := destination.Name + "\n" + destination.Server
		if err := remembered(destinations, key, func() error { return e.validateDestination(ctx, destination) }); err != nil {
			return e.invalid(app, "spec.template.spec.destination", err)
		}
	}
	return nil
}

func remembered(known map[string]error, key string, judge func() error) error {
	err, ok := known[key]
	if !ok {
		err = judge()
		known[key] = err
	}
	return err
}

// invalid says where something unknown is referred to.
func (e *expansion) invalid(app *generatedApplication, path string, err error) error {
	if missing := new(MissingInputError); errors.As(err, &missing) {
		missing.ApplicationSet, missing.Path = e.name, path
		return missing
	}
	return e.refused(app, path, err)
}

func (e *expansion) refused(app *generatedApplication, path string, err error) *ExpandError {
	return &ExpandError{
		ApplicationSet: e.name, Path: path, Parameters: app.parameters, Application: app.name,
		Reason: v1alpha1.ApplicationSetReasonApplicationValidationError, Err: err,
	}
}

func (e *expansion) validateProject(name string) error {
	if name == "" {
		return errors.New("the project is empty")
	}
	if e.in.store.find(appProjects, e.in.namespace, name) == nil {
		return missingObject(appProjects, e.in.namespace, name)
	}
	return nil
}

// validateDestination checks the destination as the controller does. Nothing is known of a cluster when no clusters are
// given.
func (e *expansion) validateDestination(ctx context.Context, destination v1alpha1.ApplicationDestination) error {
	err := utils.ValidateDestination(ctx, &destination, e.in.kube, e.in.namespace)
	if missing := new(MissingInputError); errors.As(err, &missing) && !e.in.store.clustersKnown {
		return nil
	}
	return err
}

// validateMeta checks what the API server checks of every object.
func validateMeta(obj *unstructured.Unstructured) field.ErrorList {
	path := field.NewPath("metadata")
	var faults field.ErrorList
	for _, message := range validation.NameIsDNSSubdomain(obj.GetName(), false) {
		faults = append(faults, field.Invalid(path.Child("name"), obj.GetName(), message))
	}
	faults = append(faults, metav1validation.ValidateLabels(obj.GetLabels(), path.Child("labels"))...)
	faults = append(faults, validation.ValidateAnnotations(obj.GetAnnotations(), path.Child("annotations"))...)
	return append(faults, validation.ValidateFinalizers(obj.GetFinalizers(), path.Child("finalizers"))...)
}
