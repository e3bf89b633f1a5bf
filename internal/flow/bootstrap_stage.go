package flow

import (
	"context"
	"fmt"
	"slices"

	"github.com/controlbackbone/backbone/bootstrap"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// dependencies are the components that another one cannot become ready without.
var dependencies = map[embedded.Component][]embedded.Component{
	embedded.ArgoEvents:      {embedded.NATS},
	embedded.ExternalSecrets: {embedded.Vault},
}

// plan is what bootstrap installs: every component from the manifests of its version.
func (f *Flow) plan(ctx context.Context) (bootstrap.Plan, error) {
	plan := bootstrap.Plan{Name: "backbone"}
	for _, name := range f.options.components {
		objects, err := f.Target.Manifests(ctx, name)
		if err != nil {
			return bootstrap.Plan{}, err
		}
		component := bootstrap.Component{Name: string(name), Version: name.Version(), Source: bootstrap.Objects(objects...)}
		for _, dependency := range dependencies[name] {
			if slices.Contains(f.options.components, dependency) {
				component.DependsOn = append(component.DependsOn, string(dependency))
			}
		}
		plan.Components = append(plan.Components, component)
	}
	return plan, nil
}

// bootstrapStage installs the plan, and proves that a second run finds nothing to do.
func (f *Flow) bootstrapStage(ctx context.Context, progress Progress) (string, error) {
	plan, err := f.plan(ctx)
	if err != nil {
		return "", err
	}
	ready := 0
	client, err := bootstrap.NewClient(f.Target.Config(), bootstrap.Options{Progress: func(event bootstrap.Event) {
		if _, ok := event.(bootstrap.ComponentReady); ok {
			ready++
		}
		if text := describe(event); text != "" {
			_, waiting := event.(bootstrap.Waiting)
			progress(Update{Message: text, Done: ready, Total: len(plan.Components), Minor: waiting})
		}
	}})
	if err != nil {
		return "", err
	}
	result, err := client.Run(ctx, plan)
	if err != nil {
		return "", err
	}
	objects := 0
	for _, component := range result.Components {
		objects += component.Objects
	}
	again, err := client.Run(ctx, plan)
	if err != nil {
		return "", fmt.Errorf("second run: %w", err)
	}
	for _, component := range again.Components {
		if component.Outcome != bootstrap.OutcomeUnchanged {
			return "", fmt.Errorf("second run: %s was %s, want it unchanged", component.Name, component.Outcome)
		}
	}
	return fmt.Sprintf("%d components, %d objects ready; a second run changed nothing", len(plan.Components), objects), nil
}

// describe puts an event into a line; some are not worth one.
func describe(event bootstrap.Event) string {
	switch e := event.(type) {
	case bootstrap.ComponentStarted:
		return fmt.Sprintf("%s %s: applying %d objects", e.Component, e.Version, e.Objects)
	case bootstrap.Waiting:
		if len(e.Unready) == 0 {
			return ""
		}
		return fmt.Sprintf("%s: waiting for %d objects, first %s", e.Component, len(e.Unready), e.Unready[0].ObjectRef)
	case bootstrap.Retrying:
		return fmt.Sprintf("%s: trying %s again: %v", e.Component, e.Object, e.Err)
	case bootstrap.ComponentReady:
		return fmt.Sprintf("%s: ready in %s", e.Component, Seconds(e.Duration))
	default:
		return ""
	}
}
