package policy

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// anchor is a key of an overlay that says how its value is read: "(a)" if it fits, "=(a)" if it is there, "X(a)" not at
// all, "^(a)" in one item at least, "<(a)" or nowhere, "+(a)" unless it is there.
// kyverno: pkg/engine/anchor/anchor.go
var anchor = regexp.MustCompile(`^\s*([+<=X^]?)\((.+)\)\s*$`)

// validatePattern checks the anchors of a pattern.
// kyverno: pkg/policy/validate/validate.go; pkg/policy/common/validate_pattern.go
func validatePattern(path *field.Path, pattern any) field.ErrorList {
	faults := validateValue(path, pattern)
	if len(faults) > 0 {
		return faults
	}
	encoded, err := encodeRaw(map[string]any{"pattern": pattern})
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return append(validateMetadataTexts(path, pattern), validateAnchors(path, encoded["pattern"], func(at *field.Path, modifier string, value any) field.ErrorList {
		switch list, isList := value.([]any); {
		case modifier == "+":
			return field.ErrorList{field.Forbidden(at, "an anchor that adds is for patches")}
		case modifier == "^" && (!isList || len(list) == 0):
			return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "an anchor for an item that has to exist is for lists with one")}
		}
		return nil
	})...)
}

// validateAnchors calls the function with every anchor below a value.
func validateAnchors(
	path *field.Path, value any, validate func(at *field.Path, modifier string, value any) field.ErrorList,
) field.ErrorList {
	var faults field.ErrorList
	switch typed := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(typed)) {
			at := path.Key(key)
			if found := anchor.FindStringSubmatch(strings.TrimSpace(key)); found != nil {
				faults = append(faults, validate(at, found[1], typed[key])...)
			}
			faults = append(faults, validateAnchors(at, typed[key], validate)...)
		}
	case []any:
		for i, item := range typed {
			faults = append(faults, validateAnchors(path.Index(i), item, validate)...)
		}
	}
	return faults
}

// forbidAnchors reports anchors where an object is meant as it is written.
func forbidAnchors(path *field.Path, value any) field.ErrorList {
	encoded, err := encodeRaw(map[string]any{"value": value})
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return validateAnchors(path, encoded["value"], func(at *field.Path, _ string, _ any) field.ErrorList {
		return field.ErrorList{field.Forbidden(at, "anchors are for patterns and patches")}
	})
}

// validateMetadataTexts reports labels and annotations of an overlay that are no texts.
// kyverno: pkg/validation/policy/validate.go, isLabelAndAnnotationsString
func validateMetadataTexts(path *field.Path, overlay any) field.ErrorList {
	encoded, err := encodeRaw(map[string]any{"overlay": overlay})
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	fields, _ := encoded["overlay"].(map[string]any)
	metadata, _ := fields["metadata"].(map[string]any)
	var faults field.ErrorList
	for _, name := range []string{"labels", "annotations"} {
		texts, _ := metadata[name].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			if _, isText := texts[key].(string); !isText {
				faults = append(faults, field.Invalid(path.Key("metadata").Key(name).Key(key), field.OmitValueType{}, "labels and annotations are texts: quote it"))
			}
		}
	}
	return faults
}
