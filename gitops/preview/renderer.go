package preview

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/argoproj/argo-cd/v2/applicationset/utils"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"sigs.k8s.io/yaml"
)

// templateRenderer renders one Application template with many sets of parameters, exactly as Argo CD's own utils.Render
// does. That one parses every string of an Application as a template, with all functions, for every set. This one
// renders only the strings that are templates, and parses each once. Whatever it cannot do, and every error, it leaves
// to Argo CD's own. But it stops with its context, and refuses templates that make too much.
type templateRenderer struct {
	utils.Render
	ctx context.Context

	prepare sync.Once
	plan    *templatePlan
	// parsed templates by text; nil for those that are left to Argo CD.
	parsed sync.Map
}

var _ utils.Renderer = (*templateRenderer)(nil)

// RenderTemplateParams implements utils.Renderer. The template must be the same at every call.
func (r *templateRenderer) RenderTemplateParams(
	app *v1alpha1.Application, policy *v1alpha1.ApplicationSetSyncPolicy, params map[string]any,
	goTemplate bool, options []string,
) (*v1alpha1.Application, error) {
	r.prepare.Do(func() { r.plan = newTemplatePlan(app, policy) })
	if r.plan != nil && len(params) > 0 {
		rendered, err := r.plan.render(func(text string) (string, error) {
			return r.Replace(text, params, goTemplate, options)
		})
		if err == nil {
			return rendered, nil
		}
		if stopped(r.ctx, err) {
			return nil, err
		}
	}
	slugging <- struct{}{}
	defer func() { <-slugging }()
	return r.Render.RenderTemplateParams(app, policy, params, goTemplate, options)
}

// Replace implements utils.Renderer.
func (r *templateRenderer) Replace(
	text string, params map[string]any, goTemplate bool, options []string,
) (string, error) {
	if !isTemplate(text) {
		return text, nil
	}
	if !goTemplate {
		return r.Render.Replace(text, params, goTemplate, options)
	}
	if strings.Contains(text, "slugify") {
		slugging <- struct{}{}
		defer func() { <-slugging }()
	}
	if parsed := r.parse(text, options); parsed != nil {
		var out boundedText
		err := parsed.Execute(&out, params)
		if err == nil {
			return out.String(), nil
		}
		if stopped(r.ctx, err) {
			return "", err
		}
	}
	return r.Render.Replace(text, params, goTemplate, options)
}

// parse returns the template, or nil if Argo CD's own parser is to judge.
func (r *templateRenderer) parse(text string, options []string) *template.Template {
	if known, ok := r.parsed.Load(text); ok {
		return known.(*template.Template)
	}
	parsed, err := template.New("").Funcs(templateFunctions()).Option(options...).Parse(text)
	if err == nil {
		err = interruptible(r.ctx, parsed)
	}
	if err != nil {
		parsed = nil
	}
	r.parsed.Store(text, parsed)
	return parsed
}

// templateFunctions are those of argo-cd: applicationset/utils/utils.go.
var templateFunctions = sync.OnceValue(func() template.FuncMap {
	functions := sprig.GenericFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	functions["normalize"] = utils.SanitizeName
	functions["slugify"] = utils.SlugifyName
	functions["toYaml"] = func(value any) (string, error) {
		data, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(data), "\n"), err
	}
	functions["fromYaml"] = parseYAML[map[string]any]
	functions["fromYamlArray"] = parseYAML[[]any]
	return boundedFunctions(functions)
})

func parseYAML[T any](text string) (value T, err error) {
	if err := checkYAML("text of a template", []byte(text)); err != nil {
		return value, err
	}
	err = yaml.Unmarshal([]byte(text), &value)
	return value, err
}

// isTemplate tells whether a string may be a template of either kind.
func isTemplate(text string) bool { return strings.Contains(text, "{{") }

// slugging is held by whoever runs Argo CD's code that makes slugs: it sets global variables. All generators may.
var slugging = make(chan struct{}, 1)

// mutating are the template functions that write to their arguments, which parameter sets may share.
var mutating = regexp.MustCompile(`\b(set|unset|merge|mergeOverwrite|mustMerge|mustMergeOverwrite|sortAlpha)\b`)
