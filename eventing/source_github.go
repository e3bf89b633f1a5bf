package eventing

import (
	"net/http"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// GitHub receives the events of GitHub repositories or organizations and checks
// their signature. The event data is an object with "headers" and "body"; the
// body also holds the headers X-GitHub-Event and X-GitHub-Delivery.
type GitHub struct {
	// Listener receives the events.
	Listener Listener
	// Repositories maps an owner to the names of its repositories. Required, unless
	// there are Organizations.
	Repositories map[string][]string
	// Organizations whose events are received. Forbidden with Repositories.
	Organizations []string
	// Secret selects the secret with which GitHub signs events. Required, unless
	// Unsigned is set.
	Secret *SecretKey
	// Unsigned takes events from anybody who reaches the port.
	Unsigned bool
	// Hook makes the event source register its webhooks with GitHub. Default: they
	// are registered by somebody else.
	Hook *GitHubHook
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

// GitHubHook is a webhook that an event source registers with GitHub.
type GitHubHook struct {
	// URL under which GitHub reaches the listener, without the endpoint, http or
	// https. Required. It must not carry credentials.
	URL string
	// Events that GitHub sends, for example "push"; "*" is all. At least one is
	// required.
	Events []string
	// Auth is what the event source presents to GitHub's API. Required.
	Auth GitHubAuth
	// Form makes GitHub send the body as a form. Default: as JSON.
	Form bool
	// Inactive registers a webhook for which GitHub sends nothing yet.
	Inactive bool
	// InsecureSkipVerify makes GitHub accept any certificate of the URL.
	InsecureSkipVerify bool
	// DeleteOnFinish removes the webhook when the pod stops. A rolling update may
	// then leave none for up to a minute.
	DeleteOnFinish bool
	// BaseURL and UploadURL of GitHub Enterprise, https or http. Both or neither.
	// Default: github.com.
	BaseURL   string
	UploadURL string
}

// GitHubAuth is an identity at GitHub: [GitHubToken] or [GitHubApp].
type GitHubAuth interface {
	validateGitHubAuth(path *field.Path) field.ErrorList
	gitHubAuth() (name string, spec map[string]any)
}

// GitHubToken is an access token that may administer webhooks.
type GitHubToken struct {
	// Token selects the token. Required.
	Token SecretKey
}

// GitHubApp is an installed GitHub App that may administer webhooks.
type GitHubApp struct {
	// AppID and InstallationID of the app. Required.
	AppID          int64
	InstallationID int64
	// PrivateKey selects the PEM private key of the app. Required.
	PrivateKey SecretKey
}

func (g GitHub) validateSource(path *field.Path) field.ErrorList {
	faults := g.Listener.validate(path.Child("listener"))
	faults = append(faults, g.validateOrigin(path)...)
	faults = append(faults, validateSigned(path.Child("secret"), g.Secret, g.Unsigned)...)
	faults = append(faults, g.Hook.validate(path.Child("hook"))...)
	return append(faults, validateExtras(path, g.Metadata, g.Filter)...)
}

// validateSigned checks the secret of events that may be unsigned.
func validateSigned(path *field.Path, secret *SecretKey, unsigned bool) field.ErrorList {
	switch {
	case secret == nil && !unsigned:
		return field.ErrorList{field.Required(path, "without one anybody may send events: set unsigned to allow that")}
	case secret != nil && unsigned:
		return field.ErrorList{field.Forbidden(path, "unsigned is set")}
	}
	return secret.validateOptional(path)
}

func (g GitHub) validateOrigin(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	repositories := path.Child("repositories")
	// argo-events: pkg/eventsources/sources/github/validate.go
	switch {
	case len(g.Repositories) == 0 && len(g.Organizations) == 0:
		faults = append(faults, field.Required(repositories, "repositories or organizations"))
	case len(g.Repositories) > 0 && len(g.Organizations) > 0:
		faults = append(faults, field.Forbidden(path.Child("organizations"), "repositories is set"))
	}
	for _, owner := range sortedKeys(g.Repositories) {
		at := repositories.Key(owner)
		faults = append(faults, object.RequiredText(at, owner)...)
		if len(g.Repositories[owner]) == 0 {
			faults = append(faults, field.Required(at, "at least one repository"))
		}
		faults = append(faults, requireTexts(at, g.Repositories[owner])...)
	}
	return append(faults, requireTexts(path.Child("organizations"), g.Organizations)...)
}

func (h *GitHubHook) validate(path *field.Path) field.ErrorList {
	if h == nil {
		return nil
	}
	faults := validateURL(path.Child("url"), h.URL, "http", "https")
	if len(h.Events) == 0 {
		faults = append(faults, field.Required(path.Child("events"), "at least one event is required"))
	}
	faults = append(faults, requireTexts(path.Child("events"), h.Events)...)
	if object.IsNil(h.Auth) {
		faults = append(faults, field.Required(path.Child("auth"), "GitHubToken or GitHubApp"))
	} else {
		faults = append(faults, h.Auth.validateGitHubAuth(path.Child("auth"))...)
	}
	if h.BaseURL == "" && h.UploadURL == "" {
		return faults
	}
	// Upstream needs both, lest requests go to github.com.
	faults = append(faults, validateURL(path.Child("baseURL"), h.BaseURL, "http", "https")...)
	return append(faults, validateURL(path.Child("uploadURL"), h.UploadURL, "http", "https")...)
}

func (g GitHub) sourceKind() string { return "github" }

func (g GitHub) sourceRoute() (route, bool) {
	return route{kind: g.sourceKind(), Listener: g.Listener}, true
}

func (g GitHub) sourceSpec() map[string]any {
	repositories := make([]any, 0, len(g.Repositories))
	for _, owner := range sortedKeys(g.Repositories) {
		repositories = append(repositories, map[string]any{"owner": owner, "names": g.Repositories[owner]})
	}
	spec := map[string]any{}
	url := ""
	if g.Hook != nil {
		spec, url = g.Hook.spec(), g.Hook.URL
	}
	return withExtras(spec, g.Metadata, g.Filter, map[string]any{
		"webhook":       g.Listener.context(http.MethodPost, url),
		"repositories":  repositories,
		"organizations": g.Organizations,
		"webhookSecret": g.Secret.selector(),
	})
}

func (g GitHub) sourcePermissions() []Permission { return nil }

func (h *GitHubHook) spec() map[string]any {
	contentType := "json"
	if h.Form {
		contentType = "form"
	}
	spec := object.Compact(map[string]any{
		"events":             h.Events,
		"contentType":        contentType,
		"active":             !h.Inactive,
		"insecure":           h.InsecureSkipVerify,
		"deleteHookOnFinish": h.DeleteOnFinish,
		"githubBaseURL":      h.BaseURL,
		"githubUploadURL":    h.UploadURL,
	})
	name, auth := h.Auth.gitHubAuth()
	spec[name] = auth
	return spec
}

func (g GitHubToken) validateGitHubAuth(path *field.Path) field.ErrorList {
	return g.Token.validate(path.Child("token"))
}

func (g GitHubToken) gitHubAuth() (string, map[string]any) {
	return "apiToken", g.Token.selector()
}

func (g GitHubApp) validateGitHubAuth(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if g.AppID <= 0 {
		faults = append(faults, field.Invalid(path.Child("appID"), g.AppID, "must be positive"))
	}
	if g.InstallationID <= 0 {
		faults = append(faults, field.Invalid(path.Child("installationID"), g.InstallationID, "must be positive"))
	}
	return append(faults, g.PrivateKey.validate(path.Child("privateKey"))...)
}

func (g GitHubApp) gitHubAuth() (string, map[string]any) {
	return "githubApp", map[string]any{
		"privateKey": g.PrivateKey.selector(), "appID": g.AppID, "installationID": g.InstallationID,
	}
}
