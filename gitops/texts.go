package gitops

import (
	"strings"
	"text/template/parse"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// texts checks the strings of an Application: as they are in an Application, and as Go templates in a template, where
// the final value is known only to the ApplicationSet controller.
type texts interface {
	// renders reports whether the string is a template, whose final value is not known.
	renders(value string) bool
	text(path *field.Path, value string) field.ErrorList
	name(path *field.Path, value string) field.ErrorList
	namespace(path *field.Path, value string) field.ErrorList
	labels(path *field.Path, values map[string]string) field.ErrorList
	annotations(path *field.Path, values map[string]string) field.ErrorList
}

// literal strings are final.
type literal struct{}

func (literal) renders(string) bool { return false }

func (literal) text(path *field.Path, value string) field.ErrorList { return object.Text(path, value) }

func (literal) name(path *field.Path, value string) field.ErrorList { return object.Name(path, value) }

func (literal) namespace(path *field.Path, value string) field.ErrorList {
	return object.Namespace(path, value)
}

func (literal) labels(path *field.Path, values map[string]string) field.ErrorList {
	return metav1validation.ValidateLabels(values, path)
}

func (literal) annotations(path *field.Path, values map[string]string) field.ErrorList {
	return object.Annotations(path, values)
}

// templated strings may hold Go template actions; those without are checked as literals.
type templated struct{}

func (templated) renders(value string) bool { return isTemplate(value) }

func (templated) text(path *field.Path, value string) field.ErrorList {
	if faults := object.Text(path, value); len(faults) > 0 || !isTemplate(value) {
		return faults
	}
	if err := parseTemplate(value); err != nil {
		return field.ErrorList{field.Invalid(path, value, err.Error())}
	}
	return nil
}

func (t templated) name(path *field.Path, value string) field.ErrorList {
	if isTemplate(value) {
		return t.text(path, value)
	}
	return object.Name(path, value)
}

func (t templated) namespace(path *field.Path, value string) field.ErrorList {
	if isTemplate(value) {
		return t.text(path, value)
	}
	return object.Namespace(path, value)
}

func (t templated) labels(path *field.Path, values map[string]string) field.ErrorList {
	var faults field.ErrorList
	for _, key := range keys(values) {
		if isTemplate(key) || isTemplate(values[key]) {
			faults = append(faults, t.text(path, key)...)
			faults = append(faults, t.text(path.Key(key), values[key])...)
			continue
		}
		faults = append(faults, metav1validation.ValidateLabels(map[string]string{key: values[key]}, path)...)
	}
	return faults
}

func (t templated) annotations(path *field.Path, values map[string]string) field.ErrorList {
	var faults field.ErrorList
	for _, key := range keys(values) {
		if isTemplate(key) {
			faults = append(faults, t.text(path, key)...)
		} else {
			faults = append(faults, object.Annotations(path, map[string]string{key: ""})...)
		}
		faults = append(faults, t.text(path.Key(key), values[key])...)
	}
	return faults
}

func isTemplate(value string) bool { return strings.Contains(value, "{{") }

// parseTemplate checks the syntax alone: which functions exist (sprig's and Argo CD's own) is the controller's matter.
func parseTemplate(value string) error {
	tree := parse.New("template")
	tree.Mode = parse.SkipFuncCheck
	_, err := tree.Parse(value, "{{", "}}", map[string]*parse.Tree{})
	return err
}

// requireText reports a string that is missing, or that the texts do not accept.
func requireText(path *field.Path, value string, texts texts) field.ErrorList {
	if strings.TrimSpace(value) == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return texts.text(path, value)
}

// validateTexts checks a list in which an empty text says nothing.
func validateTexts(path *field.Path, values []string, texts texts) field.ErrorList {
	var faults field.ErrorList
	for i, value := range values {
		faults = append(faults, requireText(path.Index(i), value, texts)...)
	}
	return faults
}

// validatePointer checks a JSON pointer to a part of an object (RFC 6901).
func validatePointer(path *field.Path, pointer string) field.ErrorList {
	if !strings.HasPrefix(pointer, "/") {
		return field.ErrorList{field.Invalid(path, pointer, `must start with "/"`)}
	}
	// "~" escapes: without the two pairs that there are, none is left.
	if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(pointer), "~") {
		return field.ErrorList{field.Invalid(path, pointer, `"~" stands for itself as "~0" and for "/" as "~1"`)}
	}
	return object.Text(path, pointer)
}
