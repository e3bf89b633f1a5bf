package eventing

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// validateArguments checks the arguments of a command, which everybody who may
// read the object can read: flags that carry credentials are refused.
func validateArguments(path *field.Path, arguments []string, secret ...string) field.ErrorList {
	var faults field.ErrorList
	for i, argument := range arguments {
		at := path.Index(i)
		flag, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if strings.HasPrefix(argument, "-") && slices.Contains(secret, flag) {
			faults = append(faults, field.Forbidden(at, "carries credentials"))
			continue
		}
		faults = append(faults, object.RequiredText(at, argument)...)
	}
	return faults
}
