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
	// TemplatePatch is a Go template of YAML or JSON that is laid over each Application as a strategic merge patch, for
	// what a template of strings cannot express, such as a list of values or a switch. It cannot change the project.
	// Default: none.
	TemplatePatch string

	// Strategy is the order in which Applications change. Default: all at once.
	Strategy Strategy
	// PreservedFields of live Applications are left alone.
	PreservedFields PreservedFields
	// IgnoreApplicationDifferences are fields of live Applications whose changes the controller does not undo, such as
	// an automated sync that somebody switched off. Default: none.
	IgnoreApplicationDifferences []ApplicationDifferences
	// ApplicationsSync says what the controller may do to Applications. Default: the controller's own, which is
	// SyncApplications unless an administrator chose otherwise.
	ApplicationsSync ApplicationsSync
	// PreserveResourcesOnDeletion keeps what an Application deployed when the Application goes away, for example
	// because its folder was renamed. Default: false, deployed resources are deleted with it.
	PreserveResourcesOnDeletion bool
}

// PreservedFields are labels and annotations of Applications that others may set, beside those that Argo CD preserves
// anyway. Keys are exact.
type PreservedFields struct {
	Labels      []string
	Annotations []string
}

// ApplicationDifferences are fields of Applications that others may change. At least one field is needed. Fields in a
// list are undone with every other change of the list.
type ApplicationDifferences struct {
	// Name of the Application. Default: all.
	Name string
	// JSONPointers of the fields (RFC 6901), such as "/spec/syncPolicy".
	JSONPointers []string
	// JQPathExpressions of the fields, such as ".spec.source.helm.values".
	JQPathExpressions []string
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
		faults = append(faults, validateGenerator(generators.Index(i), generator, topLevel)...)
	}
	faults = append(faults, s.validateOverrides(generators)...)
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
	faults = append(faults, validateTemplatePatch(field.NewPath("templatePatch"), s.TemplatePatch)...)
	faults = append(faults, s.Strategy.validate(field.NewPath("strategy"))...)
	faults = append(faults, validateTexts(field.NewPath("preservedFields", "labels"), s.PreservedFields.Labels, literal{})...)
	faults = append(faults, validateTexts(field.NewPath("preservedFields", "annotations"), s.PreservedFields.Annotations, literal{})...)
	for i, differences := range s.IgnoreApplicationDifferences {
		faults = append(faults, differences.validate(field.NewPath("ignoreApplicationDifferences").Index(i))...)
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
		"templatePatch":     s.TemplatePatch,
		"strategy":          s.Strategy.build(),
		"preservedFields": object.Compact(map[string]any{
			"labels":      s.PreservedFields.Labels,
			"annotations": s.PreservedFields.Annotations,
		}),
		"ignoreApplicationDifferences": buildEach(s.IgnoreApplicationDifferences, ApplicationDifferences.build),
		"syncPolicy": object.Compact(map[string]any{
			"applicationsSync":            s.ApplicationsSync,
			"preserveResourcesOnDeletion": s.PreserveResourcesOnDeletion,
		}),
	}))
	if err != nil {
		return nil, err
	}
	if hasNestedSelector(spec["generators"]) {
		spec["applyNestedSelectors"] = true
	}
	return object.New(kind, s.meta(), map[string]any{"spec": spec}), nil
}

func (s ApplicationSet) meta() object.Meta {
	return object.Meta{Name: s.Name, Namespace: orDefault(s.Namespace, argoapp.DefaultNamespace), Labels: s.Labels, Annotations: s.Annotations}
}
