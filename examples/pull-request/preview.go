package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
)

// previewName is that of the Application and of the namespace.
func previewName(number int) string { return fmt.Sprintf("preview-%d", number) }

// createPreview deploys a commit and waits until it is what runs.
func (s *shop) createPreview(ctx context.Context, pullRequest eventing.PullRequest) (string, error) {
	preview := previewName(pullRequest.Number)
	application, err := gitops.Application{
		Name: preview, Project: "previews", Cascade: true,
		Sources:     []gitops.Source{{RepoURL: s.RepositoryURL, Revision: pullRequest.Revision, Path: "shop"}},
		Destination: gitops.Destination{Namespace: preview},
		SyncPolicy:  gitops.SyncPolicy{CreateNamespace: true},
	}.Build()
	if err != nil {
		return "", err
	}
	if err := s.argocd.Apply(ctx, application); err != nil {
		return "", err
	}
	atCommit := gitops.Condition{Name: "at the commit", Met: func(status gitops.ApplicationStatus) (bool, error) {
		return slices.Equal(status.Revisions, []string{pullRequest.Revision}), nil
	}}
	if _, err := s.argocd.Wait(ctx, []string{preview}, atCommit, gitops.Synced(), gitops.Healthy()); err != nil {
		return "", err
	}
	return "https://" + preview + ".example.com", nil
}

// removePreview deletes the Application with what it deployed, and then the namespace.
func (s *shop) removePreview(ctx context.Context, pullRequest eventing.PullRequest) error {
	preview := previewName(pullRequest.Number)
	if err := s.argocd.Delete(ctx, preview, gitops.DeleteRequest{Wait: true}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return client.IgnoreNotFound(s.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: preview}}))
}

// expectPreview fails unless a release is what the preview runs.
func (s *shop) expectPreview(ctx context.Context, want string) error {
	var deployed corev1.ConfigMap
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: previewName(number), Name: "shop"}, &deployed); err != nil {
		return fmt.Errorf("read what was deployed: %w", err)
	}
	if release := deployed.Data["release"]; release != want {
		return fmt.Errorf("the preview is release %q, want %q", release, want)
	}
	return nil
}
