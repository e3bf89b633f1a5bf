package gitops

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Generator yields the parameters of an ApplicationSet's template: [GitDirectories], [GitFiles], [List], [Clusters],
// [Matrix], or [RawGenerator] for every other one that Argo CD knows.
type Generator interface {
	validate(path *field.Path) field.ErrorList
	build() map[string]any
}

// GitDirectories yields one set of parameters for each matching folder of a git repository: `.path.path`,
// `.path.basename`, `.path.basenameNormalized`, `.path.segments`.
type GitDirectories struct {
	// RepoURL of the repository. Required.
	RepoURL string
	// Revision to look at. Default: "HEAD".
	Revision string
	// Include and Exclude are patterns of folders, such as "K8s/observability/*". Exclude wins. At least one Include.
	Include []string
	Exclude []string
	// PathParamPrefix moves the parameters from `.path` to `.<prefix>.path`. Default: none.
	PathParamPrefix string
	// Values are further parameters, as `.values.<key>`; they may be templates themselves.
	Values map[string]string
	// RequeueAfter is the time between looks at the repository, in whole seconds. Default: Argo CD's own, 3 min.
	RequeueAfter time.Duration
}

// GitFiles yields one set of parameters for each matching JSON or YAML file of a git repository, or for each element of
// it when it holds a list: the file's content, and `.path` as [GitDirectories] does.
type GitFiles struct {
	// RepoURL of the repository. Required.
	RepoURL string
	// Revision to look at. Default: "HEAD".
	Revision string
	// Include are patterns of files, such as "clusters/**/config.json". At least one.
	Include []string
	// PathParamPrefix moves the path's parameters from `.path` to `.<prefix>.path`. Default: none.
	PathParamPrefix string
	// Values are further parameters, as `.values.<key>`; they may be templates themselves.
	Values map[string]string
	// RequeueAfter is the time between looks at the repository, in whole seconds. Default: Argo CD's own, 3 min.
	RequeueAfter time.Duration
}

// List yields fixed sets of parameters.
type List struct {
	// Elements are the sets of parameters: anything that JSON can express. Required.
	Elements []map[string]any
}

// Clusters yields one set of parameters for each cluster that Argo CD knows: `.name`, `.nameNormalized`, `.server`,
// `.metadata.labels`, `.metadata.annotations`.
type Clusters struct {
	// Selector of the clusters' Secrets by label. Default: every cluster, the one that Argo CD runs in included.
	Selector metav1.LabelSelector
	// Values are further parameters, as `.values.<key>`; they may be templates themselves.
	Values map[string]string
}

// Matrix yields every combination of the parameters of two generators. The second may use the parameters of the first
// in its own strings.
type Matrix struct {
	First  Generator
	Second Generator
}

// RawGenerator takes a generator in Argo CD's own form, such as {"pullRequest": {...}}.
type RawGenerator map[string]any

func (g GitDirectories) validate(path *field.Path) field.ErrorList {
	faults := validateGit(path, g.RepoURL, g.Revision, g.Include, g.PathParamPrefix, g.Values, g.RequeueAfter)
	return append(faults, validatePatterns(path.Child("exclude"), g.Exclude)...)
}

func (g GitDirectories) build() map[string]any {
	var directories []map[string]any
	for _, pattern := range g.Include {
		directories = append(directories, map[string]any{"path": pattern})
	}
	for _, pattern := range g.Exclude {
		directories = append(directories, map[string]any{"path": pattern, "exclude": true})
	}
	out := buildGit(g.RepoURL, g.Revision, g.PathParamPrefix, g.Values, g.RequeueAfter)
	out["directories"] = directories
	return map[string]any{"git": out}
}

func (g GitFiles) validate(path *field.Path) field.ErrorList {
	return validateGit(path, g.RepoURL, g.Revision, g.Include, g.PathParamPrefix, g.Values, g.RequeueAfter)
}

func (g GitFiles) build() map[string]any {
	var files []map[string]any
	for _, pattern := range g.Include {
		files = append(files, map[string]any{"path": pattern})
	}
	out := buildGit(g.RepoURL, g.Revision, g.PathParamPrefix, g.Values, g.RequeueAfter)
	out["files"] = files
	return map[string]any{"git": out}
}

func validateGit(path *field.Path, repoURL, revision string, include []string, prefix string, values map[string]string, requeue time.Duration) field.ErrorList {
	texts := templated{}
	faults := validateRepoURL(path.Child("repoURL"), repoURL, texts)
	faults = append(faults, texts.text(path.Child("revision"), revision)...)
	if len(include) == 0 {
		faults = append(faults, field.Required(path.Child("include"), "without a pattern nothing is generated"))
	}
	faults = append(faults, validatePatterns(path.Child("include"), include)...)
	faults = append(faults, texts.text(path.Child("pathParamPrefix"), prefix)...)
	faults = append(faults, validateValues(path.Child("values"), values)...)
	if requeue < 0 || requeue%time.Second != 0 {
		faults = append(faults, field.Invalid(path.Child("requeueAfter"), requeue.String(), "must be a positive number of whole seconds"))
	}
	return faults
}

func validatePatterns(path *field.Path, patterns []string) field.ErrorList {
	var faults field.ErrorList
	for i, pattern := range patterns {
		if pattern == "" {
			faults = append(faults, field.Required(path.Index(i), "an empty pattern matches nothing"))
		}
		faults = append(faults, templated{}.text(path.Index(i), pattern)...)
	}
	return faults
}

func validateValues(path *field.Path, values map[string]string) field.ErrorList {
	var faults field.ErrorList
	for _, key := range keys(values) {
		faults = append(faults, object.Text(path.Key(key), key)...)
		faults = append(faults, templated{}.text(path.Key(key), values[key])...)
	}
	return faults
}

func buildGit(repoURL, revision, prefix string, values map[string]string, requeue time.Duration) map[string]any {
	return object.Compact(map[string]any{
		"repoURL":             repoURL,
		"revision":            orDefault(revision, "HEAD"),
		"pathParamPrefix":     prefix,
		"values":              values,
		"requeueAfterSeconds": int64(requeue / time.Second),
	})
}

func (g List) validate(path *field.Path) field.ErrorList {
	if len(g.Elements) == 0 {
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
	return faults
}

func (g List) build() map[string]any {
	return map[string]any{"list": map[string]any{"elements": g.Elements}}
}

func (g Clusters) validate(path *field.Path) field.ErrorList {
	faults := metav1validation.ValidateLabelSelector(&g.Selector, metav1validation.LabelSelectorValidationOptions{}, path.Child("selector"))
	return append(faults, validateValues(path.Child("values"), g.Values)...)
}

func (g Clusters) build() map[string]any {
	out := object.Compact(map[string]any{"values": g.Values})
	if len(g.Selector.MatchLabels) > 0 || len(g.Selector.MatchExpressions) > 0 {
		out["selector"] = g.Selector
	}
	return map[string]any{"clusters": out}
}

func (g Matrix) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for _, child := range []struct {
		name      string
		generator Generator
	}{{"first", g.First}, {"second", g.Second}} {
		at := path.Child(child.name)
		faults = append(faults, validateGenerator(at, child.generator)...)
		// argo-cd: docs/operator-manual/applicationset/Generators-Matrix.md allows one level of nesting.
		if inner, nested := child.generator.(Matrix); nested {
			_, first := inner.First.(Matrix)
			_, second := inner.Second.(Matrix)
			if first || second {
				faults = append(faults, field.Forbidden(at, "Argo CD allows one level of nested matrix generators"))
			}
		}
	}
	return faults
}

func (g Matrix) build() map[string]any {
	return map[string]any{"matrix": map[string]any{"generators": buildGenerators([]Generator{g.First, g.Second})}}
}

func (g RawGenerator) validate(path *field.Path) field.ErrorList {
	if len(g) == 0 {
		return field.ErrorList{field.Required(path, "the generator's own form is needed")}
	}
	return validateRaw(path, g, templated{})
}

func (g RawGenerator) build() map[string]any { return g }

func validateGenerator(path *field.Path, generator Generator) field.ErrorList {
	if object.IsNil(generator) {
		return field.ErrorList{field.Required(path, "a generator is missing")}
	}
	return generator.validate(path)
}

func buildGenerators(generators []Generator) []map[string]any {
	out := make([]map[string]any, len(generators))
	for i, generator := range generators {
		out[i] = generator.build()
	}
	return out
}
