package policy

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Attestor is somebody whose signatures are trusted.
type Attestor struct {
	// Name by which expressions refer to the attestor: attestors.<name>. Required.
	Name string
	// Signature is how the attestor signs: Cosign or Notary. Required.
	Signature Signature
}

// Signature is how an attestor signs: Cosign or Notary.
type Signature interface {
	validateSignature(path *field.Path) field.ErrorList
	// buildSignature returns the upstream field and what it holds.
	buildSignature() (string, map[string]any)
}

// Notary verifies signatures of Notary.
type Notary struct {
	// Certificates that are trusted, in PEM. Required.
	Certificates ExpressionOr
	// TSACertificates are those of the timestamp authority, in PEM. Default: none.
	TSACertificates *ExpressionOr
}

// Attestation is a statement about an image that is kept beside it. One of the types is needed.
type Attestation struct {
	// Name by which expressions refer to the attestation: attestations.<name>. Required.
	Name string
	// InToto is the type of an in-toto statement's predicate, such as "https://cyclonedx.org/bom".
	InToto string
	// Referrer is the artifact type of an OCI 1.1 referrer, such as "sbom/cyclone-dx".
	Referrer string
}

func validateAttestors(path *field.Path, attestors []Attestor) field.ErrorList {
	var faults field.ErrorList
	for i, attestor := range attestors {
		at := path.Index(i)
		faults = append(faults, validateOwnName(at.Child("name"), attestor.Name, func(a Attestor) string { return a.Name },
			attestors[:i], object.Text)...)
		if object.IsNil(attestor.Signature) {
			faults = append(faults, field.Required(at.Child("signature"), "it is Cosign or Notary"))
			continue
		}
		faults = append(faults, attestor.Signature.validateSignature(at.Child("signature"))...)
	}
	return faults
}

func validateAttestations(path *field.Path, attestations []Attestation) field.ErrorList {
	var faults field.ErrorList
	for i, attestation := range attestations {
		at := path.Index(i)
		faults = append(faults, validateOwnName(at.Child("name"), attestation.Name, func(a Attestation) string { return a.Name },
			attestations[:i], object.Text)...)
		faults = append(faults, validateOneOf(at, texts{{"inToto", attestation.InToto}, {"referrer", attestation.Referrer}})...)
	}
	return faults
}

func (n Notary) validateSignature(path *field.Path) field.ErrorList {
	faults := n.Certificates.validate(path.Child("certificates"))
	if n.TSACertificates != nil {
		faults = append(faults, n.TSACertificates.validate(path.Child("tsaCertificates"))...)
	}
	return faults
}

func (n Notary) buildSignature() (string, map[string]any) {
	fields := map[string]any{"certs": n.Certificates.build()}
	if n.TSACertificates != nil {
		fields["tsaCerts"] = n.TSACertificates.build()
	}
	return "notary", fields
}

func buildAttestors(attestors []Attestor) []any {
	out := make([]any, len(attestors))
	for i, attestor := range attestors {
		name, signature := attestor.Signature.buildSignature()
		out[i] = map[string]any{"name": attestor.Name, name: signature}
	}
	return out
}

func buildAttestations(attestations []Attestation) []any {
	out := make([]any, len(attestations))
	for i, attestation := range attestations {
		fields := map[string]any{"name": attestation.Name}
		if attestation.InToto != "" {
			fields["intoto"] = map[string]any{"type": attestation.InToto}
		} else {
			fields["referrer"] = map[string]any{"type": attestation.Referrer}
		}
		out[i] = fields
	}
	return out
}
