package preview

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/argoproj/argo-cd/v2/applicationset/generators"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// generation runs the generators of one ApplicationSet and knows where in it they are.
type generation struct {
	ctx context.Context
	// name of the ApplicationSet, as "namespace/name".
	name string
	// parents of the generator that runs, the outermost first.
	parents []parent
	// failed is the path of the innermost generator that failed first.
	failed string
}

// parent is a generator whose children run.
type parent struct {
	path, field string
	children    int
	// combined is how many sets of parameters a matrix has so far.
	combined int
}

// newGenerators returns Argo CD's own generators, fed from the inputs, and nested as in argo-cd:
// applicationset/generators/utils.go.
func newGenerators(g *generation, in *answers) map[string]generators.Generator {
	traced := func(field string, generator generators.Generator) generators.Generator {
		return &tracedGenerator{Generator: generator, field: field, generation: g}
	}
	clusters := generators.NewClusterGenerator(in.client, g.ctx, in.kube, in.namespace)
	decisions := generators.NewDuckTypeGenerator(g.ctx, in.dynamic, in.kube, in.namespace)
	terminal := map[string]generators.Generator{
		"List":                    traced("list", generators.NewListGenerator()),
		"Clusters":                traced("clusters", clusters),
		"Git":                     traced("git", generators.NewGitGenerator(gitAnswers{g.ctx, in}, in.namespace)),
		"SCMProvider":             traced("scmProvider", scmGenerator{in: in}),
		"ClusterDecisionResource": traced("clusterDecisionResource", decisions),
		"PullRequest":             traced("pullRequest", pullRequestGenerator{ctx: g.ctx, in: in}),
		"Plugin":                  traced("plugin", pluginGenerator{in: in}),
	}
	nesting := func(children map[string]generators.Generator) map[string]generators.Generator {
		all := maps.Clone(terminal)
		all["Matrix"] = traced("matrix", generators.NewMatrixGenerator(children))
		all["Merge"] = traced("merge", generators.NewMergeGenerator(children))
		return all
	}
	return nesting(nesting(terminal))
}

// transform returns the parameters of a top-level generator. A panic in Argo CD's code, which its controller survives,
// is an error.
func (g *generation) transform(
	index int, appSet *v1alpha1.ApplicationSet, all map[string]generators.Generator, c client.Client,
) (results []generators.TransformResult, err error) {
	g.parents = []parent{{path: fmt.Sprintf("spec.generators[%d]", index)}}
	g.failed = ""
	defer recoverAs(&err)
	return generators.Transform(appSet.Spec.Generators[index], all, appSet.Spec.Template, appSet, map[string]any{}, c)
}

// recoverAs turns a panic into an error.
func recoverAs(err *error) {
	switch cause := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("Argo CD's code panics: %w", cause)
	default:
		*err = fmt.Errorf("Argo CD's code panics: %v", cause)
	}
}

// enter returns the path of the generator that is about to run. A matrix runs its first child once, and then the second
// for each set of parameters; a merge runs its children in turn.
func (g *generation) enter(field string) string {
	within := &g.parents[len(g.parents)-1]
	path := within.path + "." + field
	if within.field != "" {
		child := within.children
		if within.field == "matrix" {
			child = min(child, 1)
		}
		path = fmt.Sprintf("%s.generators[%d].%s", within.path, child, field)
	}
	within.children++
	g.parents = append(g.parents, parent{path: path, field: field})
	return path
}

func (g *generation) leave() { g.parents = g.parents[:len(g.parents)-1] }

// tracedGenerator notes where a generator fails, and stops when the context is done.
type tracedGenerator struct {
	generators.Generator
	field      string
	generation *generation
}

// GenerateParams implements generators.Generator.
func (t *tracedGenerator) GenerateParams(
	generator *v1alpha1.ApplicationSetGenerator, appSet *v1alpha1.ApplicationSet, c client.Client,
) ([]map[string]any, error) {
	if err := t.generation.ctx.Err(); err != nil {
		return nil, err
	}
	path := t.generation.enter(t.field)
	defer t.generation.leave()
	params, err := t.generate(generator, appSet, c)
	if err == nil {
		return params, nil
	}
	if t.generation.failed == "" {
		t.generation.failed = path
	}
	if missing := new(MissingInputError); errors.As(err, &missing) && missing.Path == "" {
		missing.ApplicationSet, missing.Path = t.generation.name, path
	}
	return nil, err
}

// generate runs the generator, unless it would take or yield too much.
func (t *tracedGenerator) generate(
	generator *v1alpha1.ApplicationSetGenerator, appSet *v1alpha1.ApplicationSet, c client.Client,
) ([]map[string]any, error) {
	if generator.List != nil {
		if err := checkYAML("elementsYaml", []byte(generator.List.ElementsYaml)); err != nil {
			return nil, err
		}
	}
	params, err := t.Generator.GenerateParams(generator, appSet, c)
	if err != nil {
		return nil, err
	}
	within := &t.generation.parents[len(t.generation.parents)-2]
	if within.field == "matrix" && within.children > 1 {
		within.combined += len(params)
	}
	if max(within.combined, len(params)) > MaxParameterSets {
		return nil, fmt.Errorf("%w: more than %d sets of parameters", ErrTooLarge, MaxParameterSets)
	}
	return params, nil
}

// offline is the part of a generator that has no meaning without a controller.
type offline struct{}

// GetRequeueAfter implements generators.Generator.
func (offline) GetRequeueAfter(*v1alpha1.ApplicationSetGenerator) time.Duration {
	return generators.NoRequeueAfter
}
