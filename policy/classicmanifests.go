package policy

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ManifestsCheck asks for objects whose manifests are signed.
type ManifestsCheck struct {
	// Attestors who have to have signed. At least one.
	Attestors []AttestorSet
	// AnnotationDomain of the annotations that hold manifest and signature. Default: "cosign.sigstore.dev".
	AnnotationDomain string
	// IgnoreFields may differ from what is signed.
	IgnoreFields []IgnoredFields
	// DryRun compares with what the API server makes of the manifest, which needs permissions of its own. Default: false.
	DryRun bool
	// DryRunNamespace is where that is tried. Default: Kyverno's.
	DryRunNamespace string
	// Repository that holds the bundle of signatures. Default: the attestors'.
	Repository string
}

// IgnoredFields may differ from what is signed.
type IgnoredFields struct {
	// Fields by path, such as "spec.replicas". At least one.
	Fields []string
	// Objects whose fields they are; empty fields stand for any. Default: all.
	Objects []ManifestObject
}

// ManifestObject selects objects by what is not empty.
type ManifestObject struct {
	Group     string
	Version   string
	Kind      string
	Name      string
	Namespace string
}

func (c ManifestsCheck) validateCheck(path *field.Path, depth int) field.ErrorList {
	var faults field.ErrorList
	if len(c.Attestors) == 0 {
		faults = append(faults, field.Required(path.Child("attestors"), "they are who has to have signed"))
	}
	faults = append(faults, validateAttestorSets(path.Child("attestors"), c.Attestors, depth)...)
	faults = append(faults, object.Text(path.Child("annotationDomain"), c.AnnotationDomain)...)
	for i, ignored := range c.IgnoreFields {
		at := path.Child("ignoreFields").Index(i)
		if len(ignored.Fields) == 0 {
			faults = append(faults, field.Required(at.Child("fields"), ""))
		}
		faults = append(faults, validateTexts(at.Child("fields"), ignored.Fields)...)
		for j, o := range ignored.Objects {
			for _, f := range (texts{{"group", o.Group}, {"version", o.Version}, {"kind", o.Kind}, {"name", o.Name}, {"namespace", o.Namespace}}) {
				faults = append(faults, object.Text(at.Child("objects").Index(j).Child(f.name), f.text)...)
			}
		}
	}
	if c.DryRunNamespace != "" && !c.DryRun {
		faults = append(faults, field.Forbidden(path.Child("dryRunNamespace"), "dryRun is not set"))
	}
	faults = append(faults, object.Text(path.Child("dryRunNamespace"), c.DryRunNamespace)...)
	return append(faults, object.Text(path.Child("repository"), c.Repository)...)
}

func (c ManifestsCheck) buildCheck() (string, any) {
	ignored := make([]any, len(c.IgnoreFields))
	for i, item := range c.IgnoreFields {
		objects := make([]any, len(item.Objects))
		for j, o := range item.Objects {
			objects[j] = object.Compact(map[string]any{
				"group": o.Group, "version": o.Version, "kind": o.Kind, "name": o.Name, "namespace": o.Namespace,
			})
		}
		ignored[i] = object.Compact(map[string]any{"fields": item.Fields, "objects": objects})
	}
	return "manifests", object.Compact(map[string]any{
		"attestors":        buildAttestorSets(c.Attestors),
		"annotationDomain": c.AnnotationDomain,
		"ignoreFields":     ignored,
		"dryRun":           object.Compact(map[string]any{"enable": c.DryRun, "namespace": c.DryRunNamespace}),
		"repository":       c.Repository,
	})
}
