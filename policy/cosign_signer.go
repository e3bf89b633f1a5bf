package policy

import (
	"encoding/pem"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// CosignSigner is who signs with cosign: a CosignKey, CosignKeyless or CosignCertificate.
type CosignSigner interface {
	validateSigner(path *field.Path) field.ErrorList
	// buildSigner returns the upstream field and what it holds.
	buildSigner() (string, map[string]any)
}

// CosignKey is a public key. One of Data, KMS and Expression is needed.
type CosignKey struct {
	// Data is the key in PEM.
	Data string
	// KMS is the key's URL in a key management system.
	KMS string
	// Expression in CEL that yields the key in PEM.
	Expression string
	// HashAlgorithm of the signatures: sha224, sha256, sha384 or sha512. Default: sha256.
	HashAlgorithm string
}

// CosignKeyless is an identity that a certificate authority of Sigstore has confirmed.
type CosignKeyless struct {
	// Identities of which one has to have signed. At least one.
	Identities []CosignIdentity
	// Roots are certificates in PEM. Default: those of Sigstore's public authority.
	Roots string
}

// CosignIdentity is an issuer and a subject, each in full or as a regular expression. An issuer or a subject is needed,
// and wise is to name both: who is left out may be anybody.
type CosignIdentity struct {
	Issuer        string
	IssuerRegExp  string
	Subject       string
	SubjectRegExp string
}

// CosignCertificate is a certificate.
type CosignCertificate struct {
	// Certificate in PEM. Required.
	Certificate ExpressionOr
	// Chain of certificates in PEM from the one that issued the certificate to the root. Required: without one Kyverno
	// 1.15 panics (kyverno: pkg/imageverification/imageverifiers/cosign/opts.go).
	Chain ExpressionOr
}

// kyverno: pkg/imageverification/imageverifiers/cosign/certs.go, signatureAlgorithmMap
var hashAlgorithms = []string{"sha224", "sha256", "sha384", "sha512"}

func (k CosignKey) validateSigner(path *field.Path) field.ErrorList {
	faults := validateOneOf(path, texts{{"data", k.Data}, {"kms", k.KMS}, {"expression", k.Expression}})
	faults = append(faults, validatePEM(path.Child("data"), k.Data)...)
	return append(faults, validateChoice(path.Child("hashAlgorithm"), k.HashAlgorithm, hashAlgorithms...)...)
}

func (k CosignKey) buildSigner() (string, map[string]any) {
	return "key", object.Compact(map[string]any{
		"data": k.Data, "kms": k.KMS, "expression": k.Expression, "hashAlgorithm": k.HashAlgorithm,
	})
}

func (k CosignKeyless) validateSigner(path *field.Path) field.ErrorList {
	faults := validatePEM(path.Child("roots"), k.Roots)
	identities := path.Child("identities")
	if len(k.Identities) == 0 {
		faults = append(faults, field.Required(identities, "without an identity anybody's signature would do"))
	}
	for i, identity := range k.Identities {
		faults = append(faults, identity.validate(identities.Index(i))...)
	}
	return faults
}

func (k CosignKeyless) buildSigner() (string, map[string]any) {
	identities := make([]any, len(k.Identities))
	for i, identity := range k.Identities {
		identities[i] = object.Compact(map[string]any{
			"issuer": identity.Issuer, "issuerRegExp": identity.IssuerRegExp,
			"subject": identity.Subject, "subjectRegExp": identity.SubjectRegExp,
		})
	}
	return "keyless", object.Compact(map[string]any{"identities": identities, "roots": k.Roots})
}

func (i CosignIdentity) validate(path *field.Path) field.ErrorList {
	if i == (CosignIdentity{}) {
		return field.ErrorList{field.Required(path, "an identity that names nobody trusts everybody")}
	}
	faults := append(object.Text(path.Child("issuer"), i.Issuer), object.Text(path.Child("subject"), i.Subject)...)
	for _, f := range (texts{{"issuerRegExp", i.IssuerRegExp}, {"subjectRegExp", i.SubjectRegExp}}) {
		if _, err := regexp.Compile(f.text); err != nil {
			faults = append(faults, field.Invalid(path.Child(f.name), f.text, err.Error()))
		}
	}
	return faults
}

func (c CosignCertificate) validateSigner(path *field.Path) field.ErrorList {
	faults := append(c.Certificate.validate(path.Child("certificate")), c.Chain.validate(path.Child("chain"))...)
	faults = append(faults, validatePEM(path.Child("certificate", "value"), c.Certificate.Value)...)
	return append(faults, validatePEM(path.Child("chain", "value"), c.Chain.Value)...)
}

func (c CosignCertificate) buildSigner() (string, map[string]any) {
	return "certificate", map[string]any{"cert": c.Certificate.build(), "certChain": c.Chain.build()}
}

// validatePEM reports a text that holds no block of PEM. It does not repeat the text: it may be a private key.
func validatePEM(path *field.Path, text string) field.ErrorList {
	if text == "" {
		return nil
	}
	if block, _ := pem.Decode([]byte(text)); block == nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "it has to be in PEM")}
	}
	return object.Text(path, text)
}
