package object

import (
	"maps"
	"unicode/utf8"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Meta is the metadata that builders set.
type Meta struct {
	Name        string
	Namespace   string
	Labels      map[string]string
	Annotations map[string]string
}

// Validate reports every fault that the API server would find in the metadata. The paths are those of the builders'
// Go fields in lower camel case: name, namespace, labels, annotations. An empty Namespace is accepted: cluster-scoped
// kinds have none, and builders of namespaced kinds fill in a default or require one themselves.
func (m Meta) Validate() field.ErrorList {
	faults := Name(field.NewPath("name"), m.Name)
	if m.Namespace != "" {
		faults = append(faults, Namespace(field.NewPath("namespace"), m.Namespace)...)
	}
	faults = append(faults, metav1validation.ValidateLabels(m.Labels, field.NewPath("labels"))...)
	return append(faults, Annotations(field.NewPath("annotations"), m.Annotations)...)
}

// Name reports faults of an object's name: a DNS subdomain of at most 253 characters.
func Name(path *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "the object needs a name")}
	}
	return messages(path, name, validation.IsDNS1123Subdomain(name))
}

// Namespace reports faults of a namespace's name: a DNS label of at most 63 characters.
func Namespace(path *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return messages(path, name, validation.IsDNS1123Label(name))
}

// Annotations reports faults of annotation keys and of their total size, and values that are not text.
func Annotations(path *field.Path, annotations map[string]string) field.ErrorList {
	faults := apivalidation.ValidateAnnotations(annotations, path)
	for key, value := range annotations {
		faults = append(faults, Text(path.Key(key), value)...)
	}
	return faults
}

// Text reports a string that JSON could not carry unchanged because it is not UTF-8.
func Text(path *field.Path, value string) field.ErrorList {
	if utf8.ValidString(value) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, "must be valid UTF-8")}
}

// RequiredText reports a string that is missing or that JSON could not carry unchanged.
func RequiredText(path *field.Path, value string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return Text(path, value)
}

// RequiredFragment reports an upstream fragment, as a caller wrote it, that is missing or that JSON cannot express. The
// fragment is not repeated: it may hold anything.
func RequiredFragment(path *field.Path, fragment map[string]any) field.ErrorList {
	if len(fragment) == 0 {
		return field.ErrorList{field.Required(path, "")}
	}
	if _, err := Encode(fragment); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return nil
}

func messages(path *field.Path, value string, found []string) field.ErrorList {
	var faults field.ErrorList
	for _, message := range found {
		faults = append(faults, field.Invalid(path, value, message))
	}
	return faults
}

func (m Meta) applyTo(obj *unstructured.Unstructured) {
	obj.SetName(m.Name)
	if m.Namespace != "" {
		obj.SetNamespace(m.Namespace)
	}
	if len(m.Labels) > 0 {
		obj.SetLabels(maps.Clone(m.Labels))
	}
	if len(m.Annotations) > 0 {
		obj.SetAnnotations(maps.Clone(m.Annotations))
	}
}
