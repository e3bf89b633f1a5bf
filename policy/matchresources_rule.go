package policy

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

var knownOperations = []string{anything, "CREATE", "UPDATE", "DELETE", "CONNECT"}

// validate reports what the API server rejects in a webhook's rule.
// kubernetes: pkg/apis/admissionregistration/validation/validation.go, validateRuleWithOperations
func (r ResourceRule) validate(path *field.Path) field.ErrorList {
	faults := validateList(path.Child("groups"), r.Groups, object.Text)
	faults = append(faults, validateList(path.Child("versions"), r.Versions, object.RequiredText)...)
	faults = append(faults, validateList(path.Child("operations"), r.Operations, func(at *field.Path, operation string) field.ErrorList {
		if slices.Contains(knownOperations, operation) {
			return nil
		}
		return field.ErrorList{field.NotSupported(at, operation, knownOperations)}
	})...)
	faults = append(faults, validateResourcePatterns(path.Child("resources"), r.Resources)...)
	for i, name := range r.Names {
		faults = append(faults, object.RequiredText(path.Child("names").Index(i), name)...)
	}
	return append(faults, validateChoice(path.Child("scope"), r.Scope, AnyScope, ClusterScope, NamespacedScope)...)
}

// validateList checks a list in which "*" stands alone.
func validateList(path *field.Path, list []string, each func(*field.Path, string) field.ErrorList) field.ErrorList {
	var faults field.ErrorList
	if len(list) > 1 && slices.Contains(list, anything) {
		faults = append(faults, field.Invalid(path, list, `"*" stands for everything: leave out the others`))
	}
	for i, item := range list {
		faults = append(faults, each(path.Index(i), item)...)
	}
	return faults
}

func validateResourcePatterns(path *field.Path, resources []string) field.ErrorList {
	if len(resources) == 0 {
		return field.ErrorList{field.Required(path, `name the resources in their plural form, or "*"`)}
	}
	var faults field.ErrorList
	for i, text := range resources {
		at := path.Index(i)
		faults = append(faults, object.RequiredText(at, text)...)
		for j, other := range resources {
			if i != j && holdsResources(other, text) && (j < i || !holdsResources(text, other)) {
				faults = append(faults, field.Invalid(at, text, fmt.Sprintf("%q stands for it: leave it out", other)))
				break
			}
		}
	}
	return faults
}

// holdsResources reports whether a pattern of resources holds all that another stands for.
func holdsResources(pattern, other string) bool {
	resource, subresource, deep := strings.Cut(pattern, "/")
	otherResource, otherSubresource, otherDeep := strings.Cut(other, "/")
	if pattern == "*/*" {
		return true
	}
	return deep == otherDeep && (resource == anything || resource == otherResource) &&
		(subresource == anything || subresource == otherSubresource)
}

// validateChoice reports a value that is neither empty nor one of those there are.
func validateChoice[T ~string](path *field.Path, value T, choices ...T) field.ErrorList {
	if value == "" || slices.Contains(choices, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, choices)}
}
