package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/gitops/preview"
	"github.com/controlbackbone/backbone/policy/admission"
)

// actions are what the gate does through gitops and policy.
func (p *platform) actions() eventing.GateActions {
	return eventing.GateActions{
		Render: p.render,
		Judge:  p.judge,
		Sync: func(ctx context.Context, application eventing.GatedApplication) error {
			p.tally.add(func(t *counts) { t.syncs++ })
			return p.argocd.Sync(ctx, application.Object.GetName(), gitops.SyncRequest{
				Revision: application.Revision, Revisions: application.Revisions, InitiatedBy: name,
			})
		},
		Report: func(_ context.Context, report eventing.GateReport) error {
			p.tally.add(func(t *counts) { t.reports = append(t.reports, report) })
			return nil
		},
		Decisions: eventing.KubernetesDecisions{Client: p.Client, Namespace: namespace, Name: name},
	}
}

// render returns what Argo CD would deploy from the commit.
func (p *platform) render(ctx context.Context, application eventing.GatedApplication) ([]*unstructured.Unstructured, error) {
	p.tally.add(func(t *counts) { t.renders++ })
	content, err := preview.Revision(ctx, p.Repository.Dir(), application.Revision)
	if err != nil {
		return nil, err
	}
	inputs := preview.Inputs{Repositories: []preview.Repository{{URL: p.RepositoryURL, Content: content}}}
	state, err := preview.Expand(ctx, []*unstructured.Unstructured{application.Object}, inputs)
	if err != nil {
		return nil, err
	}
	if state, err = preview.Render(ctx, state, inputs, preview.RenderOptions{}); err != nil {
		return nil, err
	}
	rendered := state.Applications[0]
	return rendered.Resources, rendered.RenderError
}

// judge asks Kyverno's engine what the cluster would say.
func (p *platform) judge(ctx context.Context, _ eventing.GatedApplication, objects []*unstructured.Unstructured) ([]eventing.Denial, error) {
	p.tally.add(func(t *counts) { t.judgements++ })
	var denials []eventing.Denial
	for _, object := range objects {
		response, err := p.policies.Evaluate(ctx, admission.Request{Object: object})
		if err != nil {
			return nil, err
		}
		for _, verdict := range response.Verdicts {
			if !verdict.Enforced || verdict.Status != admission.Fail && verdict.Status != admission.Error {
				continue
			}
			if verdict.Err != nil {
				return nil, verdict.Err // There is no answer.
			}
			denials = append(denials, eventing.Denial{
				Object:  fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName()),
				Policy:  verdict.Policy.String(),
				Message: verdict.Message,
			})
		}
	}
	return denials, nil
}

// counts are how often the gate did something.
type counts struct {
	events, renders, judgements, syncs int
	reports                            []eventing.GateReport
}

// tally counts what is done at the same time.
type tally struct {
	mu     sync.Mutex
	counts counts
}

func (t *tally) add(count func(*counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count(&t.counts)
}

func (t *tally) read() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	read := t.counts
	read.reports = slices.Clone(read.reports)
	return read
}
