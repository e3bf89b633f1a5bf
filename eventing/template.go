package eventing

import (
	"text/template/parse"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// validateTemplate checks the syntax of a Go template; the sprig functions are
// not looked up. Upstream logs a template that it cannot read and goes on without.
func validateTemplate(path *field.Path, template string) field.ErrorList {
	if faults := object.Text(path, template); len(faults) > 0 {
		return faults
	}
	tree := parse.New("template")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(template, "", "", map[string]*parse.Tree{}); err != nil {
		return field.ErrorList{field.Invalid(path, template, err.Error())}
	}
	return nil
}

func requiredTemplate(path *field.Path, template string) field.ErrorList {
	if template == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return validateTemplate(path, template)
}
