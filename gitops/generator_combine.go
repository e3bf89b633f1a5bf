package gitops

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Matrix yields every combination of the parameters of two generators. The second may use the parameters of the first
// in its own strings. Matrix and [Merge] nest once: their generators may be one of them, with others inside.
type Matrix struct {
	First  Generator
	Second Generator
}

// Merge yields the sets of parameters of its first generator, each overridden by the sets of the others that have the
// same values of the merge keys. Sets of the others that match none are dropped.
type Merge struct {
	// Generators to merge; later ones win. At least two. None may yield two sets with the same values of the keys.
	Generators []Generator
	// MergeKeys name the top-level parameters that must be equal, such as "server". At least one. A parameter inside
	// another, such as `.values.name`, is none: Argo CD finds it nowhere and takes all sets for equal.
	MergeKeys []string
}

func (g Matrix) validate(path *field.Path, depth depth) field.ErrorList {
	if depth >= bottomLevel {
		return field.ErrorList{field.Forbidden(path, tooDeep)}
	}
	faults := validateGenerator(path.Child("first"), g.First, depth+1)
	return append(faults, validateGenerator(path.Child("second"), g.Second, depth+1)...)
}

func (g Matrix) build() map[string]any {
	return map[string]any{"matrix": map[string]any{"generators": buildGenerators([]Generator{g.First, g.Second})}}
}

func (g Merge) validate(path *field.Path, depth depth) field.ErrorList {
	if depth >= bottomLevel {
		return field.ErrorList{field.Forbidden(path, tooDeep)}
	}
	var faults field.ErrorList
	if len(g.Generators) < 2 {
		faults = append(faults, field.Required(path.Child("generators"), "there is nothing to merge with fewer than two generators"))
	}
	for i, generator := range g.Generators {
		faults = append(faults, validateGenerator(path.Child("generators").Index(i), generator, depth+1)...)
	}
	if len(g.MergeKeys) == 0 {
		faults = append(faults, field.Required(path.Child("mergeKeys"), "sets of parameters are merged by at least one key"))
	}
	for i, key := range g.MergeKeys {
		faults = append(faults, object.RequiredText(path.Child("mergeKeys").Index(i), key)...)
	}
	return faults
}

func (g Merge) build() map[string]any {
	return map[string]any{"merge": map[string]any{"generators": buildGenerators(g.Generators), "mergeKeys": g.MergeKeys}}
}

// hasNestedSelector reports whether a generator inside two others has a selector, which Argo CD 2.14 ignores unless the
// ApplicationSet asks for it (argo-cd v2: applicationset/generators/generator_spec_processor.go,
// dropDisabledNestedSelectors). Argo CD 3.x always applies it.
func hasNestedSelector(generators any) bool {
	for _, terminal := range combined(combined(generators)) {
		if generator, ok := terminal.(map[string]any); ok && generator["selector"] != nil {
			return true
		}
	}
	return false
}

// combined returns the generators inside the matrix and merge generators among those in upstream form.
func combined(generators any) []any {
	var inner []any
	outer, _ := generators.([]any)
	for _, item := range outer {
		generator, _ := item.(map[string]any)
		for _, kind := range []string{"matrix", "merge"} {
			combining, _ := generator[kind].(map[string]any)
			items, _ := combining["generators"].([]any)
			inner = append(inner, items...)
		}
	}
	return inner
}
