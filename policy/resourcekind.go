package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ResourceKind is a kind of objects that a rule is for.
type ResourceKind struct {
	// Group of the kind's API. Default: the core group.
	Group string
	// Version of the kind's API. Default: "v1".
	Version string
	// Kind as manifests name it: "Deployment". Required.
	Kind string
	// Resource is the plural that the API's paths use. Default: the kind in lower case with the usual ending, as in
	// "deployments", "ingresses", "gateways" and "networkpolicies".
	Resource string
}

var namespaceKind = ResourceKind{Kind: "Namespace"}

func (k ResourceKind) version() string { return orDefault(k.Version, "v1") }

func (k ResourceKind) resource() string {
	return orDefault(k.Resource, plural(strings.ToLower(k.Kind)))
}

func plural(word string) string {
	ends := func(suffixes ...string) bool {
		return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(word, suffix) })
	}
	switch {
	case word == "endpoints":
		return word
	case ends("s", "x", "ch", "sh"):
		return word + "es"
	case ends("y") && !ends("ay", "ey", "oy", "uy"):
		return strings.TrimSuffix(word, "y") + "ies"
	default:
		return word + "s"
	}
}

// resources are the kind's own and those of its subresources that change what a rule judges: a ClusterPolicy matches a
// pod's ephemeral containers by itself (kyverno: pkg/utils/match/kind.go).
func (k ResourceKind) resources() []string {
	if k.Group == "" && k.Kind == "Pod" {
		return []string{k.resource(), k.resource() + "/ephemeralcontainers"}
	}
	return []string{k.resource()}
}

// selector names the kind in the match of a ClusterPolicy.
func (k ResourceKind) selector() string {
	if k.Group == "" {
		return k.version() + "/" + k.Kind
	}
	return k.Group + "/" + k.version() + "/" + k.Kind
}

func (k ResourceKind) isNamespace() bool {
	return k.Group == "" && k.version() == "v1" && k.Kind == namespaceKind.Kind
}

func (k ResourceKind) overlaps(other ResourceKind) bool {
	return k.Group == other.Group && k.version() == other.version() && k.resource() == other.resource()
}

// validateKinds reports faults of kinds, and kinds that are there twice.
func validateKinds(path *field.Path, kinds []ResourceKind) field.ErrorList {
	var faults field.ErrorList
	for i, kind := range kinds {
		faults = append(faults, kind.validate(path.Index(i))...)
		if slices.ContainsFunc(kinds[:i], kind.overlaps) {
			faults = append(faults, field.Duplicate(path.Index(i), kind.selector()))
		}
	}
	return faults
}

func (k ResourceKind) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	invalid := func(name, value string, messages []string) {
		for _, message := range messages {
			faults = append(faults, field.Invalid(path.Child(name), value, message))
		}
	}
	if k.Group != "" {
		invalid("group", k.Group, validation.IsDNS1123Subdomain(k.Group))
	}
	if k.Version != "" {
		invalid("version", k.Version, validation.IsDNS1035Label(k.Version))
	}
	if k.Kind == "" {
		faults = append(faults, field.Required(path.Child("kind"), ""))
	} else {
		// The rule of CustomResourceDefinitions, apart from case.
		invalid("kind", k.Kind, validation.IsDNS1035Label(strings.ToLower(k.Kind)))
	}
	if k.Resource != "" {
		invalid("resource", k.Resource, validation.IsDNS1035Label(k.Resource))
	}
	return faults
}
