package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/controlbackbone/backbone/internal/flow"
)

// platformFiles are the folders of the platform as its repository holds them.
//
//go:embed platform
var platformFiles embed.FS

// repositoryStage makes the platform's git repository and its first commit, and
// lets the cluster read it.
func (p platform) repositoryStage(ctx context.Context, progress flow.Progress) (string, error) {
	files, err := fs.Sub(platformFiles, "platform")
	if err != nil {
		return "", err
	}
	progress.Say("writing K8s/observability, K8s/cicd and K8s/security")
	if err := p.CreateRepository(ctx, files, "Add the platform"); err != nil {
		return "", err
	}
	return fmt.Sprintf("commit %.7s at %s", p.Commit, p.RepositoryURL), nil
}
