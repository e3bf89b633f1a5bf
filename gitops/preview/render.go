package preview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// RenderOptions say what the clusters that Argo CD deploys to are like.
type RenderOptions struct {
	// KubeVersion that charts see, unless their source names one. Default: "v1.33.0", the oldest that this module
	// supports.
	KubeVersion string
	// APIVersions that charts see beyond those of Kubernetes itself, as "group/version" or "group/version/Kind".
	APIVersions []string
	// ClusterScoped are custom kinds that have no namespace. Those of Kubernetes itself, and those whose
	// CustomResourceDefinitions the Applications deploy, are known; every other kind counts as namespaced.
	ClusterScoped []schema.GroupKind
}

// ErrOffline is what a source is refused with that needs more than the given repositories: a config management plugin,
// or something on the network.
var ErrOffline = errors.New("cannot be rendered offline")

// maxDepth is how many Applications may deploy one another in a row. Only a chart that deploys itself under another
// name needs more.
const maxDepth = 16

// Render returns the Applications with the resources that their sources render to, as Argo CD applies them: with the
// namespace of the destination where a resource names none, and the later of two manifests of one resource. The
// Applications and ApplicationSets among the resources that go to Argo CD's own cluster are expanded and rendered in
// turn. The given state is not changed.
//
// An Application that is both declared and deployed by another is taken as it is declared.
//
// An Application that cannot be rendered has a RenderError; the others are rendered. The error of Render itself is that
// of an ended context.
//
// Nothing is asked of a network or a cluster, nothing is executed, and nothing outside of the repositories is read. But
// charts, jsonnet and kustomizations run in the process itself: while Render ends with its context, one that never ends
// goes on, and one that asks for all memory gets it. Set limits to the process where the repositories are not trusted.
func Render(ctx context.Context, state *State, inputs Inputs, options RenderOptions) (*State, error) {
	inputs.Objects = slices.Concat(inputs.Objects, state.known)
	r := renderer{inputs: inputs, options: options, seen: map[string]bool{}, parents: map[string]string{}}
	out := &State{known: state.known}
	level := slices.DeleteFunc(slices.Clone(state.Applications), func(app Application) bool { return app.Object == nil })
	for _, app := range level {
		r.seen[qualified(app.Object)] = true
	}
	for depth := 0; len(level) > 0; depth++ {
		if err := r.renderAll(ctx, level, depth); err != nil {
			return nil, err
		}
		for _, app := range level {
			r.inputs.Objects = append(r.inputs.Objects, argoObjects(&app, "AppProject")...)
		}
		children, err := r.expandAll(ctx, level)
		if err != nil {
			return nil, err
		}
		out.Applications = append(out.Applications, level...)
		level = children
	}
	scopes := newScopes(options.ClusterScoped, out.Applications)
	for i := range out.Applications {
		app := &out.Applications[i]
		app.Parent = cmp.Or(r.parents[qualified(app.Object)], app.Parent)
		if app.Resources != nil {
			app.Resources = scopes.targets(app)
		}
	}
	slices.SortStableFunc(out.Applications, func(a, b Application) int {
		return compareNames(a.Object, b.Object)
	})
	return out, nil
}

type renderer struct {
	inputs  Inputs
	options RenderOptions
	// seen are the Applications that are in the tree already.
	seen map[string]bool
	// parents are the first Applications that deploy others.
	parents map[string]string
}

// renderAll renders the Applications on all cores.
func (r renderer) renderAll(ctx context.Context, apps []Application, depth int) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range apps {
		group.Go(func() error {
			app := &apps[i]
			if depth > maxDepth {
				app.RenderError = fmt.Errorf("more than %d Applications deploy one another in a row", maxDepth)
				return nil
			}
			if ctx.Err() == nil {
				app.Resources, app.RenderError = untilDone(ctx, func() ([]*unstructured.Unstructured, error) {
					return r.render(ctx, app.Object)
				})
			}
			return ctx.Err()
		})
	}
	if group.Wait() != nil {
		return fmt.Errorf("render: %w", context.Cause(ctx))
	}
	return nil
}

// render returns what the sources of an Application render to, one after the other.
func (r renderer) render(ctx context.Context, app *unstructured.Unstructured) (all []*unstructured.Unstructured, err error) {
	defer recoverAs(&err)
	sources, err := sourcesOf(app)
	if err != nil {
		return nil, err
	}
	all = []*unstructured.Unstructured{}
	for i := range sources {
		resources, err := r.renderSource(ctx, app, sources, i)
		if err == nil {
			resources, err = flatten(resources)
		}
		if err != nil {
			if len(sources) > 1 {
				return nil, fmt.Errorf("source %d of %d: %w", i+1, len(sources), err)
			}
			return nil, err
		}
		all = append(all, resources...)
	}
	return all, nil
}

// expandAll returns the Applications that are deployed by others.
func (r renderer) expandAll(ctx context.Context, parents []Application) ([]Application, error) {
	var children []Application
	for i := range parents {
		parent := &parents[i]
		objects := argoObjects(parent, "Application", "ApplicationSet")
		if len(objects) == 0 {
			continue
		}
		state, err := Expand(ctx, objects, r.inputs)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("render: %w", context.Cause(ctx))
		}
		if err != nil {
			parent.RenderError = fmt.Errorf("expand what it deploys: %w", err)
			continue
		}
		for _, child := range state.Applications {
			name := qualified(child.Object)
			if _, known := r.parents[name]; !known && name != qualified(parent.Object) {
				r.parents[name] = qualified(parent.Object)
			}
			if !r.seen[name] {
				r.seen[name] = true
				children = append(children, child)
			}
		}
	}
	return children, nil
}

// argoObjects are the resources of an Application, of some of Argo CD's kinds, that its own Argo CD acts upon.
func argoObjects(app *Application, kinds ...string) []*unstructured.Unstructured {
	if server := cluster(app); server != argoapp.InClusterServer && server != "in-cluster" {
		return nil
	}
	namespace, _, _ := unstructured.NestedString(app.Object.Object, "spec", "destination", "namespace")
	var objects []*unstructured.Unstructured
	for _, resource := range app.Resources {
		if resource.GroupVersionKind().Group != argoapp.Group || !slices.Contains(kinds, resource.GetKind()) || isHook(resource) {
			continue
		}
		resource = resource.DeepCopy()
		if resource.GetNamespace() == "" {
			resource.SetNamespace(namespace)
		}
		objects = append(objects, resource)
	}
	return objects
}
