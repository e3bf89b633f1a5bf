package eventing

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// TLS encrypts a connection. The zero value checks the certificate of the server
// against the authorities in upstream's image.
type TLS struct {
	// CA selects a PEM bundle of the authorities that may have issued the
	// certificate of the server. Default: those in upstream's image.
	CA *SecretKey
	// Certificate and Key select the PEM certificate and private key that the
	// client shows. Both or neither. Default: none.
	Certificate *SecretKey
	Key         *SecretKey
	// InsecureSkipVerify accepts any certificate of the server. Forbidden together
	// with the others, which upstream does not read then.
	InsecureSkipVerify bool
}

func (t *TLS) validate(path *field.Path) field.ErrorList {
	if t == nil {
		return nil
	}
	faults := t.CA.validateOptional(path.Child("ca"))
	faults = append(faults, validateKeyPair(path, t.Certificate, t.Key)...)
	// argo-events: GetTLSConfig in pkg/shared/util/util.go
	if t.InsecureSkipVerify && (t.CA != nil || t.Certificate != nil || t.Key != nil) {
		faults = append(faults, field.Forbidden(path.Child("insecureSkipVerify"), "upstream ignores ca, certificate and key then"))
	}
	return faults
}

// validateKeyPair checks the fields certificate and key, which need each other.
func validateKeyPair(path *field.Path, certificate, key *SecretKey) field.ErrorList {
	faults := certificate.validateOptional(path.Child("certificate"))
	faults = append(faults, key.validateOptional(path.Child("key"))...)
	switch {
	case certificate == nil && key != nil:
		faults = append(faults, field.Required(path.Child("certificate"), "the key has no certificate"))
	case certificate != nil && key == nil:
		faults = append(faults, field.Required(path.Child("key"), "the certificate has no key"))
	}
	return faults
}

// spec is upstream's form, or nothing for no TLS.
func (t *TLS) spec() map[string]any {
	if t == nil {
		return nil
	}
	return object.Compact(map[string]any{
		"caCertSecret":       t.CA.selector(),
		"clientCertSecret":   t.Certificate.selector(),
		"clientKeySecret":    t.Key.selector(),
		"insecureSkipVerify": t.InsecureSkipVerify,
		// Upstream refuses a configuration without any of the others unless it says so.
		"enabled": t.CA == nil && t.Certificate == nil && !t.InsecureSkipVerify,
	})
}

// SASL authenticates a client of Kafka.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Default: PLAIN, which
	// sends the password as it is: encrypt the connection.
	Mechanism SASLMechanism
	// User and Password select what the client says. Required.
	User     SecretKey
	Password SecretKey
}

// SASLMechanism is a way to prove that one knows a password.
type SASLMechanism string

// The mechanisms that need no more than a user and a password. Upstream accepts
// OAUTHBEARER and GSSAPI too, has no setting for what they need besides, and its
// client refuses to start with them.
// argo-events: ValidateSASLConfig in pkg/apis/events/v1alpha1/validate.go
// sarama: Config.Validate in config.go
const (
	SASLPlain       SASLMechanism = "PLAIN"
	SASLSCRAMSHA256 SASLMechanism = "SCRAM-SHA-256"
	SASLSCRAMSHA512 SASLMechanism = "SCRAM-SHA-512"
)

var saslMechanisms = []SASLMechanism{SASLPlain, SASLSCRAMSHA256, SASLSCRAMSHA512}

func (s *SASL) validate(path *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	var faults field.ErrorList
	if s.Mechanism != "" && !slices.Contains(saslMechanisms, s.Mechanism) {
		faults = append(faults, field.NotSupported(path.Child("mechanism"), s.Mechanism, saslMechanisms))
	}
	faults = append(faults, s.User.validate(path.Child("user"))...)
	return append(faults, s.Password.validate(path.Child("password"))...)
}

func (s *SASL) spec() map[string]any {
	if s == nil {
		return nil
	}
	return object.Compact(map[string]any{
		"mechanism":      s.Mechanism,
		"userSecret":     s.User.selector(),
		"passwordSecret": s.Password.selector(),
	})
}
