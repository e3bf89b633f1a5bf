package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
)

const (
	pipelineApplication = "cicd-pipeline"
	pipelineNamespace   = "cicd"
	// syncTimeout bounds the way of a commit from git to the cluster.
	syncTimeout = 2 * time.Minute
)

// applications are those that the platform's folders become.
var applications = []string{"observability-alert-rules", "observability-dashboards", pipelineApplication, "security-baseline"}

// gitopsStage declares one AppProject and one ApplicationSet for each group of
// folders, and proves that the commit is what runs.
func (p platform) gitopsStage(ctx context.Context, progress flow.Progress) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, syncTimeout, fmt.Errorf("not within %s", syncTimeout))
	defer cancel()
	folders := gitops.Folders{
		RepoURL:         p.RepositoryURL,
		Revision:        "main",
		Groups:          []gitops.Group{{Name: "observability"}, {Name: "cicd"}, {Name: "security"}},
		NamespaceLabels: flow.Ownership(),
	}
	objects, err := folders.Build()
	if err != nil {
		return "", err
	}
	argocd := gitops.NewClient(p.Client, gitops.ClientOptions{})
	progress.Say("applying %d AppProjects and ApplicationSets", len(objects))
	if err := argocd.Apply(ctx, objects...); err != nil {
		return "", err
	}
	progress.Say("waiting until %d Applications are Synced and Healthy", len(applications))
	statuses, err := argocd.Wait(ctx, applications)
	if err != nil {
		return "", err
	}
	for _, status := range statuses {
		if !slices.Equal(status.Revisions, []string{p.Commit}) {
			return "", fmt.Errorf("the Application %s is at %v, want %s", status.Name, status.Revisions, p.Commit)
		}
	}
	var pipeline corev1.ConfigMap
	if err := p.Client.Get(ctx, client.ObjectKey{Namespace: pipelineNamespace, Name: "pipeline"}, &pipeline); err != nil {
		return "", fmt.Errorf("read what was synced: %w", err)
	}
	return fmt.Sprintf("%d Applications Synced and Healthy at %.7s", len(statuses), p.Commit), nil
}
