package eventing

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ArgoCDTrigger syncs an Argo CD Application by writing its operation field, as
// Argo CD's own API does. It needs no Argo CD token: the rights are those of
// [Sensor.RBAC] on that one Application.
//
// Argo CD runs one operation at a time and drops a request that arrives while
// another runs. It compares with the newest revision after every operation, so
// an Application with automated sync still catches up.
type ArgoCDTrigger struct {
	// Application is the name of the Application. Required, unless a parameter
	// sets "metadata.name".
	Application string
	// Namespace of the Application. Default: "argocd".
	Namespace string
	// Revision to sync to. Default: the target revision of the Application,
	// resolved anew.
	Revision string
	// Prune deletes what is no longer in the repository. Default: true.
	Prune *bool
	// SyncOptions of this sync. Argo CD does not add those of the Application.
	// Default: ServerSideApply=true and ApplyOutOfSyncOnly=true.
	SyncOptions []string
	// Parameters copy values of the event into the Application, for example to
	// "operation.sync.revision".
	Parameters []Parameter
}

func (a ArgoCDTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := validateParameters(path.Child("parameters"), a.Parameters, dependencies, false)
	if a.Application != "" || !setsName(a.Parameters) {
		faults = append(faults, object.Name(path.Child("application"), a.Application)...)
	}
	faults = append(faults, optional(path.Child("namespace"), a.Namespace, object.Namespace)...)
	faults = append(faults, object.Text(path.Child("revision"), a.Revision)...)
	for i, option := range a.SyncOptions {
		faults = append(faults, object.RequiredText(path.Child("syncOptions").Index(i), option)...)
	}
	return faults
}

// patch returns the trigger as the patch of an object.
func (a ArgoCDTrigger) patch(sensor Sensor) ObjectTrigger {
	options := a.SyncOptions
	if len(options) == 0 {
		options = []string{"ServerSideApply=true", "ApplyOutOfSyncOnly=true"}
	}
	sync := object.Compact(map[string]any{"syncOptions": options, "revision": a.Revision})
	sync["prune"] = a.Prune == nil || *a.Prune
	return ObjectTrigger{
		Operation:  Patch,
		Parameters: a.Parameters,
		Object: &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "argoproj.io/v1alpha1",
			"kind":       "Application",
			"metadata":   object.Compact(map[string]any{"name": a.Application, "namespace": cmp.Or(a.Namespace, "argocd")}),
			"operation": map[string]any{
				// Argo CD shows this name in the history of the Application.
				"initiatedBy": map[string]any{"username": "sensor/" + sensor.Namespace + "/" + sensor.Name},
				"sync":        sync,
			},
		}},
	}
}

func (a ArgoCDTrigger) template(sensor Sensor) (string, map[string]any) {
	return a.patch(sensor).template(sensor)
}

func (a ArgoCDTrigger) traits() traits {
	return a.patch(Sensor{}).traits()
}
