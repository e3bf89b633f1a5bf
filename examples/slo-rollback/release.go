package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
)

//go:embed platform
var platform embed.FS

const (
	application = "shops-web"
	manifest    = "K8s/shops/web/web.yaml"
	// syncTimeout bounds the way of a commit from git to the cluster.
	syncTimeout = time.Minute
)

// releasesStage deploys two releases by GitOps: the second is the one that will burn.
func (s *shop) releasesStage(ctx context.Context, progress flow.Progress) (string, error) {
	files, err := fs.Sub(platform, "platform")
	if err != nil {
		return "", err
	}
	if err := s.CreateRepository(ctx, files, "Release 1"); err != nil {
		return "", err
	}
	objects, err := gitops.Folders{RepoURL: s.RepositoryURL, Revision: "main", Groups: []gitops.Group{{Name: "shops"}}}.Build()
	if err != nil {
		return "", err
	}
	s.argocd = gitops.NewClient(s.Client, gitops.ClientOptions{})
	if err := s.argocd.Apply(ctx, objects...); err != nil {
		return "", err
	}
	progress.Say("waiting for release 1")
	if err := s.awaitRelease(ctx, "1"); err != nil {
		return "", err
	}
	progress.Say("pushing release 2")
	if err := s.release(ctx, "1", "2"); err != nil {
		return "", err
	}
	return "release 2 is deployed, release 1 is in the history", s.awaitRelease(ctx, "2")
}

// release pushes a release.
func (s *shop) release(ctx context.Context, from, to string) error {
	if err := s.Repository.Replace(manifest, fmt.Sprintf("release: %q", from), fmt.Sprintf("release: %q", to)); err != nil {
		return err
	}
	return s.Publish(ctx, "Release "+to)
}

// awaitRelease waits until Argo CD has deployed the newest commit, and looks at what it deployed.
func (s *shop) awaitRelease(ctx context.Context, release string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, syncTimeout, fmt.Errorf("not within %s", syncTimeout))
	defer cancel()
	atCommit := gitops.Condition{Name: "at the newest commit", Met: func(status gitops.ApplicationStatus) (bool, error) {
		return slices.Equal(status.Revisions, []string{s.Commit}), nil
	}}
	// The first time the Application need not exist yet, and compares at once when it does.
	if err := s.argocd.Refresh(ctx, application, gitops.RefreshNormal); client.IgnoreNotFound(err) != nil {
		return err
	}
	if _, err := s.argocd.Wait(ctx, []string{application}, gitops.Synced(), gitops.Healthy(), atCommit); err != nil {
		return err
	}
	return s.expectRelease(ctx, release)
}

// expectRelease fails unless a release is what the cluster runs.
func (s *shop) expectRelease(ctx context.Context, want string) error {
	var web corev1.ConfigMap
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: "shops", Name: "web"}, &web); err != nil {
		return fmt.Errorf("read what was deployed: %w", err)
	}
	if release := web.Data["release"]; release != want {
		return fmt.Errorf("release %s is deployed, want %s", release, want)
	}
	return nil
}
