package gitops

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Tool renders manifests: [Directory], [Helm], [Kustomize], [Plugin], or [RawTool] for a setting that none of them has.
type Tool interface {
	validate(path *field.Path, texts texts) field.ErrorList
	// build returns the field of the upstream source and its value.
	build() (string, map[string]any)
}

// Directory applies plain YAML and JSON files, and what Jsonnet files yield.
type Directory struct {
	// Recurse descends into folders. Default: false, only the folder's own files.
	Recurse bool
	// Include and Exclude are glob patterns of file names, such as "*.yaml" or "{config.json,env-*}". Default: every
	// manifest, none excluded.
	Include string
	Exclude string
	// Jsonnet is what files that end in ".jsonnet" are evaluated with.
	Jsonnet Jsonnet
}

// Jsonnet is what Jsonnet files are evaluated with.
type Jsonnet struct {
	// Libs are folders of libraries, relative to the root of the repository.
	Libs []string
	// ExtVars are the variables that std.extVar yields.
	ExtVars []JsonnetVar
	// TLAs are the arguments of files that are functions.
	TLAs []JsonnetVar
}

// JsonnetVar is a variable or an argument.
type JsonnetVar struct {
	// Name of the variable. Required.
	Name string
	// Value of the variable: a string, or an expression of Jsonnet if Code is set.
	Value string
	Code  bool
}

// Plugin renders with a config management plugin of the repo-server. The generator of the same name is
// [PluginGenerator].
type Plugin struct {
	// Name of the plugin. Default: the one that finds itself fit for the folder.
	Name string
	// Env are environment variables, which the plugin sees with the prefix ARGOCD_ENV_.
	Env []EnvVar
	// Parameters of the plugin.
	Parameters []PluginParameter
}

// EnvVar is an environment variable.
type EnvVar struct {
	// Name of the variable. Required.
	Name  string
	Value string
}

// PluginParameter is a parameter of a plugin. At most one of its values is set; with none it is an empty string.
type PluginParameter struct {
	// Name of the parameter. Required.
	Name string
	// String, Array or Map is the value. An empty Array or Map that is not nil is a value too.
	String string
	Array  []string
	Map    map[string]string
}

// RawTool takes the fragment in Argo CD's own form, for tools and settings that have no type here: one key, the name of
// the tool ("helm", "kustomize", "directory", "plugin"), and its settings.
type RawTool map[string]any

func validateTool(path *field.Path, tool Tool, texts texts) field.ErrorList {
	if object.IsNil(tool) {
		return nil
	}
	return tool.validate(path, texts)
}

func addTool(source map[string]any, tool Tool) {
	if !object.IsNil(tool) {
		name, settings := tool.build()
		source[name] = settings
	}
}

func (d Directory) validate(path *field.Path, texts texts) field.ErrorList {
	faults := texts.text(path.Child("include"), d.Include)
	faults = append(faults, texts.text(path.Child("exclude"), d.Exclude)...)
	at := path.Child("jsonnet")
	faults = append(faults, validateTexts(at.Child("libs"), d.Jsonnet.Libs, texts)...)
	faults = append(faults, validateVars(at.Child("extVars"), d.Jsonnet.ExtVars, texts)...)
	return append(faults, validateVars(at.Child("tlas"), d.Jsonnet.TLAs, texts)...)
}

func validateVars(path *field.Path, vars []JsonnetVar, texts texts) field.ErrorList {
	var faults field.ErrorList
	for i, variable := range vars {
		faults = append(faults, validatePair(path.Index(i), variable.Name, variable.Value, texts)...)
	}
	return faults
}

// validatePair checks a name, which is required, and a value.
func validatePair(path *field.Path, name, value string, texts texts) field.ErrorList {
	return append(requireText(path.Child("name"), name, texts), texts.text(path.Child("value"), value)...)
}

func (d Directory) build() (string, map[string]any) {
	return "directory", object.Compact(map[string]any{
		"recurse": d.Recurse, "include": d.Include, "exclude": d.Exclude,
		"jsonnet": object.Compact(map[string]any{
			"libs":    d.Jsonnet.Libs,
			"extVars": buildEach(d.Jsonnet.ExtVars, JsonnetVar.build),
			"tlas":    buildEach(d.Jsonnet.TLAs, JsonnetVar.build),
		}),
	})
}

func (v JsonnetVar) build() map[string]any {
	out := object.Compact(map[string]any{"code": v.Code})
	out["name"], out["value"] = v.Name, v.Value
	return out
}

func (p Plugin) validate(path *field.Path, texts texts) field.ErrorList {
	faults := texts.text(path.Child("name"), p.Name)
	for i, variable := range p.Env {
		faults = append(faults, validatePair(path.Child("env").Index(i), variable.Name, variable.Value, texts)...)
	}
	for i, parameter := range p.Parameters {
		at := path.Child("parameters").Index(i)
		faults = append(faults, validatePair(at, parameter.Name, "", texts)...)
		faults = append(faults, texts.text(at.Child("string"), parameter.String)...)
		for j, value := range parameter.Array {
			faults = append(faults, texts.text(at.Child("array").Index(j), value)...)
		}
		for _, key := range keys(parameter.Map) {
			faults = append(faults, texts.text(at.Child("map").Key(key), key)...)
			faults = append(faults, texts.text(at.Child("map").Key(key), parameter.Map[key])...)
		}
		if parameter.values() > 1 {
			faults = append(faults, field.Forbidden(at, "a parameter has one value: string, array or map"))
		}
	}
	return faults
}

func (p Plugin) build() (string, map[string]any) {
	return "plugin", object.Compact(map[string]any{
		"name":       p.Name,
		"env":        buildEach(p.Env, func(v EnvVar) map[string]any { return map[string]any{"name": v.Name, "value": v.Value} }),
		"parameters": buildEach(p.Parameters, PluginParameter.build),
	})
}

func (p PluginParameter) values() int {
	n := 0
	for _, set := range []bool{p.String != "", p.Array != nil, p.Map != nil} {
		if set {
			n++
		}
	}
	return n
}

func (p PluginParameter) build() map[string]any {
	out := map[string]any{"name": p.Name}
	switch {
	case p.Array != nil:
		out["array"] = p.Array
	case p.Map != nil:
		out["map"] = p.Map
	default:
		out["string"] = p.String
	}
	return out
}

func (r RawTool) validate(path *field.Path, texts texts) field.ErrorList {
	faults := validateRaw(path, r, texts)
	if len(r) != 1 {
		return append(faults, field.Invalid(path, keys(r), "must have exactly one key: the name of the tool"))
	}
	for name, settings := range r {
		switch name {
		case "helm", "kustomize", "directory", "plugin":
		default:
			faults = append(faults, field.NotSupported(path, name, []string{"directory", "helm", "kustomize", "plugin"}))
		}
		if _, ok := settings.(map[string]any); !ok {
			faults = append(faults, field.TypeInvalid(path.Key(name), settings, "must be an object"))
		}
	}
	return faults
}

func (r RawTool) build() (string, map[string]any) {
	for name, settings := range r {
		if typed, ok := settings.(map[string]any); ok {
			return name, typed
		}
	}
	return "", nil
}
