package gitops

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// Application deploys one or more sources to one destination. It is also the template of an [ApplicationSet], where
// every string may hold Go template actions.
type Application struct {
	// Name of the Application. Required.
	Name string
	// Namespace of the Application itself. Default: "argocd"; in a template, that of the ApplicationSet.
	Namespace string
	// Labels and Annotations of the Application itself.
	Labels      map[string]string
	Annotations map[string]string

	// Project that the Application belongs to, and whose limits bind it. Required.
	Project string
	// Sources of the manifests. At least one; with several, Argo CD merges what they render.
	Sources []Source
	// Destination of the manifests. Default: the cluster that Argo CD runs in.
	Destination Destination
	// SyncPolicy says how the destination follows the sources. The zero value is the platform's convention.
	SyncPolicy SyncPolicy
	// IgnoreDifferences are differences that are no drift, such as a replica count that an autoscaler owns; write them
	// as drift.IgnoreRules. With any of them, syncs leave these fields alone too (RespectIgnoreDifferences=true).
	// Default: none.
	IgnoreDifferences IgnoreDifferences
	// Cascade deletes what was deployed when the Application is deleted. Default: false, deployed resources stay.
	// In a template leave it false: the ApplicationSet's PreserveResourcesOnDeletion decides.
	Cascade bool
}

// IgnoreDifferences yields the entries of an Application's spec.ignoreDifferences. drift.IgnoreRules implements it.
type IgnoreDifferences interface {
	// Validate reports faults with paths relative to the list, such as `[0].kind`.
	Validate() field.ErrorList
	// Build returns the entries in Argo CD's form.
	Build() ([]map[string]any, error)
}

// Destination is a cluster and a namespace in it.
type Destination struct {
	// Server is the URL of the cluster's API server as Argo CD knows it; Name is Argo CD's name for the cluster. At
	// most one of them. Default: the cluster that Argo CD runs in.
	Server string
	Name   string
	// Namespace for resources that name none. Default: none; namespaced resources must then name theirs. In an
	// AppProject it is a pattern and required ("*" permits every namespace).
	Namespace string
}

// Validate reports every fault of the Application.
func (a Application) Validate() field.ErrorList {
	faults := a.meta().Validate()
	return append(faults, a.validateSpec(nil, literal{})...)
}

// Build returns the Application as an object, or an Invalid error that lists every fault.
func (a Application) Build() (*unstructured.Unstructured, error) {
	kind := argoapp.Kind("Application")
	if err := object.Invalid(kind.GroupKind(), a.Name, a.Validate()); err != nil {
		return nil, err
	}
	spec, err := a.spec()
	if err != nil {
		return nil, err
	}
	obj := object.New(kind, a.meta(), map[string]any{"spec": spec})
	if a.Cascade {
		obj.SetFinalizers([]string{argoapp.ResourcesFinalizer})
	}
	return obj, nil
}

func (a Application) meta() object.Meta {
	return object.Meta{Name: a.Name, Namespace: orDefault(a.Namespace, argoapp.DefaultNamespace), Labels: a.Labels, Annotations: a.Annotations}
}

// validateSpec checks everything but the metadata. In a template, texts says how to check its strings.
func (a Application) validateSpec(path *field.Path, texts texts) field.ErrorList {
	var faults field.ErrorList
	if a.Project == "" {
		faults = append(faults, field.Required(path.Child("project"), "every Application belongs to an AppProject"))
	} else {
		faults = append(faults, texts.name(path.Child("project"), a.Project)...)
	}
	if len(a.Sources) == 0 {
		faults = append(faults, field.Required(path.Child("sources"), "an Application needs at least one source"))
	}
	for i, source := range a.Sources {
		faults = append(faults, source.validate(path.Child("sources").Index(i), texts, len(a.Sources) > 1)...)
	}
	faults = append(faults, a.Destination.validate(path.Child("destination"), texts)...)
	faults = append(faults, a.SyncPolicy.validate(path.Child("syncPolicy"), texts)...)
	if !object.IsNil(a.IgnoreDifferences) {
		for _, fault := range a.IgnoreDifferences.Validate() {
			fault.Field = path.Child("ignoreDifferences").String() + fault.Field
			faults = append(faults, fault)
		}
	}
	return faults
}

func (a Application) spec() (map[string]any, error) {
	var ignore []map[string]any
	if !object.IsNil(a.IgnoreDifferences) {
		var err error
		if ignore, err = a.IgnoreDifferences.Build(); err != nil {
			return nil, err
		}
	}
	spec := object.Compact(map[string]any{
		"project":           a.Project,
		"syncPolicy":        a.SyncPolicy.build(len(ignore) > 0),
		"ignoreDifferences": ignore,
	})
	spec["destination"] = a.Destination.build()
	if len(a.Sources) == 1 {
		spec["source"] = a.Sources[0].build()
	} else {
		spec["sources"] = buildSources(a.Sources)
	}
	return object.Encode(spec)
}

func (d Destination) validate(path *field.Path, texts texts) field.ErrorList {
	faults := texts.text(path.Child("server"), d.Server)
	faults = append(faults, texts.text(path.Child("name"), d.Name)...)
	if d.Server != "" && d.Name != "" {
		faults = append(faults, field.Forbidden(path.Child("name"), "a destination has a server or a name, not both"))
	}
	if d.Namespace != "" {
		faults = append(faults, texts.namespace(path.Child("namespace"), d.Namespace)...)
	}
	return faults
}

func (d Destination) build() map[string]any {
	if d.Server == "" && d.Name == "" {
		d.Server = argoapp.InClusterServer
	}
	return object.Compact(map[string]any{"server": d.Server, "name": d.Name, "namespace": d.Namespace})
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
