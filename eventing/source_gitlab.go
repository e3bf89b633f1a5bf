package eventing

import (
	"cmp"
	"net/http"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// GitLab receives the events of GitLab projects or groups and registers its
// webhooks there. The event data is an object with "headers" and "body".
type GitLab struct {
	// Listener receives the events.
	Listener Listener
	// URL under which GitLab reaches the listener, without the endpoint, http or
	// https. Required: upstream checks the secret token only of webhooks that it
	// registers. It must not carry credentials.
	URL string
	// Projects and Groups whose events are received, by ID or by path, for example
	// "platform/shop". Webhooks of groups need GitLab Premium. Default: none; the
	// webhooks are registered by somebody else.
	Projects []string
	Groups   []string
	// Events that GitLab sends, in the names of its Go client, for example
	// "PushEvents". At least one is required.
	Events []string
	// Token selects an access token that may administer webhooks. Required.
	Token SecretKey
	// Secret selects the secret token that GitLab sends with each event. Required,
	// unless Unsigned is set.
	Secret *SecretKey
	// Unsigned takes events from anybody who reaches the port.
	Unsigned bool
	// BaseURL of GitLab, https or http. Default: https://gitlab.com.
	BaseURL string
	// InsecureSkipVerify makes GitLab accept any certificate of the URL. Upstream's
	// default is to accept any.
	InsecureSkipVerify bool
	// DeleteOnFinish removes the webhooks when the pod stops.
	DeleteOnFinish bool
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
	// Filter is an expression over the event, as for a [Webhook]. Default: every
	// event reaches the bus.
	Filter string
}

// gitLabEvent is a field of the options of GitLab's Go client, which upstream
// looks up by name and fails without.
// argo-events: StartListening in pkg/eventsources/sources/gitlab/start.go
var gitLabEvent = regexp.MustCompile(`^[A-Z][A-Za-z]*Events$`)

func (g GitLab) validateSource(path *field.Path) field.ErrorList {
	faults := g.Listener.validate(path.Child("listener"))
	faults = append(faults, validateURL(path.Child("url"), g.URL, "http", "https")...)
	faults = append(faults, requireTexts(path.Child("projects"), g.Projects)...)
	faults = append(faults, requireTexts(path.Child("groups"), g.Groups)...)
	if len(g.Events) == 0 {
		faults = append(faults, field.Required(path.Child("events"), "at least one event is required"))
	}
	for i, event := range g.Events {
		faults = append(faults, matches(path.Child("events").Index(i), event, gitLabEvent)...)
	}
	faults = append(faults, g.Token.validate(path.Child("token"))...)
	faults = append(faults, validateSigned(path.Child("secret"), g.Secret, g.Unsigned)...)
	if g.BaseURL != "" {
		faults = append(faults, validateURL(path.Child("baseURL"), g.BaseURL, "http", "https")...)
	}
	return append(faults, validateExtras(path, g.Metadata, g.Filter)...)
}

func (g GitLab) sourceKind() string { return "gitlab" }

func (g GitLab) sourceRoute() (route, bool) {
	return route{kind: g.sourceKind(), Listener: g.Listener}, true
}

func (g GitLab) sourceSpec() map[string]any {
	spec := object.Compact(map[string]any{
		"webhook":               g.Listener.context(http.MethodPost, g.URL),
		"projects":              g.Projects,
		"groups":                g.Groups,
		"events":                g.Events,
		"accessToken":           g.Token.selector(),
		"secretToken":           g.Secret.selector(),
		"gitlabBaseURL":         cmp.Or(g.BaseURL, "https://gitlab.com"),
		"enableSSLVerification": !g.InsecureSkipVerify,
		"deleteHookOnFinish":    g.DeleteOnFinish,
	})
	return withExtras(spec, g.Metadata, g.Filter, nil)
}

func (g GitLab) sourcePermissions() []Permission { return nil }
