package policy

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// GlobalContextEntry keeps resources, or the answer to a call, for the variables of many policies: GlobalContext in those
// of the older generation (kyverno.io/v2alpha1; v2 with Kyverno 1.17 and later).
type GlobalContextEntry struct {
	// Name of the entry. Required.
	Name string
	// Labels and Annotations of the entry itself.
	Labels      map[string]string
	Annotations map[string]string

	// Source of the data: CachedResources or PolledCall. Required.
	Source GlobalSource
	// Projections pick from the data, and are kept as well.
	Projections []Projection
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// GlobalSource is where a GlobalContextEntry has its data from: CachedResources or PolledCall.
type GlobalSource interface {
	validateGlobal(path *field.Path) field.ErrorList
	// buildGlobal returns the upstream field and what it holds.
	buildGlobal() (string, map[string]any)
}

// CachedResources are all objects of a resource, which Kyverno watches. It needs permission to.
type CachedResources struct {
	// Group of the API. Default: the core group.
	Group string
	// Version of the API. Required.
	Version string
	// Resource in its plural form. Required.
	Resource string
	// Namespace of the objects. Default: all.
	Namespace string
}

// PolledCall is the answer to a call that is made again and again.
type PolledCall struct {
	// Call that is made. It can hold no variables. Required.
	Call APICall
	// RefreshInterval between calls, above zero. Default: 10 minutes.
	RefreshInterval time.Duration
	// RetryLimit of a call that fails, above zero. Default: 3.
	RetryLimit int
}

// Projection picks from the data of a GlobalContextEntry.
type Projection struct {
	// Name of the projection, of its own within the entry and not the entry's. Required.
	Name string
	// JMESPath that picks. Required.
	JMESPath string
}

// Validate reports every fault that Kyverno or the API server would find.
// kyverno: api/kyverno/v2alpha1/global_context_entry_types.go
func (e GlobalContextEntry) Validate() field.ErrorList {
	faults := e.meta().Validate()
	if object.IsNil(e.Source) {
		faults = append(faults, field.Required(field.NewPath("source"), "it is CachedResources or PolledCall"))
	} else {
		faults = append(faults, e.Source.validateGlobal(field.NewPath("source"))...)
	}
	for i, projection := range e.Projections {
		at := field.NewPath("projections").Index(i)
		earlier := func(other Projection) bool { return other.Name == projection.Name }
		switch {
		case projection.Name == "":
			faults = append(faults, field.Required(at.Child("name"), ""))
		case projection.Name == e.Name:
			faults = append(faults, field.Invalid(at.Child("name"), projection.Name, "it is the entry's name: choose another"))
		case slices.ContainsFunc(e.Projections[:i], earlier):
			faults = append(faults, field.Duplicate(at.Child("name"), projection.Name))
		}
		faults = append(faults, object.Text(at.Child("name"), projection.Name)...)
		faults = append(faults, validateJMESPath(at.Child("jmesPath"), projection.JMESPath)...)
	}
	return append(faults, validateRaw(e.Raw)...)
}

// validateJMESPath reports an expression that does not parse, which is refused where no variables are possible.
func validateJMESPath(path *field.Path, expression string) field.ErrorList {
	if faults := object.RequiredText(path, expression); len(faults) > 0 {
		return faults
	}
	if _, problem := parseJMESPath(expression); problem != "" {
		return field.ErrorList{field.Invalid(path, expression, problem)}
	}
	return nil
}

func (r CachedResources) validateGlobal(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("version"), r.Version)
	faults = append(faults, object.RequiredText(path.Child("resource"), r.Resource)...)
	faults = append(faults, object.Text(path.Child("group"), r.Group)...)
	if r.Group == "" && r.Version != "" && r.Version != "v1" {
		faults = append(faults, field.Required(path.Child("group"), "the core group has the version v1 alone"))
	}
	if r.Namespace != "" {
		faults = append(faults, object.Namespace(path.Child("namespace"), r.Namespace)...)
	}
	return faults
}

func (r CachedResources) buildGlobal() (string, map[string]any) {
	return "kubernetesResource", object.Compact(map[string]any{
		"group": r.Group, "version": r.Version, "resource": r.Resource, "namespace": r.Namespace,
	})
}

func (c PolledCall) validateGlobal(path *field.Path) field.ErrorList {
	faults := c.Call.validate(path.Child("call"))
	if c.RefreshInterval < 0 {
		faults = append(faults, field.Invalid(path.Child("refreshInterval"), c.RefreshInterval.String(), "it is above zero"))
	}
	if c.RetryLimit < 0 {
		faults = append(faults, field.Invalid(path.Child("retryLimit"), c.RetryLimit, "it is above zero"))
	}
	return faults
}

func (c PolledCall) buildGlobal() (string, map[string]any) {
	fields := c.Call.build()
	if c.RefreshInterval != 0 {
		fields["refreshInterval"] = metav1.Duration{Duration: c.RefreshInterval}
	}
	if c.RetryLimit != 0 {
		fields["retryLimit"] = c.RetryLimit
	}
	return "apiCall", fields
}

// Build returns the entry. The error is Invalid, or an *UnsupportedError if the Kyverno version lacks the kind.
func (e GlobalContextEntry) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := globalContextKind(e.Name, kyverno)
	if err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), e.Name, e.Validate()); err != nil {
		return nil, err
	}
	return buildClassic(kind, e.meta(), e.spec(), e.Raw)
}

// globalContextKind returns the kind in the newest API version that the Kyverno version is known to serve: the CRDs of
// 1.15.2 have v2alpha1 alone, those of 1.17.1 deprecate it.
func globalContextKind(name string, kyverno Version) (schema.GroupVersionKind, error) {
	kind := schema.GroupVersionKind{Group: classicKind.Group, Version: "v2alpha1", Kind: "GlobalContextEntry"}
	if kyverno.atLeast(firstStable) {
		kind.Version = "v2"
		return kind, nil
	}
	return kind, classicKindSupported(kind.Kind, name, kyverno)
}

func (e GlobalContextEntry) spec() map[string]any {
	projections := make([]any, len(e.Projections))
	for i, projection := range e.Projections {
		projections[i] = map[string]any{"name": projection.Name, "jmesPath": projection.JMESPath}
	}
	spec := object.Compact(map[string]any{"projections": projections})
	name, source := e.Source.buildGlobal()
	spec[name] = source
	return spec
}

func (e GlobalContextEntry) meta() object.Meta {
	return object.Meta{Name: e.Name, Labels: e.Labels, Annotations: e.Annotations}
}
