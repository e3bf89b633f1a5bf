package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/controlbackbone/backbone/gitops/preview"
	"github.com/controlbackbone/backbone/policy/admission"
)

// render returns what Argo CD would deploy from a revision, with the Application in place of the file.
func (o options) render(ctx context.Context) ([]admission.Document, error) {
	content, err := preview.Revision(ctx, o.repo, o.revision)
	if err != nil {
		return nil, err
	}
	objects, err := preview.Load(content, o.paths...)
	if err != nil {
		return nil, err
	}
	inputs := preview.Inputs{Repositories: []preview.Repository{{URL: o.repoURL, Content: content}}}
	state, err := preview.Expand(ctx, objects, inputs)
	if err != nil {
		return nil, err
	}
	if state, err = preview.Render(ctx, state, inputs, preview.RenderOptions{}); err != nil {
		return nil, err
	}
	var out []admission.Document
	var errs []error
	for _, app := range state.Applications {
		name := fmt.Sprintf("Application %s/%s", app.Object.GetNamespace(), app.Object.GetName())
		if app.RenderError != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, app.RenderError))
		}
		for i, obj := range app.Resources {
			out = append(out, admission.Document{Object: obj, File: name, Line: i + 1})
		}
	}
	return out, errors.Join(errs...)
}
