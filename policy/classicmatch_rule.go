package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateSubresources reports subresources that a rule which validates would have to find in the background.
// kyverno: pkg/validation/policy/validate.go, validKinds
func (r ClassicRule) validateSubresources(path *field.Path, scope classicScope) field.ErrorList {
	if r.Validate == nil || !scope.background {
		return nil
	}
	var faults field.ErrorList
	r.Match.each(path, func(at *field.Path, filter ResourceFilter) {
		for i, kind := range filter.Kinds {
			if selector, parses := selectKind(kind); parses && selector.subresource != "" {
				faults = append(faults, field.Forbidden(at.Child("kinds").Index(i),
					"a subresource is in requests alone: skip the background of the policy"))
			}
		}
	})
	return faults
}

// validateEveryKind reports filters for every kind where Kyverno takes none: in the background, and for rules that need to
// know more of an object than its metadata.
// kyverno: pkg/validation/policy/validate.go, validateWildcard
func (r ClassicRule) validateEveryKind(path *field.Path, filters ResourceFilters, scope classicScope) field.ErrorList {
	var faults field.ErrorList
	filters.each(path, func(at *field.Path, filter ResourceFilter) {
		if !slices.Contains(filter.Kinds, anything) {
			return
		}
		kinds := at.Child("kinds")
		if scope.background {
			faults = append(faults, field.Forbidden(kinds, `the background cannot look at every kind: skip it, or name the kinds`))
		}
		if !r.isForMetadata() {
			faults = append(faults, field.Forbidden(kinds, `the rule asks for more than metadata: name the kinds`))
		}
	})
	return faults
}

// isForMetadata reports whether Kyverno takes the rule for one that any object can be held to.
func (r ClassicRule) isForMetadata() bool {
	if r.Generate != nil || len(r.VerifyImages) > 0 {
		return false
	}
	if r.Validate != nil {
		switch check := r.Validate.Check.(type) {
		case ForEachCheck, *ForEachCheck:
			return false
		case PatternCheck:
			return holdsMetadata(check.Pattern)
		case *PatternCheck:
			return check == nil || holdsMetadata(check.Pattern)
		case AnyPatternCheck:
			return holdMetadata(check.Patterns)
		case *AnyPatternCheck:
			return check == nil || holdMetadata(check.Patterns)
		}
	}
	if r.Mutate != nil {
		switch patch := r.Mutate.Patch.(type) {
		case StrategicMergePatch:
			return holdsMetadata(patch.Patch)
		case *StrategicMergePatch:
			return patch == nil || holdsMetadata(patch.Patch)
		case JSON6902Patch:
			return patch.patchesMetadata()
		case *JSON6902Patch:
			return patch == nil || patch.patchesMetadata()
		}
	}
	return true
}

func holdMetadata(patterns []any) bool {
	return !slices.ContainsFunc(patterns, func(pattern any) bool { return !holdsMetadata(pattern) })
}

// holdsMetadata reports whether nothing but metadata is in an overlay.
func holdsMetadata(overlay any) bool {
	encoded, err := encodeRaw(map[string]any{"overlay": overlay})
	if err != nil {
		return true // reported where the overlay is
	}
	fields, _ := encoded["overlay"].(map[string]any)
	for name := range fields {
		if name != "metadata" {
			return false
		}
	}
	return true
}

func (p JSON6902Patch) patchesMetadata() bool {
	patches, _ := p.parse() // what does not parse is reported where the patch is
	return !slices.ContainsFunc(patches, func(patch map[string]any) bool {
		pointer, _ := patch["path"].(string)
		return !strings.HasPrefix(pointer, "/metadata")
	})
}
