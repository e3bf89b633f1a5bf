package policy

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ClassicGenerate creates objects for what a rule matches.
type ClassicGenerate struct {
	// Source of the objects: GenerateData, GenerateClone, GenerateCloneList or GenerateForEach. Required.
	Source GenerateSource
	// Synchronize keeps what was generated as its source is. Default: false.
	Synchronize bool
	// OrphanOnPolicyDelete leaves what was generated from data when the rule goes, though it is synchronised
	// (orphanDownstreamOnPolicyDelete). Default: false, it is deleted.
	OrphanOnPolicyDelete bool
	// Existing generates for what is in the cluster already, too (generateExisting). Default: false.
	Existing bool
}

// GenerateSource is what objects are generated from: GenerateData, GenerateClone, GenerateCloneList or GenerateForEach.
type GenerateSource interface {
	validateSourceOf(path *field.Path, scope classicScope) field.ErrorList
	// buildSourceOf returns the upstream fields.
	buildSourceOf() map[string]any
}

// ElementSource is what objects are generated from for each element: GenerateData, GenerateClone or GenerateCloneList.
type ElementSource interface {
	GenerateSource
	generatesOne()
}

// GeneratedObject names an object that is generated. The fields may be variables.
type GeneratedObject struct {
	// APIVersion, Kind and Name of the object. Required.
	APIVersion string
	Kind       string
	Name       string
	// Namespace of the object: required by kinds in namespaces, forbidden by others. A policy that is confined to a
	// namespace generates in it alone.
	Namespace string
}

// GenerateData generates an object from data.
type GenerateData struct {
	// Target is the object.
	Target GeneratedObject
	// Data are the other fields of the object: map[string]any{"spec": ...}. Default: none.
	Data any
}

// GenerateClone generates an object as a copy.
type GenerateClone struct {
	// Target is the object.
	Target GeneratedObject
	// Name of the original, which is of the same kind. Required.
	Name string
	// Namespace of the original. Default: none, for kinds of the cluster.
	Namespace string
}

// GenerateCloneList generates objects as copies, which keep their names.
type GenerateCloneList struct {
	// TargetNamespace of the copies. Default: none, for kinds of the cluster.
	TargetNamespace string
	// Kinds of the originals as version/Kind or group/version/Kind, all in namespaces or all of the cluster. At least one.
	Kinds []string
	// Namespace of the originals. Default: none, for kinds of the cluster.
	Namespace string
	// Selector selects by the labels of the originals, without wildcards. Default: all.
	Selector *metav1.LabelSelector
}

// GenerateForEach generates objects for each element of lists.
type GenerateForEach struct {
	// Each is a list and what is generated for its elements. At least one.
	Each []ForEachGeneration
}

// ForEachGeneration is a list and what is generated for its elements. They are in the variable element, which is counted
// in elementIndex.
type ForEachGeneration struct {
	// List is a JMESPath expression that yields the list: "request.object.data.namespaces | split(@, ',')". Required.
	List string
	// Context are variables of each element.
	Context []ContextEntry
	// Preconditions select elements. Default: all.
	Preconditions Conditions
	// Source of the objects for each element: GenerateData, GenerateClone or GenerateCloneList. Required.
	Source ElementSource
}

func (g ClassicGenerate) validate(path *field.Path, scope classicScope) field.ErrorList {
	if object.IsNil(g.Source) {
		return field.ErrorList{field.Required(path.Child("source"), "it is GenerateData, GenerateClone, GenerateCloneList or GenerateForEach")}
	}
	return g.Source.validateSourceOf(path.Child("source"), scope)
}

func (g ClassicGenerate) build() map[string]any {
	fields := g.Source.buildSourceOf()
	for name, on := range map[string]bool{
		"synchronize": g.Synchronize, "orphanDownstreamOnPolicyDelete": g.OrphanOnPolicyDelete, "generateExisting": g.Existing,
	} {
		if on {
			fields[name] = true
		}
	}
	return fields
}

// kyverno: api/kyverno/v1/common_types.go, GeneratePattern.Validate
func (o GeneratedObject) validate(path *field.Path, scope classicScope) field.ErrorList {
	faults := object.RequiredText(path.Child("apiVersion"), o.APIVersion)
	faults = append(faults, object.RequiredText(path.Child("kind"), o.Kind)...)
	faults = append(faults, object.RequiredText(path.Child("name"), o.Name)...)
	return append(faults, scope.validateNamespace(path.Child("namespace"), o.Namespace)...)
}

// validateNamespace keeps a policy that is confined to a namespace in it.
func (s classicScope) validateNamespace(path *field.Path, namespace string) field.ErrorList {
	if s.namespace != "" && namespace != s.namespace {
		return field.ErrorList{field.Invalid(path, namespace, "the policy is confined to "+s.namespace)}
	}
	return object.Text(path, namespace)
}

func (o GeneratedObject) build() map[string]any {
	return object.Compact(map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "name": o.Name, "namespace": o.Namespace})
}

func (s GenerateData) validateSourceOf(path *field.Path, scope classicScope) field.ErrorList {
	faults := s.Target.validate(path.Child("target"), scope)
	if found := validateOptional(path.Child("data"), s.Data); len(found) > 0 {
		return append(faults, found...)
	}
	return append(faults, forbidAnchors(path.Child("data"), s.Data)...)
}

func (s GenerateData) buildSourceOf() map[string]any {
	fields := s.Target.build()
	setValue(fields, "data", s.Data)
	return fields
}

func (GenerateData) generatesOne() {}

func (s GenerateClone) validateSourceOf(path *field.Path, scope classicScope) field.ErrorList {
	faults := s.Target.validate(path.Child("target"), scope)
	faults = append(faults, object.RequiredText(path.Child("name"), s.Name)...)
	return append(faults, scope.validateNamespace(path.Child("namespace"), s.Namespace)...)
}

func (s GenerateClone) buildSourceOf() map[string]any {
	fields := s.Target.build()
	fields["clone"] = object.Compact(map[string]any{"name": s.Name, "namespace": s.Namespace})
	return fields
}

func (GenerateClone) generatesOne() {}

func (s GenerateCloneList) validateSourceOf(path *field.Path, scope classicScope) field.ErrorList {
	faults := scope.validateNamespace(path.Child("targetNamespace"), s.TargetNamespace)
	if len(s.Kinds) == 0 {
		faults = append(faults, field.Required(path.Child("kinds"), "they are those of the originals"))
	}
	for i, kind := range s.Kinds {
		at := path.Child("kinds").Index(i)
		if _, parses := selectKind(kind); !parses || !strings.Contains(kind, "/") || strings.ContainsAny(kind, "*?") {
			faults = append(faults, field.Invalid(at, kind, "write version/Kind or group/version/Kind"))
		}
		faults = append(faults, object.Text(at, kind)...)
	}
	faults = append(faults, scope.validateNamespace(path.Child("namespace"), s.Namespace)...)
	return append(faults, validateSelector(path.Child("selector"), s.Selector)...)
}

func (s GenerateCloneList) buildSourceOf() map[string]any {
	return object.Compact(map[string]any{
		"namespace": s.TargetNamespace,
		"cloneList": object.Compact(map[string]any{"kinds": s.Kinds, "namespace": s.Namespace, "selector": s.Selector}),
	})
}

func (GenerateCloneList) generatesOne() {}

func (s GenerateForEach) validateSourceOf(path *field.Path, scope classicScope) field.ErrorList {
	each := path.Child("each")
	var faults field.ErrorList
	if len(s.Each) == 0 {
		faults = append(faults, field.Required(each, ""))
	}
	for i, item := range s.Each {
		at := each.Index(i)
		faults = append(faults, object.RequiredText(at.Child("list"), item.List)...)
		faults = append(faults, validateContext(at.Child("context"), item.Context)...)
		faults = append(faults, item.Preconditions.validate(at.Child("preconditions"))...)
		if object.IsNil(item.Source) {
			faults = append(faults, field.Required(at.Child("source"), "it is GenerateData, GenerateClone or GenerateCloneList"))
			continue
		}
		faults = append(faults, item.Source.validateSourceOf(at.Child("source"), scope)...)
	}
	return faults
}

func (s GenerateForEach) buildSourceOf() map[string]any {
	out := make([]any, len(s.Each))
	for i, item := range s.Each {
		fields := item.Source.buildSourceOf()
		fields["list"] = item.List
		if context := buildContext(item.Context); len(context) > 0 {
			fields["context"] = context
		}
		if preconditions := item.Preconditions.build(); len(preconditions) > 0 {
			fields["preconditions"] = preconditions
		}
		out[i] = fields
	}
	return map[string]any{"foreach": out}
}
