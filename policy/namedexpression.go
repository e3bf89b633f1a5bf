package policy

import (
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// NamedExpression is a CEL expression with a name.
type NamedExpression struct {
	// Name of the expression, of its own within the list. Required.
	Name string
	// Expression in CEL. Required.
	Expression string
}

// matchConditionLimit is what the API server takes in a webhook.
// kubernetes: pkg/apis/admissionregistration/validation/validation.go, validateMatchConditions
const matchConditionLimit = 64

// validateMatchConditions checks conditions that Kyverno copies into the webhooks, whose names follow the API server's
// rules.
func validateMatchConditions(path *field.Path, conditions []NamedExpression) field.ErrorList {
	faults := validateNamed(path, conditions, func(at *field.Path, name string) field.ErrorList {
		return invalidAt(at, name, validation.IsQualifiedName(name))
	})
	if len(conditions) > matchConditionLimit {
		faults = append(faults, field.TooMany(path, len(conditions), matchConditionLimit))
	}
	return faults
}

// validateConditions checks conditions that Kyverno keeps to itself.
func validateConditions(path *field.Path, conditions []NamedExpression) field.ErrorList {
	return validateNamed(path, conditions, object.Text)
}

var (
	celIdentifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// celKeywords cannot follow a dot, unlike the other words that CEL reserves.
	// cel-go: parser/gen/CEL.g4
	celKeywords = []string{"false", "in", "null", "true"}
)

// validateIdentifiers checks expressions whose results have a name in other expressions: variables.<name>.
func validateIdentifiers(path *field.Path, variables []NamedExpression) field.ErrorList {
	return validateNamed(path, variables, func(at *field.Path, name string) field.ErrorList {
		switch {
		case !celIdentifier.MatchString(name):
			return field.ErrorList{field.Invalid(at, name, "an expression can refer to letters, digits and underscores only")}
		case slices.Contains(celKeywords, name):
			return field.ErrorList{field.Invalid(at, name, "the word has a meaning of its own in CEL")}
		}
		return nil
	})
}

func validateNamed(path *field.Path, list []NamedExpression, validateName func(*field.Path, string) field.ErrorList) field.ErrorList {
	var faults field.ErrorList
	for i, item := range list {
		at := path.Index(i)
		faults = append(faults, validateOwnName(at.Child("name"), item.Name, nameOf, list[:i], validateName)...)
		faults = append(faults, object.RequiredText(at.Child("expression"), item.Expression)...)
	}
	return faults
}

func nameOf(item NamedExpression) string { return item.Name }

// validateOwnName checks the name of an item that those before it must not have.
func validateOwnName[T any](
	at *field.Path, name string, nameOf func(T) string, before []T, validateName func(*field.Path, string) field.ErrorList,
) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	if slices.ContainsFunc(before, func(other T) bool { return nameOf(other) == name }) {
		return field.ErrorList{field.Duplicate(at, name)}
	}
	return validateName(at, name)
}

func invalidAt(at *field.Path, value string, messages []string) field.ErrorList {
	var faults field.ErrorList
	for _, message := range messages {
		faults = append(faults, field.Invalid(at, value, message))
	}
	return faults
}

func buildNamed(list []NamedExpression) []any {
	out := make([]any, len(list))
	for i, item := range list {
		out[i] = map[string]any{"name": item.Name, "expression": item.Expression}
	}
	return out
}

// ExpressionOr is a text, or a CEL expression that yields it. One of the two is needed.
type ExpressionOr struct {
	Value      string
	Expression string
}

// validate does not repeat the text, which may be longer than a reader has use for.
func (e ExpressionOr) validate(path *field.Path) field.ErrorList {
	return validateOneOf(path, texts{{"value", e.Value}, {"expression", e.Expression}})
}

func (e ExpressionOr) build() map[string]any {
	return object.Compact(map[string]any{"value": e.Value, "expression": e.Expression})
}

// texts are the fields of a union.
type texts []struct{ name, text string }

// validateOneOf requires one of the fields. It repeats none.
func validateOneOf(path *field.Path, union texts) field.ErrorList {
	var faults field.ErrorList
	first := ""
	for _, f := range union {
		at := path.Child(f.name)
		switch {
		case f.text == "":
		case first != "":
			faults = append(faults, field.Forbidden(at, fmt.Sprintf("%s is set already: leave out one of the two", first)))
		default:
			first = f.name
			if len(object.Text(at, f.text)) > 0 {
				faults = append(faults, field.Invalid(at, field.OmitValueType{}, "must be valid UTF-8"))
			}
		}
	}
	if first == "" {
		faults = append(faults, field.Required(path.Child(union[0].name), ""))
	}
	return faults
}
