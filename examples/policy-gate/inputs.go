package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/manifest"
	"github.com/controlbackbone/backbone/policy/admission"
	"github.com/controlbackbone/backbone/policy/admission/defaulting"
)

// inputs are what is judged, and by what.
type inputs struct {
	policies, exceptions, data []*unstructured.Unstructured
	documents                  []admission.Document
}

func (o options) read(ctx context.Context) (*inputs, error) {
	if len(o.policies) == 0 {
		return demo()
	}
	var in inputs
	var errs []error
	for _, part := range []struct {
		paths []string
		into  *[]*unstructured.Unstructured
	}{{o.policies, &in.policies}, {o.exceptions, &in.exceptions}, {o.data, &in.data}} {
		documents, err := manifest.LoadPaths(part.paths...)
		*part.into = admission.Objects(documents)
		errs = append(errs, err)
	}
	var err error
	if o.repo != "" {
		in.documents, err = o.render(ctx)
	} else {
		in.documents, err = manifest.LoadPaths(o.manifests...)
	}
	if o.defaults {
		errs = append(errs, in.fillIn())
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	in.policies = slices.DeleteFunc(in.policies, isNoPolicy)
	if len(in.policies) == 0 {
		return nil, errors.New("--policies holds no policy: without one everything is admitted")
	}
	if len(in.documents) == 0 {
		return nil, errors.New("there is no manifest to judge")
	}
	return &in, nil
}

// fillIn adds the API server's defaults to what is judged.
func (in *inputs) fillIn() error {
	var errs []error
	for i, document := range in.documents {
		filled, err := defaulting.Object(document.Object)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", document.File, document.Line, err))
			continue
		}
		in.documents[i].Object = filled
	}
	return errors.Join(errs...)
}

// isNoPolicy is for what lies beside policies in their folders, such as the permissions that they need.
func isNoPolicy(obj *unstructured.Unstructured) bool {
	switch obj.GroupVersionKind().Group {
	case "kyverno.io", "policies.kyverno.io", "admissionregistration.k8s.io":
		return obj.GetKind() == "PolicyException"
	default:
		return true
	}
}

func (in *inputs) judge(ctx context.Context) (*admission.Report, error) {
	// What policies may ask about their neighbours: the namespaces that are among the manifests.
	data := slices.Clone(in.data)
	for _, document := range in.documents {
		if obj := document.Object; obj.GetKind() == "Namespace" && obj.GetAPIVersion() == "v1" {
			data = append(data, obj)
		}
	}
	engine, err := admission.New(in.policies, admission.Options{Exceptions: in.exceptions, Data: admission.Data{Objects: data}})
	if err != nil {
		return nil, err
	}
	return engine.Judge(ctx, in.documents)
}
