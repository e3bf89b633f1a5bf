package eventing

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// WorkflowTrigger runs the command argo of Argo Workflows, which upstream's image
// holds, against the Kubernetes API.
type WorkflowTrigger struct {
	// Operation on the workflow. Default: Submit.
	Operation WorkflowOperation
	// Workflow is what is submitted, or what names the workflow of another
	// operation. It needs a name; generateName is enough for Submit. Without a
	// namespace the one of the sensor is used. Required, unless there is a Source.
	//
	// To submit from a WorkflowTemplate, name it in spec.workflowTemplateRef.
	Workflow *unstructured.Unstructured
	// Source is where the sensor fetches the workflow from, each time it fires.
	// Forbidden with Workflow.
	Source ObjectSource
	// Arguments are added to the command, for example "--parameter" and
	// "size=large". Those that carry credentials are refused.
	Arguments []string
	// Parameters copy values of the event into the workflow, for example to
	// "spec.arguments.parameters.0.value".
	Parameters []Parameter
	// Until makes the trigger wait for labels on the workflow. Default: it does not
	// wait. Forbidden with Submit, where upstream fails to look at the workflow.
	Until *Until
	// Permissions are further rights: those on a workflow of a Source, which is not
	// known here, or for example to update workflows, for Stop with the argument
	// "--node-field-selector", or to read the templates of what Resubmit submits.
	Permissions []Permission
}

// WorkflowOperation is a subcommand of argo.
type WorkflowOperation string

// The operations. Upstream's submit-from is not among them: after it submitted a
// workflow it looks for one of the template's name, finds none and fails, so that
// each retry submits another.
// argo-events: Execute in pkg/sensors/triggers/argo-workflow/argo-workflow.go
const (
	Submit    WorkflowOperation = "submit"
	Resubmit  WorkflowOperation = "resubmit"
	RetryRun  WorkflowOperation = "retry"
	Suspend   WorkflowOperation = "suspend"
	Resume    WorkflowOperation = "resume"
	Stop      WorkflowOperation = "stop"
	Terminate WorkflowOperation = "terminate"
)

var workflowOperations = []WorkflowOperation{Submit, Resubmit, RetryRun, Suspend, Resume, Stop, Terminate}

// workflowVerbs are what an operation needs on workflows: those of the command,
// and those of upstream, which lists what it submitted and reads the others.
// argo-workflows: server/workflow/workflow_server.go and workflow/util/util.go
var workflowVerbs = map[WorkflowOperation][]string{
	Submit:    {"create", "list"},
	Resubmit:  {"create", "get"},
	RetryRun:  {"get", "update"},
	Suspend:   {"get", "update"},
	Resume:    {"get", "update"},
	Stop:      {"get", "patch"},
	Terminate: {"get", "patch"},
}

func (w WorkflowTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validateParameters(path.Child("parameters"), w.Parameters, dependencies, false)
	faults = append(faults, oneOf(path.Child("operation"), w.Operation, workflowOperations)...)
	faults = append(faults, validateArguments(path.Child("arguments"), w.Arguments, "token", "password", "username")...)
	faults = append(faults, w.Until.validate(path.Child("until"))...)
	if w.Until != nil && w.operation() == Submit {
		faults = append(faults, field.Forbidden(path.Child("until"), "upstream fails to look at a submitted workflow"))
	}
	faults = append(faults, validatePermissions(path.Child("permissions"), w.Permissions)...)
	return append(faults, w.validateWorkflow(path)...)
}

func (w WorkflowTrigger) validateWorkflow(path *field.Path) field.ErrorList {
	if !object.IsNil(w.Source) {
		return validateSourceAlone(path, w.Workflow, w.Source)
	}
	path = path.Child("workflow")
	if w.Workflow == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if faults := object.RequiredFragment(path, w.Workflow.Object); len(faults) > 0 {
		return faults
	}
	var faults field.ErrorList
	if version := w.Workflow.GetAPIVersion(); version != groupVersion.String() {
		faults = append(faults, field.NotSupported(path.Child("apiVersion"), version, []string{groupVersion.String()}))
	}
	if kind := w.Workflow.GetKind(); kind != "Workflow" {
		faults = append(faults, field.NotSupported(path.Child("kind"), kind, []string{"Workflow"}))
	}
	metadata := path.Child("metadata")
	faults = append(faults, optional(metadata.Child("namespace"), w.Workflow.GetNamespace(), object.Namespace)...)
	named := w.Workflow.GetName() != "" || w.operation() == Submit && w.Workflow.GetGenerateName() != ""
	if !named && !setsName(w.Parameters) {
		faults = append(faults, field.Required(metadata.Child("name"), ""))
	}
	return faults
}

func (w WorkflowTrigger) operation() WorkflowOperation {
	return cmp.Or(w.Operation, Submit)
}

func (w WorkflowTrigger) template(Sensor) (string, map[string]any) {
	return "argoWorkflow", object.Compact(map[string]any{
		"operation":  w.operation(),
		"source":     sourceSpec(w.Workflow, w.Source),
		"args":       w.Arguments,
		"parameters": parametersSpec(w.Parameters),
	})
}

func (w WorkflowTrigger) traits() traits {
	return traits{
		policy:      w.Until.policy(),
		object:      &objectTraits{parameters: w.Parameters, unknown: w.Workflow == nil && len(w.Permissions) == 0},
		permissions: append(w.derived(), w.Permissions...),
	}
}

// derived are the rights on a workflow that is known.
func (w WorkflowTrigger) derived() []Permission {
	if w.Workflow == nil {
		return nil
	}
	workflows := Permission{Group: groupVersion.Group, Resource: "workflows", Namespace: w.Workflow.GetNamespace()}
	templates := workflows
	workflows.Verbs = workflowVerbs[w.operation()]
	if name := w.Workflow.GetName(); name != "" && !setsName(w.Parameters) && w.operation() != Submit && w.operation() != Resubmit {
		workflows.Names = []string{name}
	}
	permissions := []Permission{workflows}
	switch w.operation() {
	case RetryRun:
		// The command deletes the pods of failed steps.
		permissions = append(permissions, Permission{Resource: "pods", Namespace: workflows.Namespace, Verbs: []string{"delete"}})
	case Submit:
		// The command validates the workflow, and reads the templates for it.
		namespaced, cluster := templateReferences(w.Workflow.Object)
		if namespaced {
			templates.Resource, templates.Verbs = "workflowtemplates", []string{"get"}
			permissions = append(permissions, templates)
		}
		if cluster {
			permissions = append(permissions, Permission{
				Group: groupVersion.Group, Resource: "clusterworkflowtemplates", ClusterWide: true, Verbs: []string{"get"},
			})
		}
	}
	return permissions
}

// templateReferences tells which kinds of templates a workflow refers to. They may
// refer to others, so the rights name none.
func templateReferences(value any) (namespaced, cluster bool) {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			reference, ok := item.(map[string]any)
			if !ok || key != "templateRef" && key != "workflowTemplateRef" {
				inner, innerCluster := templateReferences(item)
				namespaced, cluster = namespaced || inner, cluster || innerCluster
			} else if reference["clusterScope"] == true {
				cluster = true
			} else {
				namespaced = true
			}
		}
	case []any:
		for _, item := range value {
			inner, innerCluster := templateReferences(item)
			namespaced, cluster = namespaced || inner, cluster || innerCluster
		}
	}
	return namespaced, cluster
}
