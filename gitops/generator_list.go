package gitops

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/object"
)

// List yields fixed sets of parameters. At least one of its fields is needed.
type List struct {
	// Elements are the sets of parameters: anything that JSON can express.
	Elements []map[string]any
	// ElementsYAML is a YAML list of further sets. In the second generator of a [Matrix] it may be a template over the
	// first one's parameters, such as "{{ .components | toJson }}".
	ElementsYAML string
}

func (g List) validate(path *field.Path, _ depth) field.ErrorList {
	if len(g.Elements) == 0 && g.ElementsYAML == "" {
		return field.ErrorList{field.Required(path.Child("elements"), "without an element nothing is generated")}
	}
	var faults field.ErrorList
	for i, element := range g.Elements {
		if element == nil {
			faults = append(faults, field.Required(path.Child("elements").Index(i), "an element is a set of parameters"))
			continue
		}
		faults = append(faults, validateRaw(path.Child("elements").Index(i), element, templated{})...)
	}
	return append(faults, g.validateYAML(path.Child("elementsYAML"))...)
}

func (g List) validateYAML(path *field.Path) field.ErrorList {
	faults := templated{}.text(path, g.ElementsYAML)
	if len(faults) > 0 || isTemplate(g.ElementsYAML) {
		return faults
	}
	var elements []map[string]any
	if err := yaml.Unmarshal([]byte(g.ElementsYAML), &elements); err != nil {
		return field.ErrorList{field.Invalid(path, g.ElementsYAML, "must be a YAML list of sets of parameters: "+err.Error())}
	}
	return nil
}

func (g List) build() map[string]any {
	return map[string]any{"list": object.Compact(map[string]any{"elements": g.Elements, "elementsYaml": g.ElementsYAML})}
}
