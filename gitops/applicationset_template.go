package gitops

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/object"
)

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

// validateTemplatePatch checks the syntax of the template. One without actions must be a YAML object: argo-cd applies it
// in applicationset/controllers/template/patch.go.
func validateTemplatePatch(path *field.Path, patch string) field.ErrorList {
	if faults := (templated{}).text(path, patch); len(faults) > 0 || isTemplate(patch) {
		return faults
	}
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(patch), &fields); err != nil {
		return field.ErrorList{field.Invalid(path, patch, "must be a YAML object: "+err.Error())}
	}
	return nil
}

func (d ApplicationDifferences) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("name"), d.Name)
	if len(d.JSONPointers)+len(d.JQPathExpressions) == 0 {
		faults = append(faults, field.Required(path.Child("jsonPointers"), "fields are named by JSON pointer or jq expression"))
	}
	for i, pointer := range d.JSONPointers {
		faults = append(faults, validatePointer(path.Child("jsonPointers").Index(i), pointer)...)
	}
	return append(faults, validateTexts(path.Child("jqPathExpressions"), d.JQPathExpressions, literal{})...)
}

func (d ApplicationDifferences) build() map[string]any {
	return object.Compact(map[string]any{"name": d.Name, "jsonPointers": d.JSONPointers, "jqPathExpressions": d.JQPathExpressions})
}
