package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
)

//go:embed platform
var files embed.FS

const (
	// application is its name, its namespace, and that of what it deploys.
	application = "report"
	image       = "registry.example.com/report"
	// commits are as many as the stages publish.
	commits = 3
	// releaseTimeout bounds the way from a commit to what comes of it.
	releaseTimeout = time.Minute
	// refreshAfter is how long Argo CD is given before it is asked to compare again.
	refreshAfter = 3 * time.Second
	// refreshes are how often Argo CD compares while a commit is held.
	refreshes = 5
)

// admittedStage publishes a commit that conforms, and declares the Application without automated sync.
func (p *platform) admittedStage(ctx context.Context, progress flow.Progress) (string, error) {
	ctx, cancel := within(ctx, releaseTimeout)
	defer cancel()
	content, err := fs.Sub(files, "platform")
	if err != nil {
		return "", err
	}
	if err := p.CreateRepository(ctx, content, "Release 1.0"); err != nil {
		return "", err
	}
	if err := p.ApplyNamespace(ctx, application); err != nil {
		return "", err
	}
	if err := p.Apply(ctx, gitops.Application{
		Name: application, Labels: map[string]string{"sync": "gated"}, Project: "default",
		Sources:     []gitops.Source{{RepoURL: p.RepositoryURL, Revision: "main", Path: "report"}},
		Destination: gitops.Destination{Namespace: application},
		SyncPolicy:  gitops.SyncPolicy{Manual: true},
	}); err != nil {
		return "", err
	}
	progress.Say("waiting for the gate")
	if _, err := p.awaitReport(ctx, eventing.GateSynced); err != nil {
		return "", err
	}
	return p.expectSynced(ctx, "1.0")
}

// heldStage publishes a commit that does not conform: nothing is deployed, and Argo CD's further comparisons lead to no
// further decision.
func (p *platform) heldStage(ctx context.Context, progress flow.Progress) (string, error) {
	ctx, cancel := within(ctx, releaseTimeout)
	defer cancel()
	if err := p.release(ctx, "1.0", "latest"); err != nil {
		return "", err
	}
	progress.Say("waiting for the gate")
	report, err := p.awaitReport(ctx, eventing.GateHeld)
	if err != nil {
		return "", err
	}
	before := p.tally.read()
	for i := range refreshes {
		progress.Say("comparing again, %d of %d", i+1, refreshes)
		if err := p.compare(ctx); err != nil {
			return "", err
		}
	}
	if err := poll(ctx, func() error {
		if events := p.tally.read().events - before.events; events < refreshes {
			return fmt.Errorf("%d events came of %d comparisons", events, refreshes)
		}
		return nil
	}); err != nil {
		return "", err
	}
	after := p.tally.read()
	if after.renders != before.renders || after.judgements != before.judgements || after.syncs != before.syncs || len(after.reports) != len(before.reports) {
		return "", fmt.Errorf("the gate went from %+v to %+v, want only more events", before, after)
	}
	if err := p.expectImage(ctx, "1.0"); err != nil {
		return "", err
	}
	denial := report.Denials[0]
	return fmt.Sprintf("%s: %s; %d more events, nothing else", denial.Object, denial.Message, after.events-before.events), nil
}

// admittedAgainStage publishes a commit that conforms again, and counts.
func (p *platform) admittedAgainStage(ctx context.Context, progress flow.Progress) (string, error) {
	ctx, cancel := within(ctx, releaseTimeout)
	defer cancel()
	if err := p.release(ctx, "latest", "1.1"); err != nil {
		return "", err
	}
	progress.Say("waiting for the gate")
	if _, err := p.awaitReport(ctx, eventing.GateSynced); err != nil {
		return "", err
	}
	proof, err := p.expectSynced(ctx, "1.1")
	if err != nil {
		return "", err
	}
	did := p.tally.read()
	if did.renders != commits || did.judgements != commits || did.syncs != commits-1 || len(did.reports) != commits || did.events <= commits {
		return "", fmt.Errorf("%d commits, of which one is held, came to %+v", commits, did)
	}
	return fmt.Sprintf("%s; %d events about %d commits: %d judgements, %d syncs", proof, did.events, commits, did.judgements, did.syncs), nil
}

// release publishes a commit with another image.
func (p *platform) release(ctx context.Context, from, to string) error {
	if err := p.Repository.Replace("report/report.yaml", image+":"+from, image+":"+to); err != nil {
		return err
	}
	return p.Publish(ctx, "Release "+to)
}

// awaitReport has Argo CD compare until the gate has told what came of the newest commit: a sensor that has not subscribed
// yet never learns of what came before.
func (p *platform) awaitReport(ctx context.Context, want eventing.GateOutcome) (eventing.GateReport, error) {
	var report eventing.GateReport
	refreshed := time.Now()
	err := poll(ctx, func() error {
		reports := p.tally.read().reports
		if i := slices.IndexFunc(reports, func(r eventing.GateReport) bool { return r.Application.Revision == p.Commit }); i >= 0 {
			report = reports[i]
			return nil
		}
		if time.Since(refreshed) > refreshAfter {
			refreshed = time.Now()
			if err := p.argocd.Refresh(ctx, application, gitops.RefreshNormal); err != nil {
				return err
			}
		}
		return fmt.Errorf("there is no report of the commit %.7s", p.Commit)
	})
	if err == nil && report.Outcome != want {
		err = fmt.Errorf("the commit %.7s is %s, want %s: %v", p.Commit, report.Outcome, want, report.Denials)
	}
	return report, err
}

// compare has Argo CD compare again, in a later second.
func (p *platform) compare(ctx context.Context) error {
	before, err := p.argocd.Get(ctx, application)
	if err != nil {
		return err
	}
	again := gitops.Condition{Name: "compared again", Met: func(status gitops.ApplicationStatus) (bool, error) {
		return status.ReconciledAt.After(before.ReconciledAt), nil
	}}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Until(before.ReconciledAt.Add(time.Second))):
	}
	if err := p.argocd.Refresh(ctx, application, gitops.RefreshNormal); err != nil {
		return err
	}
	_, err = p.argocd.Wait(ctx, []string{application}, again)
	return err
}

// expectSynced waits until the newest commit is deployed, and fails unless it was the gate that synced it.
func (p *platform) expectSynced(ctx context.Context, tag string) (string, error) {
	statuses, err := p.argocd.Wait(ctx, []string{application}, gitops.OperationDone(), gitops.Synced())
	if err != nil {
		return "", err
	}
	status := statuses[0]
	if operation := status.Operation; operation.InitiatedBy != name || !slices.Equal(operation.Revisions, []string{p.Commit}) {
		return "", fmt.Errorf("%s synced %v, want the gate to sync %s", operation.InitiatedBy, operation.Revisions, p.Commit)
	}
	if err := p.expectImage(ctx, tag); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s:%s deployed at %.7s by %s", image, tag, p.Commit, name), nil
}

// expectImage fails unless the cluster has the image.
func (p *platform) expectImage(ctx context.Context, tag string) error {
	var deployed batchv1.CronJob
	if err := p.Client.Get(ctx, client.ObjectKey{Namespace: application, Name: application}, &deployed); err != nil {
		return fmt.Errorf("read what was deployed: %w", err)
	}
	if got := deployed.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image; got != image+":"+tag {
		return fmt.Errorf("%s is deployed, want %s:%s", got, image, tag)
	}
	return nil
}

func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s", limit))
}

// poll tries until there is no error, or the context ends.
func poll(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
