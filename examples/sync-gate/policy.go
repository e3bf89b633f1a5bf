package main

import (
	"context"

	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

// policyStage gives the same policy to the cluster and to the gate.
func (p *platform) policyStage(ctx context.Context, progress flow.Progress) (string, error) {
	objects, err := policy.Build(policy.Kyverno(1, 15), policy.RequirePinnedImages{Name: "pinned-images"})
	if err != nil {
		return "", err
	}
	if p.policies, err = admission.New(objects, admission.Options{}); err != nil {
		return "", err
	}
	kyverno := policy.NewClient(p.Client, policy.ClientOptions{})
	if err := kyverno.Apply(ctx, objects...); err != nil {
		return "", err
	}
	progress.Say("waiting until the cluster enforces it")
	if err := kyverno.WaitReady(ctx, objects...); err != nil {
		return "", err
	}
	return "images must be pinned: in the cluster, and for the gate", nil
}
