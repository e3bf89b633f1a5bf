package policy

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// AttestorSet is a group of attestors, of whom some or all have to have signed.
type AttestorSet struct {
	// Count of the entries that have to have signed, 1 for any of them. Default: all.
	Count int
	// Entries are the attestors. At least one.
	Entries []ClassicAttestor
}

// ClassicAttestor is somebody whose signatures rules of the older generation trust.
type ClassicAttestor struct {
	// Signer is who signs: KeysSigner, KeylessSigner, CertificateSigner or NestedAttestors. Required.
	Signer ClassicSigner
	// Annotations that the signature has to hold, among others.
	Annotations map[string]string
	// Repository that holds signatures and attestations. Default: that of the verification.
	Repository string
	// SignatureAlgorithm of public keys: sha224, sha256, sha384 or sha512. Default: sha256.
	SignatureAlgorithm string
}

// ClassicSigner is who signs: KeysSigner, KeylessSigner, CertificateSigner or NestedAttestors.
type ClassicSigner interface {
	// validateClassicSigner is told how many sets of attestors the signer is nested in.
	validateClassicSigner(path *field.Path, depth int) field.ErrorList
	// buildClassicSigner returns the upstream field and what it holds.
	buildClassicSigner() (string, map[string]any)
}

// NestedAttestors is a set of attestors in place of one.
type NestedAttestors struct {
	Set AttestorSet
}

// validateAttestorSets checks who has to have signed.
// kyverno: api/kyverno/v1/image_verification_types.go, validateAttestorSet
func validateAttestorSets(path *field.Path, sets []AttestorSet, depth int) field.ErrorList {
	var faults field.ErrorList
	for i, set := range sets {
		faults = append(faults, set.validate(path.Index(i), depth)...)
	}
	return faults
}

func (s AttestorSet) validate(path *field.Path, depth int) field.ErrorList {
	entries := path.Child("entries")
	if faults := validateNesting(entries, depth); len(faults) > 0 {
		return faults
	}
	var faults field.ErrorList
	if len(s.Entries) == 0 {
		faults = append(faults, field.Required(entries, "a set has at least one attestor"))
	}
	if s.Count < 0 || s.Count > len(s.Entries) {
		faults = append(faults, field.Invalid(path.Child("count"), s.Count, "it is at most the number of entries"))
	}
	for i, attestor := range s.Entries {
		faults = append(faults, attestor.validate(entries.Index(i), depth)...)
	}
	return faults
}

func (a ClassicAttestor) validate(path *field.Path, depth int) field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(a.Signer) {
		faults = append(faults, field.Required(path.Child("signer"), "it is KeysSigner, KeylessSigner, CertificateSigner or NestedAttestors"))
	} else {
		faults = append(faults, a.Signer.validateClassicSigner(path.Child("signer"), depth)...)
	}
	faults = append(faults, validateTextMap(path.Child("annotations"), a.Annotations)...)
	faults = append(faults, object.Text(path.Child("repository"), a.Repository)...)
	return append(faults, validateChoice(path.Child("signatureAlgorithm"), a.SignatureAlgorithm, hashAlgorithms...)...)
}

func (s NestedAttestors) validateClassicSigner(path *field.Path, depth int) field.ErrorList {
	return s.Set.validate(path.Child("set"), depth+1)
}

func (s NestedAttestors) buildClassicSigner() (string, map[string]any) {
	return "attestor", s.Set.build()
}

func buildAttestorSets(sets []AttestorSet) []any {
	out := make([]any, len(sets))
	for i, set := range sets {
		out[i] = set.build()
	}
	return out
}

func (s AttestorSet) build() map[string]any {
	entries := make([]any, len(s.Entries))
	for i, attestor := range s.Entries {
		fields := object.Compact(map[string]any{
			"annotations": attestor.Annotations, "repository": attestor.Repository, "signatureAlgorithm": attestor.SignatureAlgorithm,
		})
		name, signer := attestor.Signer.buildClassicSigner()
		fields[name] = signer
		entries[i] = fields
	}
	return object.Compact(map[string]any{"count": s.Count, "entries": entries})
}
