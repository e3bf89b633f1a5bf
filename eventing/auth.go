package eventing

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// BasicAuth selects a user and a password.
type BasicAuth struct {
	// Username and Password are required.
	Username SecretKey
	Password SecretKey
}

func (b *BasicAuth) validateOptional(path *field.Path) field.ErrorList {
	if b == nil {
		return nil
	}
	return append(b.Username.validate(path.Child("username")), b.Password.validate(path.Child("password"))...)
}

func (b *BasicAuth) spec() map[string]any {
	if b == nil {
		return nil
	}
	return map[string]any{"username": b.Username.selector(), "password": b.Password.selector()}
}

// NATSAuth is what a client presents to a NATS server: [NATSUser], [NATSToken],
// [NATSKey] or [NATSCredentials].
type NATSAuth interface {
	validateNATSAuth(path *field.Path) field.ErrorList
	natsAuth() map[string]any
}

// NATSUser is a user and a password.
type NATSUser struct {
	// Auth is required.
	Auth BasicAuth
}

// NATSToken is a token.
type NATSToken struct {
	// Token is required.
	Token SecretKey
}

// NATSKey is an NKey.
type NATSKey struct {
	// Seed of the key. Required.
	Seed SecretKey
}

// NATSCredentials is a credentials file with a JWT and the seed of an NKey.
type NATSCredentials struct {
	// File is required.
	File SecretKey
}

func (n NATSUser) validateNATSAuth(path *field.Path) field.ErrorList {
	return n.Auth.validateOptional(path.Child("auth"))
}

func (n NATSToken) validateNATSAuth(path *field.Path) field.ErrorList {
	return n.Token.validate(path.Child("token"))
}

func (n NATSKey) validateNATSAuth(path *field.Path) field.ErrorList {
	return n.Seed.validate(path.Child("seed"))
}

func (n NATSCredentials) validateNATSAuth(path *field.Path) field.ErrorList {
	return n.File.validate(path.Child("file"))
}

func (n NATSUser) natsAuth() map[string]any  { return map[string]any{"basic": n.Auth.spec()} }
func (n NATSToken) natsAuth() map[string]any { return map[string]any{"token": n.Token.selector()} }
func (n NATSKey) natsAuth() map[string]any   { return map[string]any{"nkey": n.Seed.selector()} }

func (n NATSCredentials) natsAuth() map[string]any {
	return map[string]any{"credential": n.File.selector()}
}

func validateNATSAuth(path *field.Path, auth NATSAuth) field.ErrorList {
	if object.IsNil(auth) {
		return nil
	}
	return auth.validateNATSAuth(path)
}

func natsAuthSpec(auth NATSAuth) map[string]any {
	if object.IsNil(auth) {
		return nil
	}
	return auth.natsAuth()
}

// AWSAuth is an identity at AWS: [AWSKeys] or [AWSRole].
type AWSAuth interface {
	validateAWSAuth(path *field.Path) field.ErrorList
	awsAuth() map[string]any
}

// AWSKeys are the keys of an IAM user, or of a session.
type AWSKeys struct {
	// AccessKey and SecretKey are required.
	AccessKey SecretKey
	SecretKey SecretKey
	// SessionToken of temporary keys. Forbidden in [SNS], which upstream gives no
	// such field. Default: none.
	SessionToken *SecretKey
}

// AWSRole is a role that the pod assumes with what its surroundings give it, for
// example the IAM role of its ServiceAccount.
type AWSRole struct {
	// ARN of the role. Required.
	ARN string
}

func (a AWSKeys) validateAWSAuth(path *field.Path) field.ErrorList {
	faults := a.AccessKey.validate(path.Child("accessKey"))
	faults = append(faults, a.SecretKey.validate(path.Child("secretKey"))...)
	return append(faults, a.SessionToken.validateOptional(path.Child("sessionToken"))...)
}

func (a AWSKeys) awsAuth() map[string]any {
	return object.Compact(map[string]any{
		"accessKey": a.AccessKey.selector(), "secretKey": a.SecretKey.selector(), "sessionToken": a.SessionToken.selector(),
	})
}

func (a AWSRole) validateAWSAuth(path *field.Path) field.ErrorList {
	return object.RequiredText(path.Child("arn"), a.ARN)
}

func (a AWSRole) awsAuth() map[string]any { return map[string]any{"roleARN": a.ARN} }

func validateAWSAuth(path *field.Path, auth AWSAuth) field.ErrorList {
	if object.IsNil(auth) {
		return nil
	}
	return auth.validateAWSAuth(path)
}

func awsAuthSpec(auth AWSAuth) map[string]any {
	if object.IsNil(auth) {
		return map[string]any{}
	}
	return auth.awsAuth()
}
