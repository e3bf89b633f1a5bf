package gitops

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/object"
)

// Helm renders a chart.
type Helm struct {
	// ReleaseName of the release. Default: the Application's name. Mind that a chart may put it into the label
	// app.kubernetes.io/instance, by which Argo CD of old tracks resources.
	ReleaseName string
	// Namespace to render for. Default: the destination's.
	Namespace string

	// ValueFiles of the chart, relative to it; "/..." is relative to the root of the repository, "$<ref>/..." to that of
	// the source with the Ref. Later files win.
	ValueFiles []string
	// IgnoreMissingValueFiles goes on without files that do not exist. Default: false, that is an error.
	IgnoreMissingValueFiles bool
	// Values win over the value files: anything that JSON can express. ValuesYAML is the same as YAML text, for values
	// that must keep their form or their comments. At most one of them.
	Values     map[string]any
	ValuesYAML string
	// Parameters and FileParameters win over values.
	Parameters     []HelmParameter
	FileParameters []HelmFileParameter

	// SkipCRDs leaves out the chart's folder "crds". Default: false.
	SkipCRDs bool
	// SkipTests leaves out the chart's tests. Default: false.
	SkipTests bool
	// SkipSchemaValidation does not check the values by the chart's schema. Default: false.
	SkipSchemaValidation bool
	// PassCredentials sends the credentials of the repository to other hosts that it refers to. Default: false.
	PassCredentials bool

	// Version of Helm: "v3", the only one that Argo CD has. Default: that one.
	Version string
	// KubeVersion and APIVersions ("<group>/<version>/<kind>") that the chart is told of. Default: those of the
	// destination's cluster.
	KubeVersion string
	APIVersions []string
}

// HelmParameter sets one value, as helm's --set does.
type HelmParameter struct {
	// Name of the value, with dots between its parts. Required.
	Name string
	// Value to set. ForceString makes it a string, even if it looks like a number or a boolean.
	Value       string
	ForceString bool
}

// HelmFileParameter sets one value to the content of a file, as helm's --set-file does.
type HelmFileParameter struct {
	// Name of the value, with dots between its parts. Required.
	Name string
	// Path of the file, as in ValueFiles. Required.
	Path string
}

func (h Helm) validate(path *field.Path, texts texts) field.ErrorList {
	faults := texts.text(path.Child("releaseName"), h.ReleaseName)
	if h.Namespace != "" {
		faults = append(faults, texts.namespace(path.Child("namespace"), h.Namespace)...)
	}
	faults = append(faults, validateTexts(path.Child("valueFiles"), h.ValueFiles, texts)...)
	faults = append(faults, validateRaw(path.Child("values"), h.Values, texts)...)
	faults = append(faults, validateValuesYAML(path.Child("valuesYAML"), h.ValuesYAML, texts)...)
	if len(h.Values) > 0 && h.ValuesYAML != "" {
		// argo-cd: reposerver/repository/repository.go; valuesObject takes the place of values.
		faults = append(faults, field.Forbidden(path.Child("valuesYAML"), "is ignored beside values"))
	}
	for i, parameter := range h.Parameters {
		faults = append(faults, validatePair(path.Child("parameters").Index(i), parameter.Name, parameter.Value, texts)...)
	}
	for i, parameter := range h.FileParameters {
		at := path.Child("fileParameters").Index(i)
		faults = append(faults, validatePair(at, parameter.Name, "", texts)...)
		faults = append(faults, requireText(at.Child("path"), parameter.Path, texts)...)
	}
	faults = append(faults, texts.text(path.Child("version"), h.Version)...)
	faults = append(faults, texts.text(path.Child("kubeVersion"), h.KubeVersion)...)
	return append(faults, validateTexts(path.Child("apiVersions"), h.APIVersions, texts)...)
}

func validateValuesYAML(path *field.Path, values string, texts texts) field.ErrorList {
	// Values may hold anything: they are not repeated, and so is no error of a parser, which would repeat some.
	if len(texts.text(path, values)) > 0 {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be text, and a template that parses if it is one")}
	}
	var fields map[string]any
	if !texts.renders(values) && yaml.Unmarshal([]byte(values), &fields) != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be a YAML object")}
	}
	return nil
}

func (h Helm) build() (string, map[string]any) {
	return "helm", object.Compact(map[string]any{
		"releaseName":             h.ReleaseName,
		"namespace":               h.Namespace,
		"valueFiles":              h.ValueFiles,
		"ignoreMissingValueFiles": h.IgnoreMissingValueFiles,
		"valuesObject":            h.Values,
		"values":                  h.ValuesYAML,
		"parameters": buildEach(h.Parameters, func(p HelmParameter) map[string]any {
			return object.Compact(map[string]any{"name": p.Name, "value": p.Value, "forceString": p.ForceString})
		}),
		"fileParameters": buildEach(h.FileParameters, func(p HelmFileParameter) map[string]any {
			return map[string]any{"name": p.Name, "path": p.Path}
		}),
		"skipCrds":             h.SkipCRDs,
		"skipTests":            h.SkipTests,
		"skipSchemaValidation": h.SkipSchemaValidation,
		"passCredentials":      h.PassCredentials,
		"version":              h.Version,
		"kubeVersion":          h.KubeVersion,
		"apiVersions":          h.APIVersions,
	})
}
