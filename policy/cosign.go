package policy

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Cosign verifies signatures of Sigstore's cosign.
type Cosign struct {
	// Signer is who signs: a CosignKey, CosignKeyless or CosignCertificate. Required.
	Signer CosignSigner
	// Annotations that the signature has to hold, among others. Default: none.
	Annotations map[string]string
	// Source of signatures and attestations. Default: beside the image.
	Source CosignSource
	// Log is the transparency log that proves when something was signed. Default: Sigstore's public one.
	Log CosignLog
	// TUF is where the roots of trust come from. Default: Sigstore's public repository.
	TUF CosignTUF
}

// CosignSource is where signatures and attestations are.
type CosignSource struct {
	// Repository that holds them. Default: the image's.
	Repository string
	// PullSecrets by name, in the namespace of the object. Default: none.
	PullSecrets []string
	// TagPrefix that their tags have. Default: none.
	TagPrefix string
}

// CosignLog is a transparency log. Keys and certificates are in PEM.
type CosignLog struct {
	// URL of Rekor. Default: the public one.
	URL string
	// RekorPublicKey verifies the entries of the log. Default: the public log's.
	RekorPublicKey string
	// CTLogPublicKey verifies the timestamps of certificates. Default: the public log's.
	CTLogPublicKey string
	// TSACertificateChain is that of the timestamp authority. Default: none.
	TSACertificateChain string
	// IgnoreTlog leaves out the log (insecureIgnoreTlog). Default: false.
	IgnoreTlog bool
	// IgnoreSCT leaves out the timestamps of certificates (insecureIgnoreSCT). Default: false.
	IgnoreSCT bool
}

// CosignTUF is a repository of The Update Framework with the roots of trust.
type CosignTUF struct {
	// Mirror is the URL of the repository. Default: the public one.
	Mirror string
	// RootPath is the URL or file of the first root. Default: the public repository's.
	RootPath string
	// RootData is the first root itself, in base64. RootPath has to be empty.
	RootData string
}

func (c Cosign) validateSignature(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(c.Signer) {
		faults = append(faults, field.Required(path.Child("signer"), "it is a CosignKey, CosignKeyless or CosignCertificate"))
	} else {
		faults = append(faults, c.Signer.validateSigner(path.Child("signer"))...)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Annotations)) {
		faults = append(faults, object.RequiredText(path.Child("annotations"), key)...)
		faults = append(faults, object.Text(path.Child("annotations").Key(key), c.Annotations[key])...)
	}
	source := path.Child("source")
	faults = append(faults, object.Text(source.Child("repository"), c.Source.Repository)...)
	faults = append(faults, object.Text(source.Child("tagPrefix"), c.Source.TagPrefix)...)
	for i, secret := range c.Source.PullSecrets {
		faults = append(faults, object.Name(source.Child("pullSecrets").Index(i), secret)...)
	}
	return append(append(faults, c.Log.validate(path.Child("log"))...), c.TUF.validate(path.Child("tuf"))...)
}

func (c Cosign) buildSignature() (string, map[string]any) {
	name, signer := c.Signer.buildSigner()
	secrets := make([]any, len(c.Source.PullSecrets))
	for i, secret := range c.Source.PullSecrets {
		secrets[i] = map[string]any{"name": secret}
	}
	return "cosign", object.Compact(map[string]any{
		name:          signer,
		"annotations": c.Annotations,
		"source": object.Compact(map[string]any{
			"repository": c.Source.Repository, "PullSecrets": secrets, "tagPrefix": c.Source.TagPrefix,
		}),
		"ctlog": c.Log.build(),
		"tuf": object.Compact(map[string]any{
			"mirror": c.TUF.Mirror,
			"root":   object.Compact(map[string]any{"path": c.TUF.RootPath, "data": c.TUF.RootData}),
		}),
	})
}

func (l CosignLog) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("url"), l.URL)
	faults = append(faults, validatePEM(path.Child("rekorPublicKey"), l.RekorPublicKey)...)
	faults = append(faults, validatePEM(path.Child("ctLogPublicKey"), l.CTLogPublicKey)...)
	return append(faults, validatePEM(path.Child("tsaCertificateChain"), l.TSACertificateChain)...)
}

func (l CosignLog) build() map[string]any {
	return object.Compact(map[string]any{
		"url": l.URL, "rekorPubKey": l.RekorPublicKey, "ctLogPubKey": l.CTLogPublicKey, "tsaCertChain": l.TSACertificateChain,
		"insecureIgnoreTlog": l.IgnoreTlog, "insecureIgnoreSCT": l.IgnoreSCT,
	})
}

func (t CosignTUF) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("mirror"), t.Mirror)
	if t.RootPath == "" && t.RootData == "" {
		return faults
	}
	return append(faults, validateOneOf(path, texts{{"rootPath", t.RootPath}, {"rootData", t.RootData}})...)
}
