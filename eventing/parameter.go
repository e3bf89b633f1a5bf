package eventing

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Parameter copies a value from an event into a trigger.
type Parameter struct {
	// From is where the value comes from. Required.
	From ParameterSource
	// To is the path of the value that is set, a series of keys separated by
	// dots in the syntax of github.com/tidwall/sjson; -1 appends to an array.
	// Required, except in the payload of an [HTTPTrigger], where an empty path
	// makes the value the whole body.
	To string
	// Default is used when the event has no such value. Without a default the
	// trigger fails then. Required in a message when the trigger may fire without an
	// event of the dependency.
	Default *string
	// Operation says what happens to a value that is there already.
	// Default: Overwrite.
	Operation ParameterOperation
}

// ParameterOperation says how a parameter treats a value that is there already.
type ParameterOperation string

// The operations of upstream.
const (
	Overwrite ParameterOperation = "overwrite"
	Append    ParameterOperation = "append"
	Prepend   ParameterOperation = "prepend"
)

var parameterOperations = []ParameterOperation{Overwrite, Append, Prepend}

// ParameterSource is a value of an event: [DataKey], [DataTemplate],
// [ContextKey], [ContextTemplate], [WholeEvent] or [RawParameterSource]. Each
// names the dependency whose event it reads.
type ParameterSource interface {
	validateParameterSource(path *field.Path, dependencies map[string]bool) field.ErrorList
	parameterSource() map[string]any
}

// DataKey is the value at a path of the event data.
type DataKey struct {
	Dependency string
	// Path is in the syntax of github.com/tidwall/gjson, for example
	// "body.after". Required.
	Path string
	// Raw keeps numbers, booleans, objects and arrays as they are.
	// Default: the value is turned into a string.
	Raw bool
}

// DataTemplate is a Go template with the sprig functions over the event data,
// which is .Input.
type DataTemplate struct {
	Dependency string
	Template   string
}

// ContextKey is the value at a path of the CloudEvents context, for example
// "id" or "time".
type ContextKey struct {
	Dependency string
	Path       string
}

// ContextTemplate is a Go template with the sprig functions over the CloudEvents
// context, which is .Input.
type ContextTemplate struct {
	Dependency string
	Template   string
}

// WholeEvent is the whole event as JSON, with its context and its data in
// base64.
type WholeEvent struct {
	Dependency string
}

// RawParameterSource is a source as upstream defines it.
type RawParameterSource struct {
	// Source is the src of a trigger parameter, with dependencyName and the keys
	// or templates to read. Required.
	Source map[string]any
}

// validateParameters checks parameters; mayBeWhole allows an empty destination.
// The dependencies are true if the trigger always has an event of them.
func validateParameters(path *field.Path, parameters []Parameter, dependencies map[string]bool, mayBeWhole bool) field.ErrorList {
	var faults field.ErrorList
	for i, parameter := range parameters {
		at := path.Index(i)
		if object.IsNil(parameter.From) {
			faults = append(faults, field.Required(at.Child("from"), ""))
		} else {
			faults = append(faults, parameter.From.validateParameterSource(at.Child("from"), dependencies)...)
			// A source with nothing but its dependency means the whole event, in place of
			// which upstream sends the default.
			// argo-events: ResolveParamValue in pkg/sensors/triggers/params.go
			if parameter.Default != nil && len(parameter.From.parameterSource()) == 1 {
				faults = append(faults, field.Forbidden(at.Child("default"), "upstream sends the default instead of the whole event"))
			}
		}
		if parameter.To == "" && !mayBeWhole {
			faults = append(faults, field.Required(at.Child("to"), ""))
		}
		faults = append(faults, object.Text(at.Child("to"), parameter.To)...)
		if parameter.Default != nil {
			faults = append(faults, object.Text(at.Child("default"), *parameter.Default)...)
		}
		if parameter.Operation != "" && !slices.Contains(parameterOperations, parameter.Operation) {
			faults = append(faults, field.NotSupported(at.Child("operation"), parameter.Operation, parameterOperations))
		}
	}
	return faults
}

// validateMessage checks parameters that make a message or its headers, which
// upstream cannot make without an event: it crashes.
// argo-events: ConstructPayload in pkg/sensors/triggers/params.go
func validateMessage(path *field.Path, parameters []Parameter, dependencies map[string]bool, mayBeWhole bool) field.ErrorList {
	faults := validateParameters(path, parameters, dependencies, mayBeWhole)
	for i, parameter := range parameters {
		if object.IsNil(parameter.From) || parameter.Default != nil || parameter.To == "" {
			continue
		}
		source := parameter.From.parameterSource()
		name, _ := source["dependencyName"].(string)
		certain, known := dependencies[name]
		if known && !certain && source["value"] == nil {
			faults = append(faults, field.Required(path.Index(i).Child("default"),
				"the condition of the trigger holds without an event of the dependency, and upstream crashes without a default then"))
		}
	}
	return faults
}

func parametersSpec(parameters []Parameter) []any {
	specs := make([]any, 0, len(parameters))
	for _, parameter := range parameters {
		source := maps.Clone(parameter.From.parameterSource())
		if parameter.Default != nil {
			source["value"] = *parameter.Default
		}
		spec := object.Compact(map[string]any{"src": source, "operation": parameter.Operation})
		// Upstream requires the field, also when it is empty.
		spec["dest"] = parameter.To
		specs = append(specs, spec)
	}
	return specs
}

func (d DataKey) validateParameterSource(path *field.Path, dependencies map[string]bool) field.ErrorList {
	return append(validateDependency(path, d.Dependency, dependencies), object.RequiredText(path.Child("path"), d.Path)...)
}

func (d DataKey) parameterSource() map[string]any {
	return object.Compact(map[string]any{"dependencyName": d.Dependency, "dataKey": d.Path, "useRawData": d.Raw})
}

func (d DataTemplate) validateParameterSource(path *field.Path, dependencies map[string]bool) field.ErrorList {
	return append(validateDependency(path, d.Dependency, dependencies), requiredTemplate(path.Child("template"), d.Template)...)
}

func (d DataTemplate) parameterSource() map[string]any {
	return map[string]any{"dependencyName": d.Dependency, "dataTemplate": d.Template}
}

func (c ContextKey) validateParameterSource(path *field.Path, dependencies map[string]bool) field.ErrorList {
	return append(validateDependency(path, c.Dependency, dependencies), object.RequiredText(path.Child("path"), c.Path)...)
}

func (c ContextKey) parameterSource() map[string]any {
	return map[string]any{"dependencyName": c.Dependency, "contextKey": c.Path}
}

func (c ContextTemplate) validateParameterSource(path *field.Path, dependencies map[string]bool) field.ErrorList {
	return append(validateDependency(path, c.Dependency, dependencies), requiredTemplate(path.Child("template"), c.Template)...)
}

func (c ContextTemplate) parameterSource() map[string]any {
	return map[string]any{"dependencyName": c.Dependency, "contextTemplate": c.Template}
}

func (w WholeEvent) validateParameterSource(path *field.Path, dependencies map[string]bool) field.ErrorList {
	return validateDependency(path, w.Dependency, dependencies)
}

func (w WholeEvent) parameterSource() map[string]any {
	return map[string]any{"dependencyName": w.Dependency}
}

func (r RawParameterSource) validateParameterSource(path *field.Path, dependencies map[string]bool) field.ErrorList {
	name, _ := r.Source["dependencyName"].(string)
	path = path.Child("source")
	return append(validateDependency(path, name, dependencies), object.RequiredFragment(path, r.Source)...)
}

func (r RawParameterSource) parameterSource() map[string]any {
	return r.Source
}

// validateDependency finds a name that no dependency has. Upstream skips such a
// parameter silently.
func validateDependency(path *field.Path, name string, dependencies map[string]bool) field.ErrorList {
	path = path.Child("dependency")
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	if _, ok := dependencies[name]; !ok {
		return field.ErrorList{field.NotFound(path, name)}
	}
	return nil
}
