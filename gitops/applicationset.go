package gitops

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// ApplicationSet makes one Application for each set of parameters that its generators yield. Templates are Go
// templates, in which a missing key is an error.
type ApplicationSet struct {
	// Name of the ApplicationSet. Required.
	Name string
	// Namespace of the ApplicationSet and of its Applications. Default: "argocd".
	Namespace string
	// Labels and Annotations of the ApplicationSet itself.
	Labels      map[string]string
	Annotations map[string]string

	// Generators yield the parameters. At least one; the Applications of all of them are made.
	Generators []Generator
	// Template of the Applications. Any string in it may hold Go template actions over the generators' parameters.
	Template Application
	// TemplateOptions are options of Go's text/template. Default: "missingkey=error".
	TemplateOptions []string

	// ApplicationsSync says what the controller may do to Applications. Default: the controller's own, which is
	// SyncApplications unless an administrator chose otherwise.
	ApplicationsSync ApplicationsSync
	// PreserveResourcesOnDeletion keeps what an Application deployed when the Application goes away, for example
	// because its folder was renamed. Default: false, deployed resources are deleted with it.
	PreserveResourcesOnDeletion bool
}

// ApplicationsSync is what the ApplicationSet controller may do to the Applications that it has generated.
type ApplicationsSync string

// The policies that Argo CD knows.
const (
	SyncApplications ApplicationsSync = "sync"
	CreateOnly       ApplicationsSync = "create-only"
	CreateUpdate     ApplicationsSync = "create-update"
	CreateDelete     ApplicationsSync = "create-delete"
)

// Validate reports every fault of the ApplicationSet.
func (s ApplicationSet) Validate() field.ErrorList {
	faults := s.meta().Validate()
	generators := field.NewPath("generators")
	if len(s.Generators) == 0 {
		faults = append(faults, field.Required(generators, "an ApplicationSet needs at least one generator"))
	}
	for i, generator := range s.Generators {
		faults = append(faults, validateGenerator(generators.Index(i), generator)...)
	}
	faults = append(faults, s.validateTemplate(field.NewPath("template"))...)
	for i, option := range s.TemplateOptions {
		at := field.NewPath("templateOptions").Index(i)
		switch option {
		case "missingkey=error", "missingkey=default", "missingkey=invalid", "missingkey=zero":
		default:
			// text/template panics on an option that it does not know.
			faults = append(faults, field.NotSupported(at, option, []string{"missingkey=default", "missingkey=error", "missingkey=invalid", "missingkey=zero"}))
		}
	}
	switch s.ApplicationsSync {
	case "", SyncApplications, CreateOnly, CreateUpdate, CreateDelete:
	default:
		faults = append(faults, field.NotSupported(field.NewPath("applicationsSync"), s.ApplicationsSync,
			[]ApplicationsSync{SyncApplications, CreateOnly, CreateUpdate, CreateDelete}))
	}
	return faults
}

// Build returns the ApplicationSet as an object, or an Invalid error that lists every fault.
func (s ApplicationSet) Build() (*unstructured.Unstructured, error) {
	kind := argoapp.Kind("ApplicationSet")
	if err := object.Invalid(kind.GroupKind(), s.Name, s.Validate()); err != nil {
		return nil, err
	}
	template, err := s.template()
	if err != nil {
		return nil, err
	}
	options := s.TemplateOptions
	if len(options) == 0 {
		options = []string{"missingkey=error"}
	}
	spec, err := object.Encode(object.Compact(map[string]any{
		"goTemplate":        true,
		"goTemplateOptions": options,
		"generators":        buildGenerators(s.Generators),
		"template":          template,
		"syncPolicy": object.Compact(map[string]any{
			"applicationsSync":            s.ApplicationsSync,
			"preserveResourcesOnDeletion": s.PreserveResourcesOnDeletion,
		}),
	}))
	if err != nil {
		return nil, err
	}
	return object.New(kind, s.meta(), map[string]any{"spec": spec}), nil
}

func (s ApplicationSet) meta() object.Meta {
	return object.Meta{Name: s.Name, Namespace: orDefault(s.Namespace, argoapp.DefaultNamespace), Labels: s.Labels, Annotations: s.Annotations}
}

func (s ApplicationSet) validateTemplate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	texts := templated{}
	if s.Template.Name == "" {
		faults = append(faults, field.Required(path.Child("name"), "the Applications need names"))
	} else {
		faults = append(faults, texts.name(path.Child("name"), s.Template.Name)...)
	}
	if s.Template.Namespace != "" {
		faults = append(faults, texts.namespace(path.Child("namespace"), s.Template.Namespace)...)
	}
	faults = append(faults, texts.labels(path.Child("labels"), s.Template.Labels)...)
	faults = append(faults, texts.annotations(path.Child("annotations"), s.Template.Annotations)...)
	faults = append(faults, s.Template.validateSpec(path, texts)...)
	if s.Template.Cascade {
		// The finalizer in the template would win over preserveResourcesOnDeletion; without it the controller decides.
		faults = append(faults, field.Forbidden(path.Child("cascade"), "the ApplicationSet's preserveResourcesOnDeletion decides"))
	}
	return faults
}

func (s ApplicationSet) template() (map[string]any, error) {
	spec, err := s.Template.spec()
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"metadata": object.Compact(map[string]any{
			"name":        s.Template.Name,
			"namespace":   s.Template.Namespace,
			"labels":      s.Template.Labels,
			"annotations": s.Template.Annotations,
		}),
		"spec": spec,
	}, nil
}
