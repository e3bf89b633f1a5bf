package policy

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// AllowedRegistries guarantees that images come from the registries and repositories of a list. It is for all
// containers, init containers, ephemeral containers and image volumes of Pods, Deployments, StatefulSets, DaemonSets,
// ReplicationControllers, Jobs and CronJobs. An image without a registry is one of docker.io, and without a further
// path one of docker.io/library, as for the runtimes. An update that leaves the pod's spec as it is passes.
type AllowedRegistries struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Registries are registries, or repositories and what is below them: "registry.example.com",
	// "registry.example.com:5000/team", "docker.io/library". A name ends where a part of the path ends:
	// "registry.example.com/team" is not for registry.example.com/team-b. At least one.
	Registries []string
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r AllowedRegistries) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	path := field.NewPath("registries")
	if len(r.Registries) == 0 {
		faults = append(faults, field.Required(path, "without a registry no image is allowed"))
	}
	for i, registry := range r.Registries {
		if !registryPrefix.MatchString(registry) {
			faults = append(faults, field.Invalid(path.Index(i), registry, `name a registry and, if need be, a path, `+
				`as in "registry.example.com/team" or "docker.io/library", without scheme, tag and wildcard`))
		}
	}
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r AllowedRegistries) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r AllowedRegistries) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno report on ephemeral containers.
func (r AllowedRegistries) RBAC() []*unstructured.Unstructured { return podsRBAC(r.Name) }

// WithAction returns a copy of the rule with the action.
func (r AllowedRegistries) WithAction(action Action) Rule {
	r.Action = action
	return r
}

// The grammar of image references (github.com/distribution/reference: reference.go), where the part before the first
// slash is a registry if it could not be part of a path: it has a dot, a colon or a capital letter, or is localhost.
var (
	registryPrefix = regexp.MustCompile(`^(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|` +
		`[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*:[0-9]+|\[[0-9a-fA-F:]+\](:[0-9]+)?)` +
		`(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	withRegistry = `^([^/]*[.:A-Z][^/]*|localhost)/`
)

func (r AllowedRegistries) judgement() judgement {
	patterns := make([]string, len(r.Registries))
	for i, registry := range r.Registries {
		patterns[i] = repositories(registry)
	}
	allowed := fmt.Sprintf("(i.matches(%s) ? i : %s + i).matches(%s)",
		celString(withRegistry), celString(dockerHub+"/"), celString("^("+strings.Join(patterns, "|")+")"))
	return judgeImages(r.ExemptNamespaces, allowed, "An image must come from "+strings.Join(r.Registries, ", ")+": ")
}

const dockerHub = "docker.io"

// repositories returns a pattern for the images of a registry or of a path in it.
func repositories(registry string) string {
	const reference = "[:@][^/]*" // a tag or a digest
	host, path, found := strings.Cut(registry, "/")
	if host != dockerHub && host != "index."+dockerHub {
		if !found {
			return regexp.QuoteMeta(host) + "/"
		}
		return regexp.QuoteMeta(registry) + "(/|(" + reference + ")?$)"
	}
	// Docker Hub has two names, and its path library can be left out.
	hub := `(index\.)?docker\.io/`
	if !found {
		return hub
	}
	pattern := hub + regexp.QuoteMeta(path) + "(/|(" + reference + ")?$)"
	if path == "library" {
		return pattern + "|" + hub + "[^/]+$"
	}
	if name, official := strings.CutPrefix(path, "library/"); official {
		return pattern + "|" + hub + regexp.QuoteMeta(name) + "(" + reference + ")?$"
	}
	return pattern
}
