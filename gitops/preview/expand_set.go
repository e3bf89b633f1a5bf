package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/argoproj/argo-cd/v2/applicationset/generators"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
)

// expandSet returns the Applications of one ApplicationSet.
func expandSet(ctx context.Context, obj *unstructured.Unstructured, in *answers) ([]Application, error) {
	appSet, err := decodeSet(obj)
	if err != nil {
		return nil, &ExpandError{ApplicationSet: in.nameOf(obj), Path: "spec", Err: err}
	}
	if appSet.Namespace == "" {
		appSet.Namespace = in.namespace
	}
	e := &expansion{in: in, appSet: appSet, name: in.nameOf(obj)}
	faults := e.generate(ctx)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if err := e.validate(ctx); err != nil {
		return nil, err
	}
	policy := gitops.SyncApplications
	if given := appSet.Spec.SyncPolicy; given != nil && given.ApplicationsSync != nil {
		policy = gitops.ApplicationsSync(*given.ApplicationsSync)
	}
	applications := make([]Application, len(e.generated))
	for i := range e.generated {
		applications[i] = Application{Object: e.generated[i].object, ApplicationSet: appSet.Name, ApplicationsSync: policy}
	}
	return applications, nil
}

func (in *answers) nameOf(obj *unstructured.Unstructured) string {
	if obj.GetNamespace() == "" {
		return in.namespace + "/" + obj.GetName()
	}
	return qualified(obj)
}

func decodeSet(obj *unstructured.Unstructured) (*v1alpha1.ApplicationSet, error) {
	data, err := json.Marshal(obj.Object)
	if err != nil {
		return nil, err
	}
	appSet := &v1alpha1.ApplicationSet{}
	if err := json.Unmarshal(data, appSet); err != nil {
		return nil, fmt.Errorf("is no ApplicationSet that Argo CD can read: %w", err)
	}
	return appSet, nil
}

// expansion is the work on one ApplicationSet.
type expansion struct {
	in        *answers
	appSet    *v1alpha1.ApplicationSet
	name      string
	generated []generatedApplication
}

// generate runs the generators one after the other, and renders what they yield. It returns one error for each
// generator at fault.
func (e *expansion) generate(ctx context.Context) []error {
	generation := &generation{ctx: ctx, name: e.name}
	all := newGenerators(generation, e.in)
	var faults []error
	for i := range e.appSet.Spec.Generators {
		results, err := e.transform(ctx, generation, i, all)
		if err == nil {
			err = e.renderAll(ctx, i, results)
		}
		if ctx.Err() != nil {
			return []error{ctx.Err()}
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// transform runs one generator. Only one may run in a process at a time, see slugging. As Argo CD's generators do not
// look at a context, one that is at work when the context is done ends by itself, unheard.
func (e *expansion) transform(
	ctx context.Context, g *generation, index int, all map[string]generators.Generator,
) ([]generators.TransformResult, error) {
	select {
	case slugging <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	heard := silence()
	results, err := untilDone(ctx, func() ([]generators.TransformResult, error) {
		defer func() { <-slugging }()
		defer heard()
		return g.transform(index, e.appSet, all, e.in.client)
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		return results, nil
	}
	if missing := new(MissingInputError); errors.As(err, &missing) {
		return nil, missing
	}
	fault := &ExpandError{
		ApplicationSet: e.name, Path: g.failed,
		Reason: v1alpha1.ApplicationSetReasonApplicationParamsGenerationError, Err: err,
	}
	if fault.Path == "" {
		fault.Path = fmt.Sprintf("spec.generators[%d]", index)
	}
	return nil, fault
}
