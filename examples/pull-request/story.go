package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/flow"
)

const (
	// eventTimeout bounds the way from a webhook to what it causes, with a Workflow in between.
	eventTimeout = 2 * time.Minute
	// resendAfter is how long a webhook is given before it is delivered again.
	resendAfter = 5 * time.Second
	// ownRepository and fork are the IDs of where the branch of the pull request may be.
	ownRepository, fork = 1, 2
)

// openedStage opens the pull request.
func (s *shop) openedStage(ctx context.Context, progress flow.Progress) (string, error) {
	s.github.change(true, s.Commit)
	progress.Say("waiting for the event source to listen")
	if err := s.until(ctx, func(ctx context.Context) (bool, error) {
		err := s.github.send(ctx, "labeled", ownRepository, s.github.secret)
		return err == nil, nil
	}); err != nil {
		return "", fmt.Errorf("send a webhook: %w", err)
	}
	began := time.Now()
	if err := s.deliver(ctx, progress, "opened", eventing.PullRequestSuccess); err != nil {
		return "", err
	}
	if err := s.expectPreview(ctx, "1"); err != nil {
		return "", err
	}
	return fmt.Sprintf("built, tested, previewed and reported in %s", flow.Seconds(time.Since(began))), s.expectWorkflows(ctx, "Succeeded")
}

// refusedStage sends what must start no Workflow, which the next stage counts: a webhook with another signature, one about
// a fork, and one that is delivered again.
func (s *shop) refusedStage(ctx context.Context, progress flow.Progress) (string, error) {
	progress.Say("sending webhooks with another signature, of a fork, and again")
	if err := s.github.send(ctx, "opened", ownRepository, "another secret"); !errors.Is(err, errRefused) {
		return "", fmt.Errorf("a webhook with another signature: got %w, want it refused", err)
	}
	if err := s.github.send(ctx, "opened", fork, s.github.secret); err != nil {
		return "", err
	}
	return "another signature is refused", s.github.send(ctx, "opened", ownRepository, s.github.secret)
}

// brokenStage pushes a commit that fails its test: the preview stays as it is.
func (s *shop) brokenStage(ctx context.Context, progress flow.Progress) (string, error) {
	if err := s.push(ctx, `release: "1"`, `release: broken`, "Break the release"); err != nil {
		return "", err
	}
	if err := s.deliver(ctx, progress, "synchronize", eventing.PullRequestFailure); err != nil {
		return "", err
	}
	// What was sent in between has none.
	if err := s.expectWorkflows(ctx, "Succeeded", "Failed"); err != nil {
		return "", err
	}
	return "the one new Workflow failed, the commit says so, the preview is still release 1", s.expectPreview(ctx, "1")
}

// fixedStage pushes a commit that passes: the preview moves to it.
func (s *shop) fixedStage(ctx context.Context, progress flow.Progress) (string, error) {
	if err := s.push(ctx, `release: broken`, `release: "2"`, "Release 2"); err != nil {
		return "", err
	}
	if err := s.deliver(ctx, progress, "synchronize", eventing.PullRequestSuccess); err != nil {
		return "", err
	}
	return "the preview is release 2", s.expectPreview(ctx, "2")
}

// closedStage closes the pull request.
func (s *shop) closedStage(ctx context.Context, progress flow.Progress) (string, error) {
	s.github.change(false, s.Commit)
	progress.Say("closing the pull request")
	if err := s.github.send(ctx, "closed", ownRepository, s.github.secret); err != nil {
		return "", err
	}
	if err := s.until(ctx, func(ctx context.Context) (bool, error) {
		for _, object := range []client.Object{
			flow.NewObject("argoproj.io/v1alpha1", "Application", "argocd", previewName(number)), flow.NewObject("v1", "Namespace", "", previewName(number)),
		} {
			if err := s.Client.Get(ctx, client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
				return false, err
			}
		}
		return true, nil
	}); err != nil {
		return "", fmt.Errorf("wait for the end of the preview: %w", err)
	}
	return "the preview and its namespace are gone", nil
}

// reopenedStage opens the pull request again, at the commit that it was closed with.
func (s *shop) reopenedStage(ctx context.Context, progress flow.Progress) (string, error) {
	s.github.change(true, s.Commit)
	if err := s.deliver(ctx, progress, "reopened", eventing.PullRequestSuccess); err != nil {
		return "", err
	}
	var namespace corev1.Namespace
	if err := s.Client.Get(ctx, client.ObjectKey{Name: previewName(number)}, &namespace); err != nil {
		return "", err
	}
	return "the same commit was built again, and is previewed again", s.expectPreview(ctx, "2")
}

// push commits to the branch of the pull request.
func (s *shop) push(ctx context.Context, old, replacement, message string) error {
	if err := s.Repository.Replace("shop/shop.yaml", old, replacement); err != nil {
		return err
	}
	if err := s.Publish(ctx, message); err != nil {
		return err
	}
	s.github.change(true, s.Commit)
	return nil
}

// deliver sends a webhook until the commit has a new status: a sensor that has not subscribed yet never learns of what came
// before.
func (s *shop) deliver(ctx context.Context, progress flow.Progress, action string, want eventing.PullRequestState) error {
	before := s.github.count(s.Commit)
	var sent time.Time
	err := s.until(ctx, func(ctx context.Context) (bool, error) {
		if s.github.count(s.Commit) == before && time.Since(sent) > resendAfter {
			progress.Say("delivering %q of %.7s", action, s.Commit)
			if err := s.github.send(ctx, action, ownRepository, s.github.secret); err != nil {
				return false, err
			}
			sent = time.Now()
		}
		return s.github.count(s.Commit) > before && s.github.status(s.Commit).State == want, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the status %s of %.7s, which is %q: %w", want, s.Commit, s.github.status(s.Commit), err)
	}
	if url := s.github.status(s.Commit).TargetURL; (url != "") != (want == eventing.PullRequestSuccess) {
		return fmt.Errorf("the status %s of %.7s has the URL %q", want, s.Commit, url)
	}
	return nil
}

// expectWorkflows fails unless the Workflows ended so, in the order of their beginning.
func (s *shop) expectWorkflows(ctx context.Context, want ...string) error {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("argoproj.io/v1alpha1")
	list.SetKind("WorkflowList")
	if err := s.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	ended := map[string]int{}
	for _, workflow := range list.Items {
		phase, _, _ := unstructured.NestedString(workflow.Object, "status", "phase")
		ended[phase]++
	}
	for _, phase := range want {
		ended[phase]--
	}
	for phase, number := range ended {
		if number != 0 {
			return fmt.Errorf("%d Workflows are %q, want %q of %d Workflows", number, phase, want, len(list.Items))
		}
	}
	return nil
}

// until asks again and again.
func (s *shop) until(ctx context.Context, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, eventTimeout, fmt.Errorf("not within %s", eventTimeout))
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
