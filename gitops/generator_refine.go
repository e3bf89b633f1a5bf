package gitops

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Selected drops the sets of parameters of another generator that its selector does not match.
type Selected struct {
	Generator Generator
	// Selector of the parameters, as if they were labels. A parameter inside another is named with dots, such as
	// "path.basename". Values are plain text, such as a cluster's address, and no templates. An empty selector matches
	// everything. Mind that before Argo CD 3.4 a selector does not find what is inside `.values`, `.metadata.labels` and
	// `.metadata.annotations`.
	Selector metav1.LabelSelector
}

// Overridden gives the Applications of one generator another template. Argo CD knows it only for generators that are in
// no [Matrix] or [Merge]; the matrix or merge itself can be overridden.
type Overridden struct {
	Generator Generator
	// Template holds what differs from the ApplicationSet's template.
	Template TemplateOverride
}

// TemplateOverride is laid over the template of an ApplicationSet. Empty fields are the template's. What cannot be
// overridden here, such as the sync policy, is changed with the ApplicationSet's TemplatePatch: Argo CD lays an override
// over the template in a way that cannot switch anything off.
type TemplateOverride struct {
	// Name and Namespace of the Applications.
	Name      string
	Namespace string
	// Labels and Annotations of the Applications, added to the template's.
	Labels      map[string]string
	Annotations map[string]string
	// Project of the Applications.
	Project string
	// Sources that replace all of the template's.
	Sources []Source
	// Destination, laid over the template's field by field: a Server needs a template with a server, or with none, and a
	// Name needs a template with a name.
	Destination Destination
}

func (g Selected) validate(path *field.Path, depth depth) field.ErrorList {
	faults := validateGenerator(path.Child("generator"), g.Generator, depth)
	if len(faults) == 0 && isSelected(g.Generator) {
		faults = append(faults, field.Forbidden(path.Child("generator"), "the generator has a selector already"))
	}
	return append(faults, validatePostSelector(path.Child("selector"), g.Selector)...)
}

func isSelected(generator Generator) bool {
	_, selected := generator.build()["selector"]
	return selected
}

// validatePostSelector checks the selector as argo-cd: applicationset/utils/selector.go does: keys are those of labels,
// values are any text.
func validatePostSelector(path *field.Path, selector metav1.LabelSelector) field.ErrorList {
	var faults field.ErrorList
	text := func(at *field.Path, value string) {
		faults = append(faults, object.Text(at, value)...)
		if isTemplate(value) {
			faults = append(faults, field.Invalid(at, value, "is compared as it is: Argo CD renders no templates in a selector"))
		}
	}
	// Values are not those of labels: they are checked here, and left out of the check of everything else.
	final := metav1.LabelSelector{}
	for _, key := range keys(selector.MatchLabels) {
		metav1.AddLabelToSelector(&final, key, "")
		text(path.Child("matchLabels").Key(key), selector.MatchLabels[key])
	}
	for i, expression := range selector.MatchExpressions {
		final.MatchExpressions = append(final.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: expression.Key, Operator: expression.Operator, Values: make([]string, len(expression.Values)),
		})
		for j, value := range expression.Values {
			text(path.Child("matchExpressions").Index(i).Child("values").Index(j), value)
		}
	}
	return append(metav1validation.ValidateLabelSelector(&final, metav1validation.LabelSelectorValidationOptions{}, path), faults...)
}

func (g Selected) build() map[string]any {
	out := maps.Clone(g.Generator.build())
	out["selector"] = g.Selector
	return out
}

func (g Overridden) validate(path *field.Path, depth depth) field.ErrorList {
	faults := validateGenerator(path.Child("generator"), g.Generator, depth)
	if depth > topLevel {
		faults = append(faults, field.Forbidden(path.Child("template"), "Argo CD ignores the templates of generators in a matrix or merge"))
	}
	if len(faults) == 0 && !hasRoomForTemplate(g.Generator) {
		faults = append(faults, field.Forbidden(path.Child("generator"), "the generator has a template already"))
	}
	return append(faults, g.Template.validate(path.Child("template"))...)
}

func hasRoomForTemplate(generator Generator) bool {
	for kind, settings := range generator.build() {
		if kind == "selector" {
			continue
		}
		typed, ok := settings.(map[string]any)
		if _, taken := typed["template"]; !ok || taken {
			return false
		}
	}
	return true
}

func (g Overridden) build() map[string]any {
	out := maps.Clone(g.Generator.build())
	for kind, settings := range out {
		if typed, ok := settings.(map[string]any); ok && kind != "selector" {
			typed = maps.Clone(typed)
			typed["template"] = g.Template.build()
			out[kind] = typed
		}
	}
	return out
}

func (t TemplateOverride) validate(path *field.Path) field.ErrorList {
	texts := templated{}
	var faults field.ErrorList
	if t.Name != "" {
		faults = append(faults, texts.name(path.Child("name"), t.Name)...)
	}
	if t.Namespace != "" {
		faults = append(faults, texts.namespace(path.Child("namespace"), t.Namespace)...)
	}
	faults = append(faults, texts.labels(path.Child("labels"), t.Labels)...)
	faults = append(faults, texts.annotations(path.Child("annotations"), t.Annotations)...)
	if t.Project != "" {
		faults = append(faults, texts.name(path.Child("project"), t.Project)...)
	}
	faults = append(faults, validateSources(path.Child("sources"), t.Sources, texts)...)
	return append(faults, t.Destination.validate(path.Child("destination"), texts)...)
}

// build returns the override with the fields that the CRD requires, empty where the template's are meant. The sources
// are always a list: it wins over the template's single source, while a single source would be mixed with it.
func (t TemplateOverride) build() map[string]any {
	spec := object.Compact(map[string]any{"sources": buildEach(t.Sources, Source.build)})
	spec["project"] = t.Project
	spec["destination"] = object.Compact(map[string]any{
		"server": t.Destination.Server, "name": t.Destination.Name, "namespace": t.Destination.Namespace,
	})
	return map[string]any{
		"metadata": object.Compact(map[string]any{
			"name": t.Name, "namespace": t.Namespace, "labels": t.Labels, "annotations": t.Annotations,
		}),
		"spec": spec,
	}
}

// validateOverrides checks what the overrides of the generators, which are at the top level, need of the template.
func (s ApplicationSet) validateOverrides(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, generator := range s.Generators {
		at := path.Index(i)
		if selected, ok := generator.(Selected); ok {
			generator, at = selected.Generator, at.Child("generator")
		}
		overridden, ok := generator.(Overridden)
		if !ok {
			continue
		}
		override, named := overridden.Template.Destination, s.Template.Destination.Name != ""
		at = at.Child("template", "destination")
		if override.Name != "" && override.Server == "" && !named {
			faults = append(faults, field.Forbidden(at.Child("name"), "the template's destination has a server, which would stay"))
		}
		if override.Server != "" && override.Name == "" && named {
			faults = append(faults, field.Forbidden(at.Child("server"), "the template's destination has a name, which would stay"))
		}
	}
	return faults
}
