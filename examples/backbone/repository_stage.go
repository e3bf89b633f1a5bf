package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path/filepath"
)

// platformFiles are the folders of the platform as its repository holds them.
//
//go:embed platform
var platformFiles embed.FS

// repositoryStage makes the platform's git repository and its first commit, and
// lets the cluster read it.
func (f *flow) repositoryStage(ctx context.Context, progress progress) (string, error) {
	files, err := fs.Sub(platformFiles, "platform")
	if err != nil {
		return "", err
	}
	progress.say("writing K8s/observability, K8s/cicd and K8s/security")
	if f.repository, err = newRepository(ctx, filepath.Join(f.workDir, "platform"), files); err != nil {
		return "", err
	}
	if err := f.publish(ctx, "Add the platform"); err != nil {
		return "", err
	}
	return fmt.Sprintf("commit %.7s at %s", f.commit, f.repositoryURL), nil
}

// publish commits what has changed and lets the cluster see it.
func (f *flow) publish(ctx context.Context, message string) error {
	commit, err := f.repository.commit(ctx, message)
	if err != nil {
		return err
	}
	url, err := f.target.Publish(ctx, f.repository.dir)
	if err != nil {
		return fmt.Errorf("publish the repository: %w", err)
	}
	f.commit, f.repositoryURL = commit, url
	return nil
}
