package policy

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/object"
)

// JSON6902Patch changes the object by JSON patches (RFC 6902).
type JSON6902Patch struct {
	// Patches as a list in YAML or JSON, in whose text variables are replaced: "- {op: remove, path: /spec/replicas}".
	// Required.
	Patches string
}

var patchOperations = []string{"add", "remove", "replace", "move", "copy", "test"}

// unknown stands for what a variable yields.
const unknown = "value-of-a-variable"

func (p JSON6902Patch) validatePatch(path *field.Path, depth int) field.ErrorList {
	at := path.Child("patches")
	if faults := object.RequiredText(at, p.Patches); len(faults) > 0 {
		return faults
	}
	patches, err := p.parse()
	if err != nil {
		return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "it is no list of patches: "+err.Error())}
	}
	var faults field.ErrorList
	if len(patches) == 0 {
		faults = append(faults, field.Required(at, "a list without a patch changes nothing"))
	}
	for i, patch := range patches {
		faults = append(faults, validateJSONPatch(at.Index(i), patch, depth > 0)...)
	}
	return faults
}

// validateJSONPatch checks one patch. Only those for elements may have variables in their path.
// kyverno: pkg/validation/policy/validate.go, validateJSONPatch
func validateJSONPatch(path *field.Path, patch map[string]any, ofElement bool) field.ErrorList {
	var faults field.ErrorList
	operation, _ := patch["op"].(string)
	if !slices.Contains(patchOperations, operation) {
		faults = append(faults, field.NotSupported(path.Child("op"), fmt.Sprint(patch["op"]), patchOperations))
	}
	faults = append(faults, validatePointer(path.Child("path"), patch["path"], ofElement)...)
	switch operation {
	case "move", "copy":
		faults = append(faults, validatePointer(path.Child("from"), patch["from"], true)...)
	case "add", "replace", "test":
		if _, set := patch["value"]; !set {
			faults = append(faults, field.Required(path.Child("value"), "only remove, move and copy need none"))
		}
	}
	return faults
}

func validatePointer(path *field.Path, value any, variables bool) field.ErrorList {
	pointer, _ := value.(string)
	switch {
	case variables && strings.HasPrefix(pointer, unknown):
		return nil
	case !strings.HasPrefix(pointer, "/"):
		return field.ErrorList{field.Invalid(path, fmt.Sprint(value), "it starts with a slash")}
	case !variables && strings.Contains(pointer, unknown):
		return field.ErrorList{field.Forbidden(path, "only patches for elements of a list can have variables in it")}
	}
	return nil
}

// parse returns the patches, with a word in place of each variable.
func (p JSON6902Patch) parse() ([]map[string]any, error) {
	text := p.Patches
	for variablePattern.MatchString(text) {
		text = variablePattern.ReplaceAllString(text, "${1}"+unknown)
	}
	var patches []map[string]any
	err := yaml.Unmarshal([]byte(text), &patches)
	return patches, err
}

func (p JSON6902Patch) buildPatch() (string, any) { return "patchesJson6902", p.Patches }
