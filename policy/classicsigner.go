package policy

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// KeysSigner is who holds a private key. One of PublicKeys, KMS and Secret is needed.
type KeysSigner struct {
	// PublicKeys in PEM, each of which is an attestor; or a variable that yields them; or k8s://namespace/name, a Secret
	// that holds one as cosign.pub.
	PublicKeys string
	// KMS is the key's URL in a key management system.
	KMS string
	// Secret that holds the key as cosign.pub.
	Secret *SecretRef
	// Log is the transparency log. Default: the public one.
	Log ClassicLog
}

// SecretRef names a Secret.
type SecretRef struct {
	// Name and Namespace of the Secret. Required.
	Name      string
	Namespace string
}

// KeylessSigner is an identity that a certificate authority of Sigstore has confirmed. Roots or the URL of Log's Rekor is
// needed.
type KeylessSigner struct {
	// Issuer, or IssuerRegExp that it has to match. Default: any.
	Issuer       string
	IssuerRegExp string
	// Subject, or SubjectRegExp that it has to match. Default: any.
	Subject       string
	SubjectRegExp string
	// Roots are certificates in PEM. Default: those of Sigstore's public authority.
	Roots string
	// Extensions that the certificate has to hold, by name.
	Extensions map[string]string
	// Log is the transparency log.
	Log ClassicLog
}

// CertificateSigner is who holds a certificate. Certificate or Chain is needed. Either may be a variable.
type CertificateSigner struct {
	// Certificate in PEM.
	Certificate string
	// Chain of certificates in PEM, up to the root.
	Chain string
	// Log is the transparency log. Default: the public one.
	Log ClassicLog
}

// ClassicLog is a transparency log. Keys and certificates are in PEM.
type ClassicLog struct {
	// URL of Rekor. Default: the public one, except where it is required.
	URL string
	// RekorPublicKey verifies the entries of the log. Default: the public log's.
	RekorPublicKey string
	// IgnoreTlog leaves out the log. Default: false.
	IgnoreTlog bool
	// CTLogPublicKey verifies the timestamps of certificates. Default: the public log's.
	CTLogPublicKey string
	// TSACertificateChain is that of the timestamp authority. Default: none.
	TSACertificateChain string
	// IgnoreSCT leaves out the timestamps of certificates. Default: false.
	IgnoreSCT bool
}

func (s KeysSigner) validateClassicSigner(path *field.Path, _ int) field.ErrorList {
	keys := texts{{"publicKeys", s.PublicKeys}, {"kms", s.KMS}}
	if s.Secret != nil {
		keys = append(keys, struct{ name, text string }{"secret", s.Secret.Namespace + "/" + s.Secret.Name})
	}
	faults := validateOneOf(path, keys)
	if s.Secret != nil {
		faults = append(faults, object.RequiredText(path.Child("secret", "name"), s.Secret.Name)...)
		faults = append(faults, object.RequiredText(path.Child("secret", "namespace"), s.Secret.Namespace)...)
	}
	return append(faults, s.Log.validate(path.Child("log"))...)
}

func (s KeysSigner) buildClassicSigner() (string, map[string]any) {
	fields := object.Compact(map[string]any{"publicKeys": s.PublicKeys, "kms": s.KMS})
	if s.Secret != nil {
		fields["secret"] = map[string]any{"name": s.Secret.Name, "namespace": s.Secret.Namespace}
	}
	s.Log.addTo(fields)
	return "keys", fields
}

// kyverno: api/kyverno/v1/image_verification_types.go, KeylessAttestor.Validate
func (s KeylessSigner) validateClassicSigner(path *field.Path, _ int) field.ErrorList {
	var faults field.ErrorList
	if s.Issuer+s.IssuerRegExp+s.Subject+s.SubjectRegExp == "" {
		faults = append(faults, field.Required(path.Child("subject"), "an identity that names nobody trusts everybody"))
	}
	for _, f := range (texts{{"issuer", s.Issuer}, {"subject", s.Subject}}) {
		faults = append(faults, object.Text(path.Child(f.name), f.text)...)
	}
	for _, f := range (texts{{"issuerRegExp", s.IssuerRegExp}, {"subjectRegExp", s.SubjectRegExp}}) {
		if _, err := regexp.Compile(f.text); err != nil {
			faults = append(faults, field.Invalid(path.Child(f.name), f.text, err.Error()))
		}
	}
	if s.Roots == "" && s.Log.URL == "" {
		faults = append(faults, field.Required(path.Child("log", "url"), "Kyverno asks for it, or for roots: https://rekor.sigstore.dev is the public one"))
	}
	faults = append(faults, validatePlainText(path.Child("roots"), s.Roots)...)
	faults = append(faults, validateTextMap(path.Child("extensions"), s.Extensions)...)
	return append(faults, s.Log.validateWithURL(path.Child("log"))...)
}

func (s KeylessSigner) buildClassicSigner() (string, map[string]any) {
	fields := object.Compact(map[string]any{
		"issuer": s.Issuer, "issuerRegExp": s.IssuerRegExp, "subject": s.Subject, "subjectRegExp": s.SubjectRegExp,
		"roots": s.Roots, "additionalExtensions": s.Extensions,
	})
	s.Log.addTo(fields)
	return "keyless", fields
}

func (s CertificateSigner) validateClassicSigner(path *field.Path, _ int) field.ErrorList {
	faults := validatePlainText(path.Child("certificate"), s.Certificate)
	faults = append(faults, validatePlainText(path.Child("chain"), s.Chain)...)
	if s.Certificate == "" && s.Chain == "" {
		faults = append(faults, field.Required(path.Child("certificate"), "a signer has a certificate or a chain"))
	}
	return append(faults, s.Log.validate(path.Child("log"))...)
}

func (s CertificateSigner) buildClassicSigner() (string, map[string]any) {
	fields := object.Compact(map[string]any{"cert": s.Certificate, "certChain": s.Chain})
	s.Log.addTo(fields)
	return "certificates", fields
}

func (l ClassicLog) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("url"), l.URL)
	faults = append(faults, validatePlainText(path.Child("rekorPublicKey"), l.RekorPublicKey)...)
	faults = append(faults, validatePlainText(path.Child("ctLogPublicKey"), l.CTLogPublicKey)...)
	return append(faults, validatePlainText(path.Child("tsaCertificateChain"), l.TSACertificateChain)...)
}

// validateWithURL requires the URL where the other fields of Rekor are set.
func (l ClassicLog) validateWithURL(path *field.Path) field.ErrorList {
	faults := l.validate(path)
	if l.URL == "" && (l.RekorPublicKey != "" || l.IgnoreTlog) {
		faults = append(faults, field.Required(path.Child("url"), "it is that of the log whose key is given, or that is left out"))
	}
	return faults
}

func (l ClassicLog) addTo(fields map[string]any) {
	rekor := object.Compact(map[string]any{"url": l.URL, "pubkey": l.RekorPublicKey, "ignoreTlog": l.IgnoreTlog})
	ctlog := object.Compact(map[string]any{"ignoreSCT": l.IgnoreSCT, "pubkey": l.CTLogPublicKey, "tsaCertChain": l.TSACertificateChain})
	if len(rekor) > 0 {
		fields["rekor"] = rekor
	}
	if len(ctlog) > 0 {
		fields["ctlog"] = ctlog
	}
}

// validatePlainText does not repeat the text, which may be a key.
func validatePlainText(path *field.Path, text string) field.ErrorList {
	if len(object.Text(path, text)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be valid UTF-8")}
}
