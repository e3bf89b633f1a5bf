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
	// Sources of the manifests. At least one, unless there is a SourceHydrator; with several, Argo CD merges what they
	// render.
	Sources []Source
	// SourceHydrator renders the manifests into git and syncs them from there. Default: nil, they are rendered when they
	// are synced.
	SourceHydrator *SourceHydrator
	// Destination of the manifests. Default: the cluster that Argo CD runs in.
	Destination Destination
	// SyncPolicy says how the destination follows the sources. The zero value is the platform's convention.
	SyncPolicy SyncPolicy
	// IgnoreDifferences are differences that are no drift, such as a replica count that an autoscaler owns; write them
	// as drift.IgnoreRules. With any of them, syncs leave these fields alone too (RespectIgnoreDifferences=true).
	// Default: none.
	IgnoreDifferences IgnoreDifferences
	// Info are texts and links that Argo CD's user interface shows. Default: none.
	Info []Info
	// RevisionHistoryLimit is the number of deployments that are remembered, to roll back to. 0 remembers none. Default:
	// Argo CD's own, 10.
	RevisionHistoryLimit *int64
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

// Info is a text or a link for people.
type Info struct {
	// Name of the text. Required.
	Name string
	// Value is the text, or the URL of a page.
	Value string
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
	switch {
	case a.SourceHydrator == nil && len(a.Sources) == 0:
		faults = append(faults, field.Required(path.Child("sources"), "an Application needs at least one source"))
	case a.SourceHydrator != nil && len(a.Sources) > 0:
		faults = append(faults, field.Forbidden(path.Child("sources"), "are ignored beside a sourceHydrator"))
	}
	faults = append(faults, validateSources(path.Child("sources"), a.Sources, texts)...)
	if a.SourceHydrator != nil {
		faults = append(faults, a.SourceHydrator.validate(path.Child("sourceHydrator"), texts)...)
	}
	faults = append(faults, a.Destination.validate(path.Child("destination"), texts)...)
	faults = append(faults, a.SyncPolicy.validate(path.Child("syncPolicy"), texts)...)
	for i, info := range a.Info {
		faults = append(faults, validatePair(path.Child("info").Index(i), info.Name, info.Value, texts)...)
	}
	if a.RevisionHistoryLimit != nil && *a.RevisionHistoryLimit < 0 {
		faults = append(faults, field.Invalid(path.Child("revisionHistoryLimit"), *a.RevisionHistoryLimit, "must not be negative"))
	}
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
		"info": buildEach(a.Info, func(i Info) map[string]any {
			return map[string]any{"name": i.Name, "value": i.Value}
		}),
		"revisionHistoryLimit": a.RevisionHistoryLimit,
	})
	spec["destination"] = a.Destination.build()
	switch {
	case a.SourceHydrator != nil:
		spec["sourceHydrator"] = a.SourceHydrator.build()
	case len(a.Sources) == 1:
		spec["source"] = a.Sources[0].build()
	default:
		spec["sources"] = buildEach(a.Sources, Source.build)
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
	return object.Compact(map[string]any{"server": d.serverOrDefault(), "name": d.Name, "namespace": d.Namespace})
}

func (d Destination) serverOrDefault() string {
	if d.Name != "" {
		return d.Server
	}
	return orDefault(d.Server, argoapp.InClusterServer)
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
