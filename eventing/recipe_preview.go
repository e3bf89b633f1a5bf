package eventing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// PreviewPullRequests is a recipe: the commits of a pull request are built and tested by a Workflow, and what succeeds is
// deployed as a preview until the pull request is closed. GitHub sends to an event source, a sensor creates the Workflow
// and sends on to a [Responder] whose Handle is [PreviewPullRequests.Handle]; so do the Workflows that have ended.
//
// Each event that opens, reopens or changes a pull request runs one Workflow, however often GitHub delivers it. A Workflow
// that ends after newer commits were pushed, or after the pull request was closed, deploys nothing.
type PreviewPullRequests struct {
	// Name of the Sensor and the EventSource, and the beginning of the names of a second EventSource and the Workflows.
	// Required, at most 32 characters.
	Name string
	// Namespace of all of them, where their bus lives too. Required.
	Namespace string
	// Labels are put on the objects.
	Labels map[string]string
	// EventBus is the name of the bus. Default: "default".
	EventBus string
	// GitHub is where GitHub sends to. Required.
	GitHub GitHub
	// Workflow is a Workflow of Argo Workflows without a name. The recipe sets its name, a label, and these parameters
	// of its arguments: "repository" such as acme/shop, "url" to clone, "number" of the pull request, and
	// "revision", the commit. Required.
	Workflow *unstructured.Unstructured
	// Responder is where the sensor sends to. Required: a URL, and the headers that it asks for.
	Responder HTTPTrigger
	// AllowForks also runs and deploys what comes from forks: code of people who may not push to the repository.
	AllowForks bool
}

// The events.
const (
	pullRequestEvent = "pull-request"
	buildEvent       = "build"
)

// The dependencies of the sensor.
const (
	changedDependency = "changed"
	closedDependency  = "closed"
	builtDependency   = "built"
)

// recipeLabel tells the Workflows of a recipe from others.
const recipeLabel = "eventing.backbone.dev/recipe"

// workflowArguments are the parameters that the recipe sets, each from the value of the same name in the event.
var workflowArguments = []string{"repository", "url", "number", "revision"}

// pullRequestProgram leaves of GitHub's event what the recipe reads. A fork that was deleted is no repository any more.
const pullRequestProgram = `{
  event: .body["X-GitHub-Event"], action: .body.action, updated: .body.pull_request.updated_at,
  repository: .body.repository.full_name, url: .body.repository.clone_url, number: .body.number,
  revision: .body.pull_request.head.sha, fork: (.body.pull_request.head.repo.id != .body.repository.id)
}`

// buildProgram leaves of a Workflow what the recipe reads, and whether it has ended just now.
const buildProgram = `(.body.spec.arguments.parameters | map({(.name): .value}) | add) as $arguments | {
  repository: $arguments.repository, number: ($arguments.number | tonumber), revision: $arguments.revision,
  workflow: .body.metadata.name, phase: .body.status.phase, message: .body.status.message,
  ended: (.body.status.phase != .oldBody.status.phase)
}`

// workflowName tells the events of pull requests apart: a reopened one is built again, one that is delivered again is not.
const workflowName = `{{ .Input.number }}-{{ printf "%v %v %v %v" .Input.repository .Input.number .Input.revision .Input.updated | sha256sum | trunc 12 }}`

// Objects returns the EventSources, the Sensor, and what they need to run. The Workflows need a ServiceAccount of their own
// with the rights of their executor. A fault is an Invalid API error.
func (p PreviewPullRequests) Objects() ([]*unstructured.Unstructured, error) {
	if err := SensorKind.invalid(p.Name, p.Validate()); err != nil {
		return nil, err
	}
	github := EventSource{
		Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, EventBus: p.EventBus, Events: map[string]Source{pullRequestEvent: p.GitHub},
	}
	builds := EventSource{
		Name: p.builds(), Namespace: p.Namespace, Labels: p.Labels, EventBus: p.EventBus, Events: map[string]Source{buildEvent: Resource{
			Group: workflowGroup, Version: "v1alpha1", Resource: "workflows", Namespace: p.workflowNamespace(),
			Changes: []Change{Added, Updated}, Labels: recipeLabel + "=" + p.Name,
			Fields: []FieldPattern{{Path: "status.phase", Pattern: "^(" + string(WorkflowSucceeded) + "|" + string(WorkflowFailed) + "|" + string(WorkflowError) + ")$"}},
		}},
	}
	return objectsOf(github, builds, p.sensor())
}

const workflowGroup = "argoproj.io"

func (p PreviewPullRequests) builds() string { return p.Name + "-builds" }

func (p PreviewPullRequests) workflowNamespace() string {
	if namespace := p.Workflow.GetNamespace(); namespace != "" {
		return namespace
	}
	return p.Namespace
}

func (p PreviewPullRequests) sensor() Sensor {
	changed := []DataFilter{
		StringIn{Path: "event", Values: []string{"pull_request"}},
		StringIn{Path: "action", Values: []string{"opened", "synchronize", "reopened"}},
	}
	if !p.AllowForks {
		changed = append(changed, Bool{Path: "fork", Value: false})
	}
	pullRequest := Dependency{EventSource: p.Name, Event: pullRequestEvent, Transform: JQ{Program: pullRequestProgram}}
	opened, closed := pullRequest, pullRequest
	opened.Name, opened.Filters = changedDependency, Filters{Data: changed}
	closed.Name, closed.Filters = closedDependency, Filters{Data: []DataFilter{
		StringIn{Path: "event", Values: []string{"pull_request"}}, StringIn{Path: "action", Values: []string{"closed"}},
	}}
	built := Dependency{
		Name: builtDependency, EventSource: p.builds(), Event: buildEvent, Transform: JQ{Program: buildProgram},
		Filters: Filters{Data: []DataFilter{Bool{Path: "ended", Value: true}}},
	}
	return Sensor{
		Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, EventBus: p.EventBus,
		Dependencies: []Dependency{opened, closed, built},
		Triggers: []SensorTrigger{
			{Name: "build", When: changedDependency, Trigger: p.workflow()},
			// Not for long: what comes late would replace the result.
			{Name: "pending", When: changedDependency, Trigger: p.respond(changedDependency), Retry: &Retry{Attempts: 3, Pause: time.Second}},
			{Name: "close", When: closedDependency, Trigger: p.respond(closedDependency)},
			{Name: "result", When: builtDependency, Trigger: p.respond(builtDependency)},
		},
	}
}

func (p PreviewPullRequests) respond(dependency string) HTTPTrigger {
	send := p.Responder
	send.Payload = []Parameter{{From: WholeEvent{Dependency: dependency}}}
	return send
}

// workflow creates the Workflow of an event. To create it again would fail, and be tried again in the way of other events:
// a patch creates what is not there, and changes nothing of what is.
// argo-events: Execute in pkg/sensors/triggers/standard-k8s/standard-k8s.go
func (p PreviewPullRequests) workflow() ObjectTrigger {
	workflow := p.Workflow.DeepCopy()
	workflow.SetNamespace(p.workflowNamespace())
	labels := workflow.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[recipeLabel] = p.Name
	workflow.SetLabels(labels)
	parameters := []Parameter{{From: DataTemplate{Dependency: changedDependency, Template: p.Name + "-" + workflowName}, To: "metadata.name"}}
	arguments := argumentsOf(workflow)
	for _, name := range workflowArguments {
		parameters = append(parameters, Parameter{From: DataKey{Dependency: changedDependency, Path: name}, To: fmt.Sprintf("spec.arguments.parameters.%d.value", len(arguments))})
		arguments = append(arguments, map[string]any{"name": name})
	}
	// It is where Validate has found nothing else.
	_ = unstructured.SetNestedSlice(workflow.Object, arguments, "spec", "arguments", "parameters")
	return ObjectTrigger{
		Operation: Patch, Object: workflow, Parameters: parameters,
		Permissions: []Permission{{Namespace: workflow.GetNamespace(), Group: workflowGroup, Resource: "workflows", Verbs: []string{"create"}}},
	}
}

func argumentsOf(workflow *unstructured.Unstructured) []any {
	arguments, _, _ := unstructured.NestedSlice(workflow.Object, "spec", "arguments", "parameters")
	return arguments
}

// Validate reports every fault of the recipe.
func (p PreviewPullRequests) Validate() field.ErrorList {
	faults := validateMeta(object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels})
	if len(p.Name) > 32 {
		faults = append(faults, field.TooLong(field.NewPath("name"), "", 32))
	}
	faults = append(faults, optional(field.NewPath("eventBus"), p.EventBus, label)...)
	faults = append(faults, p.GitHub.validateSource(field.NewPath("gitHub"))...)
	faults = append(faults, p.validateWorkflow(field.NewPath("workflow"))...)
	faults = append(faults, p.Responder.validateTrigger(field.NewPath("responder"), nil)...)
	if len(p.Responder.Payload) > 0 {
		faults = append(faults, field.Forbidden(field.NewPath("responder", "payload"), "the recipe sends the whole event"))
	}
	return faults
}

func (p PreviewPullRequests) validateWorkflow(path *field.Path) field.ErrorList {
	if p.Workflow == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	faults := object.RequiredFragment(path, p.Workflow.Object)
	if len(faults) > 0 {
		return faults
	}
	if kind := p.Workflow.GroupVersionKind(); kind.Group != workflowGroup || kind.Version != "v1alpha1" || kind.Kind != "Workflow" {
		faults = append(faults, field.NotSupported(path.Child("kind"), p.Workflow.GetAPIVersion()+" "+p.Workflow.GetKind(), []string{workflowGroup + "/v1alpha1 Workflow"}))
	}
	for name, value := range map[string]string{"name": p.Workflow.GetName(), "generateName": p.Workflow.GetGenerateName()} {
		if value != "" {
			faults = append(faults, field.Forbidden(path.Child("metadata", name), "the recipe names the Workflows"))
		}
	}
	faults = append(faults, optional(path.Child("metadata", "namespace"), p.Workflow.GetNamespace(), object.Namespace)...)
	at := path.Child("spec", "arguments", "parameters")
	arguments, _, err := unstructured.NestedSlice(p.Workflow.Object, "spec", "arguments", "parameters")
	if err != nil {
		return append(faults, field.TypeInvalid(at, nil, "must be a list"))
	}
	for i, argument := range arguments {
		fields, _ := argument.(map[string]any)
		if name, _ := fields["name"].(string); slices.Contains(workflowArguments, name) {
			faults = append(faults, field.Forbidden(at.Index(i).Child("name"), "the recipe sets it"))
		}
	}
	return faults
}

// PreviewActions are what the recipe does elsewhere. Each may be called again for the same thing, after a crash or a
// failure, and must then do nothing twice.
type PreviewActions struct {
	// Current returns the pull request as GitHub has it now: events may come late and in any order. Required.
	Current func(ctx context.Context, repository string, number int) (PullRequest, error)
	// Create deploys the preview at the revision of the pull request, or moves it there, and returns where people find it.
	// Required.
	Create func(ctx context.Context, pullRequest PullRequest) (url string, err error)
	// Remove removes the preview and all that belongs to it. One that is not there is no error. Required.
	Remove func(ctx context.Context, pullRequest PullRequest) error
	// Report sets the status of a commit. Required.
	Report func(ctx context.Context, status PullRequestStatus) error
}

// PullRequest is one of GitHub.
type PullRequest struct {
	// Repository such as acme/shop, and the number of the pull request in it.
	Repository string
	Number     int
	// Revision is its newest commit.
	Revision string
	// Open is false for one that was closed or merged.
	Open bool
}

// PullRequestStatus is the status of a commit of a pull request.
type PullRequestStatus struct {
	Repository string
	Number     int
	// Revision is the commit.
	Revision string
	// State in the words of GitHub.
	State PullRequestState
	// Description for people, at most 140 characters, which is what GitHub takes.
	Description string
	// URL of the preview, empty without one.
	URL string
}

// PullRequestState is what GitHub shows beside a commit.
type PullRequestState string

// The states.
const (
	PullRequestPending PullRequestState = "pending"
	PullRequestSuccess PullRequestState = "success"
	PullRequestFailure PullRequestState = "failure"
	PullRequestError   PullRequestState = "error"
)
