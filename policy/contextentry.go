package policy

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ContextEntry is a variable of a rule or policy of the older generation.
type ContextEntry struct {
	// Name of the variable. Required.
	Name string
	// Source of its value: ConfigMapContext, APICallContext, VariableContext, ImageRegistryContext or GlobalContext.
	// Required.
	Source ContextSource
}

// ContextSource is where a variable has its value from: ConfigMapContext, APICallContext, VariableContext,
// ImageRegistryContext or GlobalContext.
type ContextSource interface {
	validateSource(path *field.Path) field.ErrorList
	// buildSource returns the upstream field and what it holds.
	buildSource() (string, map[string]any)
}

// ConfigMapContext is a ConfigMap, whose data is in <variable>.data.
type ConfigMapContext struct {
	// Name of the ConfigMap. Required.
	Name string
	// Namespace of the ConfigMap. Required.
	Namespace string
}

// APICallContext is the answer to a request.
type APICallContext struct {
	// Call is what is asked. Required.
	Call APICall
	// JMESPath picks from the answer: "items | length(@)". Default: all of it.
	JMESPath string
	// Default is the value if the call fails. Default: a failure is an error of the rule.
	Default any
}

// VariableContext is a value. Value or JMESPath is needed.
type VariableContext struct {
	// Value in itself, which may hold variables.
	Value any
	// JMESPath picks from Value, or if there is none from what variables have: "request.object.spec.containers[].image".
	JMESPath string
	// Default is the value if JMESPath yields null. It needs JMESPath.
	Default any
}

// ImageRegistryContext is what a registry says about an image.
type ImageRegistryContext struct {
	// Reference of the image. Required.
	Reference string
	// JMESPath picks from it. Default: all of it.
	JMESPath string
	// Credentials for the registry. Default: Kyverno's own.
	Credentials ImageCredentials
}

// GlobalContext is what a GlobalContextEntry keeps.
type GlobalContext struct {
	// Name of the GlobalContextEntry, or of one of its projections as <entry>.<projection>. Required.
	Name string
	// JMESPath picks from it. Default: all of it.
	JMESPath string
}

// predefined are the variables that Kyverno sets.
// kyverno: pkg/validation/policy/validate.go, validateRuleContext
var predefined = []string{"images", "request", "serviceAccountName", "serviceAccountNamespace", "element", "elementIndex"}

func validateContext(path *field.Path, entries []ContextEntry) field.ErrorList {
	var faults field.ErrorList
	for i, entry := range entries {
		at := path.Index(i)
		faults = append(faults, object.RequiredText(at.Child("name"), entry.Name)...)
		root, _, _ := strings.Cut(entry.Name, ".")
		if slices.Contains(predefined, root) {
			faults = append(faults, field.Invalid(at.Child("name"), entry.Name, "Kyverno has a variable of that name: choose another"))
		}
		if object.IsNil(entry.Source) {
			faults = append(faults, field.Required(at.Child("source"), "it says where the value is from"))
			continue
		}
		faults = append(faults, entry.Source.validateSource(at.Child("source"))...)
	}
	return faults
}

var bindingName = regexp.MustCompile(`^\w+$`)

// validateBindings checks the names of variables that assertions refer to: $name.
func validateBindings(path *field.Path, entries []ContextEntry) field.ErrorList {
	var faults field.ErrorList
	for i, entry := range entries {
		if entry.Name != "" && !bindingName.MatchString(entry.Name) {
			faults = append(faults, field.Invalid(path.Index(i).Child("name"), entry.Name, "an assertion can refer to letters, digits and underscores only"))
		}
	}
	return faults
}

func buildContext(entries []ContextEntry) []any {
	out := make([]any, len(entries))
	for i, entry := range entries {
		name, source := entry.Source.buildSource()
		out[i] = map[string]any{"name": entry.Name, name: source}
	}
	return out
}

func (c ConfigMapContext) validateSource(path *field.Path) field.ErrorList {
	// Either may be a variable.
	return append(object.RequiredText(path.Child("name"), c.Name), object.RequiredText(path.Child("namespace"), c.Namespace)...)
}

func (c ConfigMapContext) buildSource() (string, map[string]any) {
	return "configMap", map[string]any{"name": c.Name, "namespace": c.Namespace}
}

func (c APICallContext) validateSource(path *field.Path) field.ErrorList {
	faults := c.Call.validate(path.Child("call"))
	faults = append(faults, object.Text(path.Child("jmesPath"), c.JMESPath)...)
	return append(faults, validateOptional(path.Child("default"), c.Default)...)
}

func (c APICallContext) buildSource() (string, map[string]any) {
	fields := c.Call.build()
	if c.JMESPath != "" {
		fields["jmesPath"] = c.JMESPath
	}
	setValue(fields, "default", c.Default)
	return "apiCall", fields
}

func (c VariableContext) validateSource(path *field.Path) field.ErrorList {
	faults := validateOptional(path.Child("value"), c.Value)
	faults = append(faults, object.Text(path.Child("jmesPath"), c.JMESPath)...)
	faults = append(faults, validateOptional(path.Child("default"), c.Default)...)
	if c.JMESPath != "" {
		return faults
	}
	if object.IsNil(c.Value) {
		faults = append(faults, field.Required(path.Child("value"), "a variable has a value or a jmesPath"))
	}
	if !object.IsNil(c.Default) {
		faults = append(faults, field.Forbidden(path.Child("default"), "without a jmesPath the value is always there"))
	}
	return faults
}

func (c VariableContext) buildSource() (string, map[string]any) {
	fields := object.Compact(map[string]any{"jmesPath": c.JMESPath})
	setValue(fields, "value", c.Value)
	setValue(fields, "default", c.Default)
	return "variable", fields
}

func (c ImageRegistryContext) validateSource(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("reference"), c.Reference)
	faults = append(faults, object.Text(path.Child("jmesPath"), c.JMESPath)...)
	return append(faults, c.Credentials.validate(path.Child("credentials"))...)
}

func (c ImageRegistryContext) buildSource() (string, map[string]any) {
	return "imageRegistry", object.Compact(map[string]any{
		"reference": c.Reference, "jmesPath": c.JMESPath, "imageRegistryCredentials": c.Credentials.build(),
	})
}

func (c GlobalContext) validateSource(path *field.Path) field.ErrorList {
	return append(object.RequiredText(path.Child("name"), c.Name), object.Text(path.Child("jmesPath"), c.JMESPath)...)
}

func (c GlobalContext) buildSource() (string, map[string]any) {
	return "globalReference", object.Compact(map[string]any{"name": c.Name, "jmesPath": c.JMESPath})
}
