package secrets

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"net/url"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Vault is the key-value engine of a HashiCorp Vault server.
type Vault struct {
	// Server is the URL of the server, http or https. Required. It must not carry
	// credentials.
	Server string
	// Path is where the engine is mounted, for example "secret". Default: the
	// keys of the ExternalSecrets start with it.
	Path string
	// Version of the engine. Default: KVv2.
	Version KVVersion
	// Namespace of Vault Enterprise. Default: the root namespace.
	Namespace string
	// CABundle holds the PEM certificates that the server's certificate is checked
	// against. Default: those of the operator's system.
	CABundle []byte
	// Auth is how the operator proves who it is. Required.
	Auth Auth
}

// KVVersion is the version of a key-value engine.
type KVVersion string

// The versions of the engine. Only the second keeps old values.
const (
	KVv1 KVVersion = "v1"
	KVv2 KVVersion = "v2"
)

// Auth is a login of [Vault]: [TokenAuth], [AppRoleAuth], [KubernetesAuth] or
// [RawAuth].
type Auth interface {
	validateAuth(path *field.Path, scope scope) field.ErrorList
	// authSpec returns the single field of upstream's auth.
	authSpec() map[string]any
}

// TokenAuth logs in with a Vault token.
type TokenAuth struct {
	// Token is the key that holds the token. Required.
	Token SecretKey
}

// AppRoleAuth logs in with the role ID and secret ID of an AppRole.
type AppRoleAuth struct {
	// MountPath of the method. Default: "approle".
	MountPath string
	// RoleID of the role. It is the name of the role rather than a secret.
	// Exactly one of RoleID and RoleIDFrom is required.
	RoleID string
	// RoleIDFrom is the key that holds the role ID.
	RoleIDFrom *SecretKey
	// SecretID is the key that holds the secret ID. Required.
	SecretID SecretKey
}

// KubernetesAuth logs in with the token of a ServiceAccount.
type KubernetesAuth struct {
	// MountPath of the method. Default: "kubernetes".
	MountPath string
	// Role of Vault to assume. Required.
	Role string
	// ServiceAccount whose token is requested for each login. Default: the
	// account of the operator itself.
	ServiceAccount *ServiceAccount
}

// RawAuth is a login as upstream defines it.
type RawAuth struct {
	// Spec holds exactly one of upstream's methods, for example
	// {"jwt": {"path": "jwt", "role": "shop", ...}}.
	Spec map[string]any
}

func (v Vault) validateProvider(path *field.Path, scope scope) field.ErrorList {
	faults := validateServer(path.Child("server"), v.Server)
	faults = append(faults, object.Text(path.Child("path"), v.Path)...)
	if v.Version != "" && v.Version != KVv1 && v.Version != KVv2 {
		faults = append(faults, field.NotSupported(path.Child("version"), v.Version, []KVVersion{KVv1, KVv2}))
	}
	faults = append(faults, object.Text(path.Child("namespace"), v.Namespace)...)
	if len(v.CABundle) > 0 && !x509.NewCertPool().AppendCertsFromPEM(v.CABundle) {
		faults = append(faults, field.Invalid(path.Child("caBundle"), field.OmitValueType{}, "must hold at least one PEM certificate"))
	}
	if object.IsNil(v.Auth) {
		return append(faults, field.Required(path.Child("auth"), "TokenAuth, AppRoleAuth, KubernetesAuth or RawAuth"))
	}
	return append(faults, v.Auth.validateAuth(path.Child("auth"), scope)...)
}

func validateServer(path *field.Path, server string) field.ErrorList {
	if server == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	parsed, err := url.Parse(server)
	switch {
	case err != nil:
		// The parse error repeats the URL, which may hold credentials.
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be a URL")}
	case parsed.User != nil:
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must not carry credentials: use auth")}
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return field.ErrorList{field.Invalid(path, server, "must have the scheme http or https")}
	case parsed.Host == "":
		return field.ErrorList{field.Invalid(path, server, "must name a host")}
	}
	return object.Text(path, server)
}

func (v Vault) providerSpec() map[string]any {
	return map[string]any{"vault": object.Compact(map[string]any{
		"server":    v.Server,
		"path":      v.Path,
		"version":   cmp.Or(v.Version, KVv2),
		"namespace": v.Namespace,
		"caBundle":  base64.StdEncoding.EncodeToString(v.CABundle),
		"auth":      v.Auth.authSpec(),
	})}
}

func (t TokenAuth) validateAuth(path *field.Path, scope scope) field.ErrorList {
	return t.Token.validate(path.Child("token"), scope)
}

func (t TokenAuth) authSpec() map[string]any {
	return map[string]any{"tokenSecretRef": t.Token.selector()}
}

func (a AppRoleAuth) validateAuth(path *field.Path, scope scope) field.ErrorList {
	faults := object.Text(path.Child("mountPath"), a.MountPath)
	switch {
	case a.RoleID == "" && a.RoleIDFrom == nil:
		faults = append(faults, field.Required(path.Child("roleID"), "either roleID or roleIDFrom"))
	case a.RoleID != "" && a.RoleIDFrom != nil:
		faults = append(faults, field.Forbidden(path.Child("roleIDFrom"), "roleID is given"))
	case a.RoleID != "":
		faults = append(faults, object.Text(path.Child("roleID"), a.RoleID)...)
	default:
		faults = append(faults, a.RoleIDFrom.validate(path.Child("roleIDFrom"), scope)...)
	}
	return append(faults, a.SecretID.validate(path.Child("secretID"), scope)...)
}

func (a AppRoleAuth) authSpec() map[string]any {
	spec := object.Compact(map[string]any{
		"path":      cmp.Or(a.MountPath, "approle"),
		"roleId":    a.RoleID,
		"secretRef": a.SecretID.selector(),
	})
	if a.RoleIDFrom != nil {
		spec["roleRef"] = a.RoleIDFrom.selector()
	}
	return map[string]any{"appRole": spec}
}

func (k KubernetesAuth) validateAuth(path *field.Path, scope scope) field.ErrorList {
	faults := object.Text(path.Child("mountPath"), k.MountPath)
	faults = append(faults, object.RequiredText(path.Child("role"), k.Role)...)
	if k.ServiceAccount != nil {
		faults = append(faults, k.ServiceAccount.validate(path.Child("serviceAccount"), scope)...)
	}
	return faults
}

func (k KubernetesAuth) authSpec() map[string]any {
	spec := map[string]any{
		"mountPath": cmp.Or(k.MountPath, "kubernetes"),
		"role":      k.Role,
	}
	if k.ServiceAccount != nil {
		spec["serviceAccountRef"] = k.ServiceAccount.selector()
	}
	return map[string]any{"kubernetes": spec}
}

func (r RawAuth) validateAuth(path *field.Path, _ scope) field.ErrorList {
	return requireOne(path.Child("spec"), r.Spec)
}

func (r RawAuth) authSpec() map[string]any { return r.Spec }
