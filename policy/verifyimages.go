package policy

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ImageVerification verifies signatures and attestations of images. Deprecated fields are set through the rule's Raw.
type ImageVerification struct {
	// References of the images, in which "*" and "?" are wildcards; without a registry they are docker.io's. No variables.
	// At least one.
	References []string
	// SkipReferences are left alone.
	SkipReferences []string
	// Type of the signatures. Default: VerifyCosign.
	Type ImageVerificationType
	// Attestors who have to have signed the image: all of the sets.
	Attestors []AttestorSet
	// Attestations that the image has to have.
	Attestations []ClassicAttestation
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
	// Checks leave out what Kyverno does beyond that. With the action Audit, KeepTags is needed.
	Checks ImageChecks
	// Deny denies if conditions on attestations and variables are true: it is checked once the images are verified. If one
	// verification of a rule has it, all need it, or Kyverno 1.15 panics (kyverno: pkg/validation/policy/validate.go).
	Deny *DenyCheck
	// Message if Deny denies. Default: one of Kyverno's.
	Message string
	// Repository that holds signatures and attestations. Default: the image's, or Kyverno's own setting.
	Repository string
	// OCI11 looks for signatures as OCI 1.1 referrers, an experiment of cosign's. Default: false.
	OCI11 bool
	// NoCache verifies again what was verified a moment ago (useCache: false). Default: false.
	NoCache bool
	// Credentials for the registries that hold the images.
	Credentials ImageCredentials
}

// ImageVerificationType is a type of signatures.
type ImageVerificationType string

const (
	// VerifyCosign verifies signatures of cosign.
	VerifyCosign ImageVerificationType = "Cosign"
	// VerifySigstoreBundle verifies bundles of Sigstore, such as GitHub's attestations.
	VerifySigstoreBundle ImageVerificationType = "SigstoreBundle"
	// VerifyNotary verifies signatures of Notary; attestors are certificates.
	VerifyNotary ImageVerificationType = "Notary"
)

// ClassicAttestation is a statement about an image that is kept beside it.
type ClassicAttestation struct {
	// Name by which Deny and variables refer to the attestation. Default: none.
	Name string
	// Type of the statement, such as "https://slsa.dev/provenance/v1". Required.
	Type string
	// Attestors who have to have signed it: all of the sets. Default: those of the image.
	Attestors []AttestorSet
	// Conditions on what it says, whose fields are variables: all have to hold. Default: none.
	Conditions []Conditions
}

// ImageExtractor says where an object of a kind that is no pod has its images.
type ImageExtractor struct {
	// Path to what holds the image, with "/" between fields and "*" for all: "/spec/steps/*/image". Required.
	Path string
	// Value is the field within Path that is the image. Default: Path itself is.
	Value string
	// Name under which images are found: images.<name>. Default: "custom".
	Name string
	// Key is the field within Path that names the image, of its own for each.
	Key string
	// JMESPath picks the image from the value. It forbids replacing tags by digests.
	JMESPath string
}

func validateVerifications(path *field.Path, verifications []ImageVerification) field.ErrorList {
	var faults field.ErrorList
	denying := slices.ContainsFunc(verifications, func(v ImageVerification) bool { return v.Deny != nil })
	for i, verification := range verifications {
		at := path.Index(i)
		faults = append(faults, verification.validate(at)...)
		if denying && verification.Deny == nil {
			faults = append(faults, field.Required(at.Child("deny"), "another verification of the rule has it: make rules of their own"))
		}
	}
	return faults
}

// kyverno: api/kyverno/v1/image_verification_types.go, ImageVerification.Validate
func (v ImageVerification) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if len(v.References) == 0 {
		faults = append(faults, field.Required(path.Child("references"), `it takes "*" for all images`))
	}
	faults = append(faults, validateReferences(path.Child("references"), v.References)...)
	faults = append(faults, validateReferences(path.Child("skipReferences"), v.SkipReferences)...)
	faults = append(faults, validateChoice(path.Child("type"), v.Type, VerifyCosign, VerifySigstoreBundle, VerifyNotary)...)
	faults = append(faults, validateAttestorSets(path.Child("attestors"), v.Attestors, 0)...)
	if v.Type == VerifyNotary {
		faults = append(faults, requireCertificates(path.Child("attestors"), v.Attestors)...)
	}
	for i, attestation := range v.Attestations {
		faults = append(faults, attestation.validate(path.Child("attestations").Index(i))...)
	}
	faults = append(faults, validateAction(path.Child("action"), v.Action)...)
	if v.Action == Audit && !v.Checks.KeepTags {
		faults = append(faults, field.Required(path.Child("checks", "keepTags"), "an audit changes no tags"))
	}
	if v.Deny != nil {
		faults = append(faults, v.Deny.validateCheck(path.Child("deny"), 0)...)
	} else if v.Message != "" {
		faults = append(faults, field.Forbidden(path.Child("message"), "without deny nobody reads it"))
	}
	faults = append(faults, object.Text(path.Child("message"), v.Message)...)
	faults = append(faults, object.Text(path.Child("repository"), v.Repository)...)
	return append(faults, v.Credentials.validate(path.Child("credentials"))...)
}

func validateReferences(path *field.Path, references []string) field.ErrorList {
	faults := validateTexts(path, references)
	for i, reference := range references {
		if len(variablesIn(reference)) > 0 {
			faults = append(faults, field.Invalid(path.Index(i), reference, "references take no variables"))
		}
	}
	return faults
}

func requireCertificates(path *field.Path, sets []AttestorSet) field.ErrorList {
	var faults field.ErrorList
	for i, set := range sets {
		for j, attestor := range set.Entries {
			switch attestor.Signer.(type) {
			case KeysSigner, *KeysSigner, KeylessSigner, *KeylessSigner:
				faults = append(faults, field.Forbidden(path.Index(i).Child("entries").Index(j).Child("signer"),
					"Notary verifies certificates: use a CertificateSigner"))
			}
		}
	}
	return faults
}

func (a ClassicAttestation) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("name"), a.Name)
	faults = append(faults, object.RequiredText(path.Child("type"), a.Type)...)
	faults = append(faults, validateAttestorSets(path.Child("attestors"), a.Attestors, 0)...)
	for i, conditions := range a.Conditions {
		at := path.Child("conditions").Index(i)
		if conditions.isEmpty() {
			faults = append(faults, field.Required(at, ""))
		}
		faults = append(faults, conditions.validate(at)...)
	}
	return faults
}

// validateExtractors checks what only rules that verify images have.
// kyverno: api/kyverno/v1/rule_types.go; pkg/validation/policy/validate.go, validateRuleImageExtractorsJMESPath
func (r ClassicRule) validateExtractors(path *field.Path) field.ErrorList {
	if len(r.ImageExtractors) == 0 {
		return nil
	}
	if len(r.VerifyImages) == 0 {
		return field.ErrorList{field.Forbidden(path, "it is for rules that verify images")}
	}
	replaces := slices.ContainsFunc(r.VerifyImages, func(v ImageVerification) bool { return !v.Checks.KeepTags })
	var faults field.ErrorList
	for _, kind := range slices.Sorted(maps.Keys(r.ImageExtractors)) {
		faults = append(faults, object.RequiredText(path, kind)...)
		for i, extractor := range r.ImageExtractors[kind] {
			at := path.Key(kind).Index(i)
			faults = append(faults, extractor.validate(at)...)
			if extractor.JMESPath != "" && replaces {
				faults = append(faults, field.Forbidden(at.Child("jmesPath"), "a digest cannot be put back through it: keep the tags"))
			}
		}
	}
	return faults
}

func (e ImageExtractor) validate(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("path"), e.Path)
	if e.Path != "" && strings.Trim(e.Path, "/") == "" {
		faults = append(faults, field.Invalid(path.Child("path"), e.Path, "it names no field"))
	}
	for _, f := range (texts{{"value", e.Value}, {"name", e.Name}, {"key", e.Key}, {"jmesPath", e.JMESPath}}) {
		faults = append(faults, object.Text(path.Child(f.name), f.text)...)
	}
	return faults
}

func buildExtractors(extractors map[string][]ImageExtractor) map[string]any {
	out := map[string]any{}
	for kind, list := range extractors {
		items := make([]any, len(list))
		for i, e := range list {
			items[i] = object.Compact(map[string]any{
				"path": e.Path, "value": e.Value, "name": e.Name, "key": e.Key, "jmesPath": e.JMESPath,
			})
		}
		out[kind] = items
	}
	return out
}

func buildVerifications(verifications []ImageVerification) []any {
	out := make([]any, len(verifications))
	for i, verification := range verifications {
		out[i] = verification.build()
	}
	return out
}

func (v ImageVerification) build() map[string]any {
	fields := object.Compact(map[string]any{
		"imageReferences":          v.References,
		"skipImageReferences":      v.SkipReferences,
		"type":                     v.Type,
		"attestors":                buildAttestorSets(v.Attestors),
		"attestations":             buildClassicAttestations(v.Attestations),
		"failureAction":            orDefault(v.Action, Enforce),
		"repository":               v.Repository,
		"cosignOCI11":              v.OCI11,
		"imageRegistryCredentials": v.Credentials.build(),
	})
	maps.Copy(fields, v.Checks.build())
	setFalse(fields, "useCache", v.NoCache)
	if v.Deny != nil {
		name, deny := v.Deny.buildCheck()
		validate := object.Compact(map[string]any{"message": v.Message})
		validate[name] = deny
		fields["validate"] = validate
	}
	return fields
}

func buildClassicAttestations(attestations []ClassicAttestation) []any {
	out := make([]any, len(attestations))
	for i, attestation := range attestations {
		conditions := make([]any, len(attestation.Conditions))
		for j, item := range attestation.Conditions {
			conditions[j] = item.build()
		}
		out[i] = object.Compact(map[string]any{
			"name": attestation.Name, "type": attestation.Type,
			"attestors": buildAttestorSets(attestation.Attestors), "conditions": conditions,
		})
	}
	return out
}
