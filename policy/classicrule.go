package policy

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ClassicRule is a rule of a ClusterPolicy. Exactly one of Validate, Mutate, Generate and VerifyImages is needed.
type ClassicRule struct {
	// Name of the rule, of its own within the policy, of at most 63 characters. Required.
	Name string
	// Context are the variables of the rule. Each can use those before it. Rules with CEL expressions have none.
	Context []ContextEntry
	// Match selects what the rule is for. Each filter names the kinds. Required.
	Match ResourceFilters
	// Exclude wins over Match. Default: nothing.
	Exclude ResourceFilters
	// Preconditions select further. Default: none.
	Preconditions Conditions
	// CELPreconditions select further, for rules with CEL expressions alone: all have to be true. Default: none.
	CELPreconditions []NamedExpression

	// Validate judges.
	Validate *ClassicValidate
	// Mutate changes what is requested, or other objects.
	Mutate *ClassicMutate
	// Generate creates objects.
	Generate *ClassicGenerate
	// VerifyImages verifies the signatures of images.
	VerifyImages []ImageVerification

	// ImageExtractors say where objects of further kinds, by kind, have their images. For VerifyImages alone.
	ImageExtractors map[string][]ImageExtractor
	// JudgeBackgroundRequests applies the rule to what Kyverno's background controller does as well
	// (skipBackgroundRequests: false). Default: false.
	JudgeBackgroundRequests bool
	// ReportProperties are added to the reports of the rule.
	ReportProperties map[string]string
	// Raw is merged over the rule as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// longestRuleName is the CRD's limit.
const longestRuleName = 63

func (r ClassicRule) validate(path *field.Path, scope classicScope) field.ErrorList {
	faults := object.RequiredText(path.Child("name"), r.Name)
	if len(r.Name) > longestRuleName {
		faults = append(faults, field.TooLong(path.Child("name"), r.Name, longestRuleName))
	}
	faults = append(faults, r.validateMatch(path, scope)...)
	faults = append(faults, validateContext(path.Child("context"), r.Context)...)
	faults = append(faults, r.Preconditions.validate(path.Child("preconditions"))...)
	faults = append(faults, validateConditions(path.Child("celPreconditions"), r.CELPreconditions)...)
	faults = append(faults, r.validateType(path, scope)...)
	faults = append(faults, r.validateCEL(path)...)
	faults = append(faults, r.validateExtractors(path.Child("imageExtractors"))...)
	faults = append(faults, validateTextMap(path.Child("reportProperties"), r.ReportProperties)...)
	if _, err := encodeRaw(r.Raw); err != nil {
		faults = append(faults, field.Invalid(path.Child("raw"), field.OmitValueType{}, err.Error()))
	}
	return faults
}

// kyverno: api/kyverno/v1/rule_types.go, ValidateMatchExcludeConflict
func (r ClassicRule) validateMatch(path *field.Path, scope classicScope) field.ErrorList {
	faults := r.Match.validate(path.Child("match"), scope)
	if r.Match.isEmpty() {
		faults = append(faults, field.Required(path.Child("match"), "a rule without a filter matches nothing"))
	}
	faults = append(faults, r.Match.requireKinds(path.Child("match"))...)
	faults = append(faults, r.validateSubresources(path.Child("match"), scope)...)
	faults = append(faults, r.validateEveryKind(path.Child("match"), r.Match, scope)...)
	faults = append(faults, r.Exclude.validate(path.Child("exclude"), scope)...)
	faults = append(faults, r.validateEveryKind(path.Child("exclude"), r.Exclude, scope)...)
	return append(faults, validateDisjoint(path.Child("exclude"), r.Match, r.Exclude)...)
}

// validateDisjoint reports exclusions of the very thing that is matched.
func validateDisjoint(path *field.Path, match, exclude ResourceFilters) field.ErrorList {
	var faults field.ErrorList
	if len(match.All) > 0 || len(exclude.All) > 0 {
		return nil
	}
	for i, filter := range exclude.Any {
		if slices.ContainsFunc(match.Any, func(other ResourceFilter) bool { return reflect.DeepEqual(filter, other) }) {
			faults = append(faults, field.Invalid(path.Child("any").Index(i), field.OmitValueType{}, "match has the same filter: the rule would match nothing"))
		}
	}
	return faults
}

// validateType requires exactly one of the types.
func (r ClassicRule) validateType(path *field.Path, scope classicScope) field.ErrorList {
	var faults field.ErrorList
	first := ""
	for _, kind := range []struct {
		name     string
		set      bool
		validate func(*field.Path) field.ErrorList
	}{
		{"validate", r.Validate != nil, func(at *field.Path) field.ErrorList { return r.Validate.validate(at) }},
		{"mutate", r.Mutate != nil, func(at *field.Path) field.ErrorList { return r.Mutate.validate(at, scope) }},
		{"generate", r.Generate != nil, func(at *field.Path) field.ErrorList { return r.Generate.validate(at, scope) }},
		{"verifyImages", len(r.VerifyImages) > 0, func(at *field.Path) field.ErrorList { return validateVerifications(at, r.VerifyImages) }},
	} {
		switch {
		case !kind.set:
		case first != "":
			faults = append(faults, field.Forbidden(path.Child(kind.name), first+" is set already: make a rule of each"))
		default:
			first = kind.name
			faults = append(faults, kind.validate(path.Child(kind.name))...)
		}
	}
	if first == "" {
		faults = append(faults, field.Required(path, "a rule has one of validate, mutate, generate and verifyImages"))
	}
	return faults
}

// validateCEL keeps what belongs to CEL expressions and what belongs to variables apart.
// kyverno: pkg/validation/policy/validate.go, validateRuleContext; pkg/policy/validate/validate.go
func (r ClassicRule) validateCEL(path *field.Path) field.ErrorList {
	isCEL := false
	if r.Validate != nil {
		switch r.Validate.Check.(type) {
		case CELCheck, *CELCheck:
			isCEL = true
		case AssertCheck, *AssertCheck:
			return append(r.forbidCELPreconditions(path), validateBindings(path.Child("context"), r.Context)...)
		}
	}
	if !isCEL {
		return r.forbidCELPreconditions(path)
	}
	if len(r.Context) > 0 {
		return field.ErrorList{field.Forbidden(path.Child("context"), "CEL expressions cannot use it: use variables of the check")}
	}
	return nil
}

func (r ClassicRule) forbidCELPreconditions(path *field.Path) field.ErrorList {
	if len(r.CELPreconditions) == 0 {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("celPreconditions"), "they are for rules with a CELCheck: use preconditions")}
}

// firstVersion returns the release that brought a field of the rule, if it is later than that of the kind.
func (r ClassicRule) firstVersion() (Version, bool) {
	if r.Validate == nil {
		return Version{}, false
	}
	switch check := r.Validate.Check.(type) {
	case PodSecurityCheck:
		return check.firstVersion()
	case *PodSecurityCheck:
		return check.firstVersion()
	default:
		return Version{}, false
	}
}

func (r ClassicRule) build() (map[string]any, error) {
	rule := object.Compact(map[string]any{
		"context":          buildContext(r.Context),
		"match":            r.Match.build(),
		"exclude":          r.Exclude.build(),
		"preconditions":    r.Preconditions.build(),
		"celPreconditions": buildNamed(r.CELPreconditions),
		"imageExtractors":  buildExtractors(r.ImageExtractors),
		"reportProperties": r.ReportProperties,
	})
	rule["name"] = r.Name
	switch {
	case r.Validate != nil:
		rule["validate"] = r.Validate.build()
	case r.Mutate != nil:
		rule["mutate"] = r.Mutate.build()
	case r.Generate != nil:
		rule["generate"] = r.Generate.build()
	default:
		rule["verifyImages"] = buildVerifications(r.VerifyImages)
	}
	setFalse(rule, "skipBackgroundRequests", r.JudgeBackgroundRequests)
	return withRaw(rule, r.Raw)
}
