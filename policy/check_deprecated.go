package policy

import "strings"

// deprecatedSpecFields are those of a policy's spec, with what replaces each.
// kyverno: api/kyverno/v1/spec_types.go
var deprecatedSpecFields = [][2]string{
	{"failurePolicy", "spec.webhookConfiguration.failurePolicy"},
	{"validationFailureAction", "validate.failureAction of each rule"},
	{"validationFailureActionOverrides", "validate.failureActionOverrides of each rule"},
	{"schemaValidation", "nothing: it has no effect"},
	{"webhookTimeoutSeconds", "spec.webhookConfiguration.timeoutSeconds"},
	{"mutateExistingOnPolicyUpdate", "mutate.mutateExistingOnPolicyUpdate of each rule"},
	{"generateExistingOnPolicyUpdate", "generate.generateExisting of each rule"},
	{"generateExisting", "generate.generateExisting of each rule"},
}

func checkDeprecatedSpec(spec place) {
	for _, field := range deprecatedSpecFields {
		if at := spec.Child(field[0]); at.Present() {
			at.Report(checkDeprecatedField, "it is replaced by %s", field[1])
		}
	}
	for _, rule := range spec.Child("rules").Items() {
		for _, block := range []string{"match", "exclude"} {
			if at := rule.Child(block, "resources"); at.Present() {
				at.Report(checkDeprecatedField, "it is replaced by %s.any and %s.all", block, block)
			}
			for _, filter := range filtersOf(rule.Child(block)) {
				if at := filter.Child("resources", "name"); at.Present() {
					at.Report(checkDeprecatedField, "it is replaced by names")
				}
			}
		}
		for _, at := range []place{spec.Child("validationFailureAction"), rule.Child("validate", "failureAction")} {
			if text := at.Text(); text != "" && text == strings.ToLower(text) {
				at.Report(checkDeprecatedField, "it is written %s now", strings.ToUpper(text[:1])+text[1:])
			}
		}
		for _, image := range rule.Child("verifyImages").Items() {
			for _, field := range [][2]string{
				{"image", "imageReferences"}, {"key", "attestors"}, {"roots", "attestors"}, {"subject", "attestors"},
				{"issuer", "attestors"}, {"additionalExtensions", "attestors"}, {"annotations", "annotations of each attestor"},
			} {
				if at := image.Child(field[0]); at.Present() {
					at.Report(checkDeprecatedField, "it is replaced by %s", field[1])
				}
			}
		}
	}
}
