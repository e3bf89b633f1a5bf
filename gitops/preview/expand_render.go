package preview

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/v2/applicationset/controllers/template"
	"github.com/argoproj/argo-cd/v2/applicationset/generators"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/util/argo"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// generatedApplication is an Application with what its validation needs.
type generatedApplication struct {
	object      *unstructured.Unstructured
	name        string
	project     string
	destination v1alpha1.ApplicationDestination
	parameters  map[string]any
}

// chunkSize is how many sets of parameters are rendered without looking at the context.
const chunkSize = 16

// renderAll renders the template with all sets of parameters that a generator yields, on all cores.
func (e *expansion) renderAll(ctx context.Context, generator int, results []generators.TransformResult) error {
	for _, result := range results {
		work := &rendering{expansion: e, generator: generator, template: result.Template, renderer: &templateRenderer{ctx: ctx}}
		if err := work.all(ctx, result.Params); err != nil {
			return err
		}
	}
	return nil
}

// rendering is the work on one template, which a generator may have changed.
type rendering struct {
	*expansion
	generator int
	template  v1alpha1.ApplicationSetTemplate
	renderer  *templateRenderer
}

// all renders the template with all sets of parameters. Whatever does not look at the context ends by itself, unheard.
func (r *rendering) all(ctx context.Context, params []map[string]any) error {
	heard := silence()
	applications, err := untilDone(ctx, func() ([]generatedApplication, error) {
		defer heard()
		return r.inChunks(ctx, params)
	})
	r.generated = append(r.generated, applications...)
	return err
}

func (r *rendering) inChunks(ctx context.Context, params []map[string]any) ([]generatedApplication, error) {
	chunks := slices.Collect(slices.Chunk(params, chunkSize))
	done := make([][]generatedApplication, len(chunks))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(r.workers())
	for i, chunk := range chunks {
		group.Go(func() (err error) {
			if err := within.Err(); err != nil {
				return err
			}
			done[i], err = r.chunk(chunk)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, r.firstFault(ctx, params, err)
	}
	return slices.Concat(done...), nil
}

// workers is how many cores may render. Templates that write to their parameters get one, because parameter sets may
// share values.
func (r *rendering) workers() int {
	data, err := json.Marshal(r.template)
	if err != nil || mutating.Match(data) {
		return 1
	}
	if patch := r.appSet.Spec.TemplatePatch; patch != nil && mutating.MatchString(*patch) {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// chunk returns the Applications of some sets of parameters, in order.
func (r *rendering) chunk(params []map[string]any) ([]generatedApplication, error) {
	rendered, err := r.render(params)
	if err != nil {
		return nil, err
	}
	applications := make([]generatedApplication, len(rendered))
	for i := range rendered {
		app := &rendered[i]
		// The controller validates the project before it normalises it.
		applications[i] = generatedApplication{
			name: app.Name, project: app.Spec.Project, destination: app.Spec.Destination, parameters: params[i],
		}
		app.Spec = *argo.NormalizeApplicationSpec(&app.Spec)
		if applications[i].object, err = toUnstructured(app); err != nil {
			return nil, err
		}
	}
	return applications, nil
}

// render renders parameter sets that are already known, with Argo CD's own code.
func (r *rendering) render(params []map[string]any) (apps []v1alpha1.Application, err error) {
	defer recoverAs(&err)
	spec := &r.appSet.Spec
	appSet := v1alpha1.ApplicationSet{
		ObjectMeta: r.appSet.ObjectMeta,
		Spec: v1alpha1.ApplicationSetSpec{
			Generators: []v1alpha1.ApplicationSetGenerator{{List: &v1alpha1.ListGenerator{}}},
			SyncPolicy: spec.SyncPolicy, TemplatePatch: spec.TemplatePatch,
			GoTemplate: spec.GoTemplate, GoTemplateOptions: spec.GoTemplateOptions,
		},
	}
	known := map[string]generators.Generator{"List": knownParameters{params: params, template: &r.template}}
	apps, _, err = template.GenerateApplications(logrus.NewEntry(discard), appSet, known, r.renderer, nil)
	return apps, err
}

// knownParameters is a generator that has done its work.
type knownParameters struct {
	offline
	params   []map[string]any
	template *v1alpha1.ApplicationSetTemplate
}

// GetTemplate implements generators.Generator.
func (k knownParameters) GetTemplate(*v1alpha1.ApplicationSetGenerator) *v1alpha1.ApplicationSetTemplate {
	return k.template
}

// GenerateParams implements generators.Generator.
func (k knownParameters) GenerateParams(
	*v1alpha1.ApplicationSetGenerator, *v1alpha1.ApplicationSet, client.Client,
) ([]map[string]any, error) {
	return k.params, nil
}

// firstFault finds out which parameters the template cannot be rendered with: always the same, although the order of
// parameters may be random.
func (r *rendering) firstFault(ctx context.Context, params []map[string]any, err error) error {
	sorted := make([]sortedParameters, len(params))
	for i, set := range params {
		data, err := json.Marshal(set)
		if err != nil {
			data = nil
		}
		sorted[i] = sortedParameters{string(data), set}
	}
	slices.SortStableFunc(sorted, func(a, b sortedParameters) int { return strings.Compare(a.text, b.text) })
	fault := &ExpandError{ApplicationSet: r.name, Path: fmt.Sprintf("spec.generators[%d]", r.generator),
		Reason: v1alpha1.ApplicationSetReasonRenderTemplateParamsError, Err: err}
	for i := range sorted {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := r.render([]map[string]any{sorted[i].parameters}); err != nil {
			fault.Parameters, fault.Err = sorted[i].parameters, err
			break
		}
	}
	return fault
}

type sortedParameters struct {
	text       string
	parameters map[string]any
}

// toUnstructured returns what the controller would create.
func toUnstructured(app *v1alpha1.Application) (*unstructured.Unstructured, error) {
	spec, err := kruntime.DefaultUnstructuredConverter.ToUnstructured(&app.Spec)
	if err != nil {
		return nil, fmt.Errorf("Application %s: %w", app.Name, err)
	}
	metadata := map[string]any{"name": app.Name}
	if app.Namespace != "" {
		metadata["namespace"] = app.Namespace
	}
	for field, values := range map[string]map[string]string{"labels": app.Labels, "annotations": app.Annotations} {
		if len(values) == 0 {
			continue
		}
		set := make(map[string]any, len(values))
		for key, value := range values {
			set[key] = value
		}
		metadata[field] = set
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "spec": spec}}
	obj.SetGroupVersionKind(v1alpha1.ApplicationSchemaGroupVersionKind)
	if len(app.Finalizers) > 0 {
		obj.SetFinalizers(app.Finalizers)
	}
	return obj, nil
}

// discard is a logger for what Argo CD logs through an argument.
var discard = &logrus.Logger{
	Out: io.Discard, Formatter: &logrus.TextFormatter{}, Hooks: logrus.LevelHooks{}, Level: logrus.PanicLevel,
}
