package gitops

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gobwas/glob"
)

// sshURL recognises git's short form of SSH addresses, as Argo CD does (argo-cd: util/git/git.go).
var sshURL = regexp.MustCompile("^(ssh://)?([^/:]*?)@[^@]+$")

// normalizeRepo makes the forms of one repository's address comparable.
// argo-cd: util/git/git.go, NormalizeGitURL
func normalizeRepo(repo string) string {
	repo = strings.ToLower(strings.TrimSpace(repo))
	if sshURL.MatchString(repo) && !strings.HasPrefix(repo, "ssh://") {
		repo = "ssh://" + strings.Replace(repo, ":", "/", 1)
	}
	parsed, err := url.Parse(strings.TrimSuffix(repo, ".git"))
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(parsed.String(), "ssh://")
}

// matches reports whether a pattern of a project matches; one that does not compile matches nothing.
// argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, globMatch
func matches(pattern, value string, separators ...rune) bool {
	if isDenial(pattern) {
		return !matchesGlob(pattern[1:], value, separators...)
	}
	return pattern == "*" || matchesGlob(pattern, value, separators...)
}

func matchesGlob(pattern, value string, separators ...rune) bool {
	compiled, err := glob.Compile(pattern, separators...)
	return err == nil && compiled.Match(value)
}

func isDenial(pattern string) bool { return strings.HasPrefix(pattern, "!") }

// permitsSource is argo-cd's AppProject.IsSourcePermitted.
func permitsSource(patterns []string, repo string) bool {
	repo = normalizeRepo(repo)
	permitted := false
	for _, pattern := range patterns {
		normalized := normalizeRepo(strings.TrimPrefix(pattern, "!"))
		if isDenial(pattern) {
			normalized = "!" + normalized
		}
		if matches(normalized, repo, '/') {
			permitted = true
		} else if isDenial(normalized) {
			return false
		}
	}
	return permitted
}

// permitsNamespace is argo-cd's AppProject.IsAppNamespacePermitted, for Applications outside Argo CD's own namespace. Argo
// CD's regular expressions know more than Go's; one that Go cannot read counts as a match.
func permitsNamespace(patterns []string, namespace string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if len(pattern) > 1 && strings.HasPrefix(pattern, "/") && strings.HasSuffix(pattern, "/") {
			expression, err := regexp.Compile(pattern[1 : len(pattern)-1])
			if err != nil || expression.MatchString(namespace) {
				return true
			}
		}
		return matchesGlob(pattern, namespace)
	})
}

// maybe is a text that may be unknown.
type maybe struct {
	text    string
	unknown bool
}

// matched returns what a match of the pattern can come to.
func (m maybe) matched(pattern string) []bool {
	switch {
	case !m.unknown:
		return []bool{matches(pattern, m.text)}
	case pattern == "*":
		return []bool{true}
	case pattern == "!*":
		return []bool{false}
	default:
		return []bool{true, false}
	}
}

// target is a destination as Argo CD sees it after it has looked up the cluster: with server and name.
type target struct{ server, name, namespace maybe }

// permitsDestination is argo-cd's AppProject.IsDestinationPermitted. With something unknown it reports whether the
// destination can be permitted.
func permitsDestination(patterns []Destination, to target) bool {
	permitted := false
	for _, pattern := range patterns {
		outcomes := to.outcomes(pattern)
		if !slices.Contains(outcomes, passes) && !slices.Contains(outcomes, permits) {
			return false
		}
		permitted = permitted || slices.Contains(outcomes, permits)
	}
	return permitted
}

// outcome is what one pattern of a project says about a destination.
type outcome int

const (
	passes outcome = iota
	permits
	denies
)

func (t target) outcomes(pattern Destination) []outcome {
	var out []outcome
	for _, server := range t.server.matched(pattern.Server) {
		for _, name := range t.name.matched(pattern.Name) {
			for _, namespace := range t.namespace.matched(pattern.Namespace) {
				out = append(out, outcomeOf(pattern, server, name, namespace))
			}
		}
	}
	return out
}

// outcomeOf says no at once for a denied name, for a denied server only in a namespace that matches, and for a denied
// namespace only on a server that matches.
func outcomeOf(pattern Destination, server, name, namespace bool) outcome {
	switch {
	case (server || name) && namespace:
		return permits
	case !name && isDenial(pattern.Name), !server && isDenial(pattern.Server) && namespace:
		return denies
	case !namespace && isDenial(pattern.Namespace) && server:
		return denies
	default:
		return passes
	}
}
