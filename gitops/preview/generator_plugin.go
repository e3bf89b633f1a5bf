package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	"github.com/argoproj/argo-cd/v2/applicationset/utils"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	flattening "github.com/jeremywohl/flatten"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pluginGenerator does what argo-cd: applicationset/generators/plugin.go does, which always asks a server, over given
// answers.
type pluginGenerator struct {
	offline
	in *answers
}

// GetTemplate implements generators.Generator.
func (pluginGenerator) GetTemplate(generator *v1alpha1.ApplicationSetGenerator) *v1alpha1.ApplicationSetTemplate {
	return &generator.Plugin.Template
}

// GenerateParams implements generators.Generator.
func (p pluginGenerator) GenerateParams(
	generator *v1alpha1.ApplicationSetGenerator, appSet *v1alpha1.ApplicationSet, _ client.Client,
) ([]map[string]any, error) {
	plugin := generator.Plugin
	answered, err := p.answer(plugin)
	if err != nil {
		return nil, err
	}
	params := make([]map[string]any, 0, len(answered))
	for _, object := range answered {
		set := map[string]any{}
		if appSet.Spec.GoTemplate {
			maps.Copy(set, object)
		} else {
			flat, err := flattening.Flatten(object, "", flattening.DotStyle)
			if err != nil {
				return nil, fmt.Errorf("error generating params: %w", err)
			}
			for key, value := range flat {
				set[key] = fmt.Sprintf("%v", value)
			}
		}
		set["generator"] = map[string]any{
			"input": map[string]v1alpha1.PluginParameters{"parameters": plugin.Input.Parameters},
		}
		if err := addValues(set, plugin.Values, appSet); err != nil {
			return nil, fmt.Errorf("error generating params: %w", err)
		}
		params = append(params, set)
	}
	return params, nil
}

// answer returns what the plugin answers to the input, in values of its own.
func (p pluginGenerator) answer(plugin *v1alpha1.PluginGenerator) ([]map[string]any, error) {
	input := map[string]any{}
	for name, value := range plugin.Input.Parameters {
		var decoded any
		if err := json.Unmarshal(value.Raw, &decoded); err != nil {
			return nil, fmt.Errorf("input parameter %s: %w", name, err)
		}
		input[name] = decoded
	}
	for _, given := range p.in.Plugins {
		if given.ConfigMap != plugin.ConfigMapRef.Name {
			continue
		}
		if given.Input != nil {
			var want map[string]any
			if err := asJSON(given.Input, &want); err != nil {
				return nil, fmt.Errorf("Inputs.Plugins: input of %s: %w", given.ConfigMap, err)
			}
			if !reflect.DeepEqual(want, input) {
				continue
			}
		}
		var parameters []map[string]any
		if err := asJSON(given.Parameters, &parameters); err != nil {
			return nil, fmt.Errorf("Inputs.Plugins: parameters of %s: %w", given.ConfigMap, err)
		}
		return parameters, nil
	}
	question, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	return nil, &MissingInputError{Input: "Plugins",
		Need: fmt.Sprintf("the answer of plugin %s to input %s", plugin.ConfigMapRef.Name, question)}
}

// asJSON converts a value to what its JSON decodes to.
func asJSON(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// addValues templates the values of a generator with the parameters, and adds them (argo-cd:
// applicationset/generators/value_interpolation.go).
func addValues(params map[string]any, values map[string]string, appSet *v1alpha1.ApplicationSet) error {
	replaced := map[string]string{}
	for key, value := range values {
		render := &utils.Render{}
		text, err := render.Replace(value, params, appSet.Spec.GoTemplate, appSet.Spec.GoTemplateOptions)
		if err != nil {
			return fmt.Errorf("failed to replace templated string: %w", err)
		}
		replaced[key] = text
	}
	if appSet.Spec.GoTemplate {
		if len(replaced) > 0 {
			params["values"] = replaced
		}
		return nil
	}
	for key, value := range replaced {
		params["values."+key] = value
	}
	return nil
}
