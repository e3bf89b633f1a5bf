package gitops

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Generator yields the parameters of an ApplicationSet's template: [GitDirectories], [GitFiles], [List], [Clusters],
// [ClusterDecisionResource], [SCMProvider], [PullRequests], [PluginGenerator]; [Matrix] and [Merge], which combine
// others; [Selected] and [Overridden], which refine another; or [RawGenerator] for whatever else Argo CD knows.
type Generator interface {
	validate(path *field.Path, depth depth) field.ErrorList
	build() map[string]any
}

// depth is the number of matrix and merge generators around a generator.
// argo-cd: pkg/apis/application/v1alpha1/applicationset_types.go, ApplicationSetTerminalGenerator: at the second level
// there is no place for another matrix or merge, and Argo CD drops it silently.
type depth int

const (
	topLevel    depth = 0
	bottomLevel depth = 2
)

const tooDeep = "a matrix or merge inside another holds no third one"

// RawGenerator takes a generator in Argo CD's own form, such as {"pullRequest": {...}}.
type RawGenerator map[string]any

func (g RawGenerator) validate(path *field.Path, depth depth) field.ErrorList {
	if len(g) == 0 {
		return field.ErrorList{field.Required(path, "the generator's own form is needed")}
	}
	faults := validateRaw(path, g, templated{})
	for _, kind := range []string{"matrix", "merge"} {
		if _, combines := g[kind]; combines && depth >= bottomLevel {
			faults = append(faults, field.Forbidden(path.Key(kind), tooDeep))
		}
	}
	return faults
}

func (g RawGenerator) build() map[string]any { return g }

func validateGenerator(path *field.Path, generator Generator, depth depth) field.ErrorList {
	if object.IsNil(generator) {
		return field.ErrorList{field.Required(path, "a generator is missing")}
	}
	return generator.validate(path, depth)
}

func buildGenerators(generators []Generator) []map[string]any {
	out := make([]map[string]any, len(generators))
	for i, generator := range generators {
		out[i] = generator.build()
	}
	return out
}

func validateValues(path *field.Path, values map[string]string) field.ErrorList {
	var faults field.ErrorList
	for _, key := range keys(values) {
		faults = append(faults, object.Text(path.Key(key), key)...)
		faults = append(faults, templated{}.text(path.Key(key), values[key])...)
	}
	return faults
}

func validateRequeue(path *field.Path, requeue time.Duration) field.ErrorList {
	if requeue < 0 || requeue%time.Second != 0 {
		return field.ErrorList{field.Invalid(path, requeue.String(), "must be a positive number of whole seconds")}
	}
	return nil
}

func seconds(requeue time.Duration) int64 { return int64(requeue / time.Second) }

// validateSelector checks a selector of labels, whose keys and values may be templates in the second generator of a
// matrix. The final values are the API server's to judge.
func validateSelector(path *field.Path, selector metav1.LabelSelector) field.ErrorList {
	var faults field.ErrorList
	text := func(at *field.Path, value string) string {
		if !isTemplate(value) {
			return value
		}
		faults = append(faults, templated{}.text(at, value)...)
		return "template"
	}
	final := metav1.LabelSelector{}
	for _, key := range keys(selector.MatchLabels) {
		at := path.Child("matchLabels")
		metav1.AddLabelToSelector(&final, text(at, key), text(at.Key(key), selector.MatchLabels[key]))
	}
	for i, expression := range selector.MatchExpressions {
		at := path.Child("matchExpressions").Index(i)
		requirement := metav1.LabelSelectorRequirement{Key: text(at.Child("key"), expression.Key), Operator: expression.Operator}
		for j, value := range expression.Values {
			requirement.Values = append(requirement.Values, text(at.Child("values").Index(j), value))
		}
		final.MatchExpressions = append(final.MatchExpressions, requirement)
	}
	return append(faults, metav1validation.ValidateLabelSelector(&final, metav1validation.LabelSelectorValidationOptions{}, path)...)
}

func isEmptySelector(selector metav1.LabelSelector) bool {
	return len(selector.MatchLabels) == 0 && len(selector.MatchExpressions) == 0
}
