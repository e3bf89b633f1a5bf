package gitops

import (
	"net/url"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SecretKeyRef is an entry of a Secret in the namespace of the ApplicationSet. The zero value is none.
type SecretKeyRef struct {
	// Name of the Secret and Key of the entry.
	Name string
	Key  string
}

// ConfigMapKeyRef is an entry of a ConfigMap in the namespace of the ApplicationSet. The zero value is none.
type ConfigMapKeyRef struct {
	// Name of the ConfigMap and Key of the entry.
	Name string
	Key  string
}

// BasicAuth logs in with a name and a password. The zero value is none.
type BasicAuth struct {
	// Username to log in with.
	Username string
	// PasswordRef is the password or personal access token.
	PasswordRef SecretKeyRef
}

func (r SecretKeyRef) build() map[string]any {
	return object.Compact(map[string]any{"secretName": r.Name, "key": r.Key})
}

func (r ConfigMapKeyRef) build() map[string]any {
	return object.Compact(map[string]any{"configMapName": r.Name, "key": r.Key})
}

func (a BasicAuth) build() map[string]any {
	return object.Compact(map[string]any{"username": a.Username, "passwordRef": a.PasswordRef.build()})
}

func bearer(token SecretKeyRef) map[string]any {
	return object.Compact(map[string]any{"tokenRef": token.build()})
}

// settingsCheck collects the faults of the settings of one source code host, whose strings may be templates.
type settingsCheck struct {
	path   *field.Path
	faults field.ErrorList
}

func (c *settingsCheck) add(faults field.ErrorList) { c.faults = append(c.faults, faults...) }

func (c *settingsCheck) text(name, value string) { c.add(templated{}.text(c.path.Child(name), value)) }

func (c *settingsCheck) require(name, value string) {
	c.add(requireText(c.path.Child(name), value, templated{}))
}

// api checks the URL of a host. The fault for a password does not show it.
func (c *settingsCheck) api(address string) {
	if hasPassword(address) {
		c.add(field.ErrorList{field.Forbidden(c.path.Child("api"), "credentials belong into a Secret")})
		return
	}
	c.text("api", address)
}

func (c *settingsCheck) requiredAPI(address string) {
	if address == "" {
		c.require("api", address)
	}
	c.api(address)
}

// secret checks a reference that may be missing, but not half written.
func (c *settingsCheck) secret(name string, ref SecretKeyRef) {
	if ref != (SecretKeyRef{}) {
		c.requiredSecret(name, ref)
	}
}

func (c *settingsCheck) requiredSecret(name string, ref SecretKeyRef) {
	c.entry(c.path.Child(name), ref.Name, ref.Key)
}

func (c *settingsCheck) certificate(ref ConfigMapKeyRef) {
	if ref != (ConfigMapKeyRef{}) {
		c.entry(c.path.Child("caRef"), ref.Name, ref.Key)
	}
}

func (c *settingsCheck) entry(at *field.Path, name, key string) {
	c.add(requireText(at.Child("name"), name, templated{}))
	c.add(requireText(at.Child("key"), key, templated{}))
}

func (c *settingsCheck) gitHubLogin(token SecretKeyRef, app string) {
	c.secret("tokenRef", token)
	c.text("appSecretName", app)
	if token != (SecretKeyRef{}) && app != "" {
		c.add(field.ErrorList{field.Forbidden(c.path.Child("tokenRef"), "Argo CD logs in as the app and ignores the token")})
	}
}

func (c *settingsCheck) login(basic BasicAuth, bearer SecretKeyRef) {
	if basic != (BasicAuth{}) {
		at := c.path.Child("basicAuth")
		c.add(requireText(at.Child("username"), basic.Username, templated{}))
		c.entry(at.Child("passwordRef"), basic.PasswordRef.Name, basic.PasswordRef.Key)
	}
	c.secret("bearerTokenRef", bearer)
	if basic != (BasicAuth{}) && bearer != (SecretKeyRef{}) {
		c.add(field.ErrorList{field.Forbidden(c.path.Child("basicAuth"), "Argo CD logs in with the bearer token and ignores the password")})
	}
}

// passwordInAddress matches what is no valid URL too: it must not be shown either.
var passwordInAddress = regexp.MustCompile(`^[^/]*//[^/@]*:[^/]*@`)

func hasPassword(address string) bool {
	if parsed, err := url.Parse(address); err == nil {
		_, secret := parsed.User.Password()
		return secret
	}
	return passwordInAddress.MatchString(address)
}

// validateRegexp checks a regular expression of Go; in a template only the final one can be.
func validateRegexp(path *field.Path, expression string) field.ErrorList {
	if faults := (templated{}).text(path, expression); len(faults) > 0 || isTemplate(expression) {
		return faults
	}
	if _, err := regexp.Compile(expression); err != nil {
		return field.ErrorList{field.Invalid(path, expression, err.Error())}
	}
	return nil
}
