package eventing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// WorkflowPhase is how far a Workflow is.
type WorkflowPhase string

// The phases of a Workflow that has ended.
// argo-workflows: pkg/apis/workflow/v1alpha1/workflow_phase.go
const (
	WorkflowSucceeded WorkflowPhase = "Succeeded"
	WorkflowFailed    WorkflowPhase = "Failed"
	WorkflowError     WorkflowPhase = "Error"
)

// maxDescription is how long GitHub lets the description of a status be.
const maxDescription = 140

// previewEvent is what the sensor of [PreviewPullRequests] leaves of an event.
type previewEvent struct {
	Action     string        `json:"action"`
	Repository string        `json:"repository"`
	Number     int           `json:"number"`
	Revision   string        `json:"revision"`
	Workflow   string        `json:"workflow"`
	Phase      WorkflowPhase `json:"phase"`
	Message    string        `json:"message"`
}

func previewEventOf(event Event) (previewEvent, error) {
	var whole v1alpha1.Event
	if err := json.Unmarshal(event.Body, &whole); err != nil {
		return previewEvent{}, fmt.Errorf("event: %w", err)
	}
	var data previewEvent
	if err := json.Unmarshal(whole.Data, &data); err != nil {
		return previewEvent{}, fmt.Errorf("data of the event: %w", err)
	}
	if data.Repository == "" || data.Number <= 0 || data.Revision == "" || data.Action == "" && data.Phase == "" {
		return previewEvent{}, errors.New("the event names no commit of a pull request")
	}
	return data, nil
}

// Handle returns the Handle of a [Responder]. An event that is neither of a pull request nor of a Workflow is a [Permanent]
// error.
func (p PreviewPullRequests) Handle(actions PreviewActions) (func(context.Context, Event) error, error) {
	for name, missing := range map[string]bool{
		"current": actions.Current == nil, "create": actions.Create == nil, "remove": actions.Remove == nil, "report": actions.Report == nil,
	} {
		if missing {
			return nil, fmt.Errorf("actions of the recipe: %w", field.Required(field.NewPath(name), ""))
		}
	}
	return func(ctx context.Context, event Event) error {
		data, err := previewEventOf(event)
		if err != nil {
			return Permanent(err)
		}
		if err := data.handle(ctx, actions); err != nil {
			return fmt.Errorf("pull request %s#%d: %w", data.Repository, data.Number, err)
		}
		return nil
	}, nil
}

func (e previewEvent) handle(ctx context.Context, actions PreviewActions) error {
	switch {
	case e.Phase == WorkflowSucceeded:
		url, err := e.deploy(ctx, actions)
		if err != nil {
			return err
		}
		return e.report(ctx, actions, PullRequestSuccess, "Workflow "+e.Workflow+" succeeded", url)
	case e.Phase == WorkflowFailed:
		return e.report(ctx, actions, PullRequestFailure, "Workflow "+e.Workflow+" failed: "+e.Message, "")
	case e.Phase != "":
		return e.report(ctx, actions, PullRequestError, "Workflow "+e.Workflow+" could not run: "+e.Message, "")
	case e.Action == "closed":
		_, err := e.settle(ctx, actions)
		return err
	default:
		return e.report(ctx, actions, PullRequestPending, "It is built and tested", "")
	}
}

// settle removes the preview of a pull request that is not open any more.
func (e previewEvent) settle(ctx context.Context, actions PreviewActions) (PullRequest, error) {
	pullRequest, err := actions.Current(ctx, e.Repository, e.Number)
	if err != nil {
		return PullRequest{}, fmt.Errorf("ask for its state: %w", err)
	}
	if pullRequest.Open {
		return pullRequest, nil
	}
	if err := actions.Remove(ctx, pullRequest); err != nil {
		return PullRequest{}, fmt.Errorf("remove the preview: %w", err)
	}
	return pullRequest, nil
}

// deploy moves the preview to the commit if that is still the newest.
func (e previewEvent) deploy(ctx context.Context, actions PreviewActions) (url string, err error) {
	pullRequest, err := e.settle(ctx, actions)
	if err != nil || !pullRequest.Open || pullRequest.Revision != e.Revision {
		return "", err
	}
	if url, err = actions.Create(ctx, pullRequest); err != nil {
		return "", fmt.Errorf("create the preview: %w", err)
	}
	// Its closing may have been handled meanwhile.
	if pullRequest, err = e.settle(ctx, actions); err != nil || !pullRequest.Open {
		return "", err
	}
	return url, nil
}

func (e previewEvent) report(ctx context.Context, actions PreviewActions, state PullRequestState, description, url string) error {
	if runes := []rune(description); len(runes) > maxDescription {
		description = string(runes[:maxDescription-1]) + "…"
	}
	if err := actions.Report(ctx, PullRequestStatus{
		Repository: e.Repository, Number: e.Number, Revision: e.Revision, State: state, Description: description, URL: url,
	}); err != nil {
		return fmt.Errorf("report the status %s: %w", state, err)
	}
	return nil
}
