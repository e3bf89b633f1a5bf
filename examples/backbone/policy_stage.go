package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/internal/target"
	"github.com/controlbackbone/backbone/policy"
)

// policyTimeout bounds the time until a policy is in force and acts.
const policyTimeout = time.Minute

// policyStage turns two conventions into guarantees: a namespace has an owner,
// and it begins with a NetworkPolicy.
func (p platform) policyStage(ctx context.Context, progress flow.Progress) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, policyTimeout, fmt.Errorf("not within %s", policyTimeout))
	defer cancel()
	// The namespaces that were made before there was a policy.
	exempt := []string{"argocd", "argo-events", "backbone-system", "external-secrets", "kyverno", "nats", "vault", target.GitNamespace}
	objects, err := policy.Build(policy.Kyverno(1, 15),
		policy.RequireLabels{Name: "require-namespace-owner", Labels: []policy.RequiredLabel{{Key: "owner"}}, ExemptNamespaces: exempt},
		// The event source and the sensor must reach the bus.
		policy.DefaultNetworkPolicy{Name: "default-network-policy", ExemptNamespaces: append(exempt, eventsNamespace)},
	)
	if err != nil {
		return "", err
	}
	kyverno := policy.NewClient(p.Client, policy.ClientOptions{})
	progress.Say("applying the policies")
	if err := kyverno.Apply(ctx, objects...); err != nil {
		return "", err
	}
	progress.Say("waiting until they are in force")
	if err := kyverno.WaitReady(ctx, objects...); err != nil {
		return "", err
	}

	progress.Say("asking for a namespace without an owner")
	denial := p.ApplyObjects(ctx, flow.NewObject("v1", "Namespace", "", "nobodys"))
	if denial == nil {
		return "", errors.New("a namespace without an owner was admitted")
	}
	var status apierrors.APIStatus
	if !errors.As(denial, &status) {
		return "", fmt.Errorf("a namespace without an owner was neither admitted nor denied: %w", denial)
	}
	progress.Say("asking for a namespace with one")
	began := time.Now()
	if err := p.ApplyNamespace(ctx, "somebodys"); err != nil {
		return "", err
	}
	generated := flow.NewObject("networking.k8s.io/v1", "NetworkPolicy", "somebodys", "default")
	if err := p.Await(ctx, generated, policyTimeout, func(*unstructured.Unstructured) bool { return true }); err != nil {
		return "", err
	}
	return fmt.Sprintf("no owner: denied; with owner: admitted, its NetworkPolicy came after %s", flow.Seconds(time.Since(began))), nil
}
