package gitops

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// AppProject limits what a group of Applications may deploy, from where and to where.
type AppProject struct {
	// Name of the project. Required.
	Name string
	// Namespace of the project: Argo CD's own. Default: "argocd".
	Namespace string
	// Labels and Annotations of the project.
	Labels      map[string]string
	Annotations map[string]string

	// Description for people.
	Description string
	// SourceRepos are the repositories that Applications may use: URLs or patterns. "*" permits every repository, and a
	// pattern that starts with "!" denies what it matches. Required.
	SourceRepos []string
	// Destinations that Applications may deploy to. Server, Name and Namespace are patterns. Required. Mind that in
	// Argo CD a namespace pattern that starts with "!" also permits every other namespace.
	Destinations []Destination
	// AllowClusterKinds are the cluster-scoped kinds that Applications may deploy; "*" is any group or kind. Default:
	// none. DenyClusterKinds win over them.
	AllowClusterKinds []metav1.GroupKind
	DenyClusterKinds  []metav1.GroupKind
	// AllowNamespacedKinds are the namespaced kinds that Applications may deploy. Default: all. DenyNamespacedKinds win
	// over them.
	AllowNamespacedKinds []metav1.GroupKind
	DenyNamespacedKinds  []metav1.GroupKind
}

// Validate reports every fault of the project.
func (p AppProject) Validate() field.ErrorList {
	faults := p.meta().Validate()
	faults = append(faults, object.Text(field.NewPath("description"), p.Description)...)
	faults = append(faults, validateRepos(field.NewPath("sourceRepos"), p.SourceRepos)...)
	faults = append(faults, validateDestinations(field.NewPath("destinations"), p.Destinations)...)
	faults = append(faults, validateKinds(field.NewPath("allowClusterKinds"), p.AllowClusterKinds)...)
	faults = append(faults, validateKinds(field.NewPath("denyClusterKinds"), p.DenyClusterKinds)...)
	faults = append(faults, validateKinds(field.NewPath("allowNamespacedKinds"), p.AllowNamespacedKinds)...)
	return append(faults, validateKinds(field.NewPath("denyNamespacedKinds"), p.DenyNamespacedKinds)...)
}

// Build returns the project as an object, or an Invalid error that lists every fault.
func (p AppProject) Build() (*unstructured.Unstructured, error) {
	kind := argoapp.Kind("AppProject")
	if err := object.Invalid(kind.GroupKind(), p.Name, p.Validate()); err != nil {
		return nil, err
	}
	destinations := make([]map[string]any, len(p.Destinations))
	for i, destination := range p.Destinations {
		destinations[i] = destination.build()
	}
	spec, err := object.Encode(object.Compact(map[string]any{
		"description":                p.Description,
		"sourceRepos":                p.SourceRepos,
		"destinations":               destinations,
		"clusterResourceWhitelist":   p.AllowClusterKinds,
		"clusterResourceBlacklist":   p.DenyClusterKinds,
		"namespaceResourceWhitelist": p.AllowNamespacedKinds,
		"namespaceResourceBlacklist": p.DenyNamespacedKinds,
	}))
	if err != nil {
		return nil, err
	}
	return object.New(kind, p.meta(), map[string]any{"spec": spec}), nil
}

func (p AppProject) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: orDefault(p.Namespace, argoapp.DefaultNamespace), Labels: p.Labels, Annotations: p.Annotations}
}

// validateRepos checks patterns as Argo CD's own AppProject.ValidateProject does, and for patterns without effect.
func validateRepos(path *field.Path, repos []string) field.ErrorList {
	if len(repos) == 0 {
		return field.ErrorList{field.Required(path, `a project without source repositories permits nothing; "*" permits all`)}
	}
	var faults field.ErrorList
	seen := map[string]bool{}
	for i, repo := range repos {
		switch {
		case strings.TrimPrefix(repo, "!") == "":
			faults = append(faults, field.Required(path.Index(i), "an empty pattern matches no repository"))
		case repo == "!*":
			faults = append(faults, field.Invalid(path.Index(i), repo, deniesAll))
		case seen[repo]:
			faults = append(faults, field.Duplicate(path.Index(i), repo))
		}
		seen[repo] = true
		faults = append(faults, object.Text(path.Index(i), repo)...)
	}
	return faults
}

func validateDestinations(path *field.Path, destinations []Destination) field.ErrorList {
	if len(destinations) == 0 {
		return field.ErrorList{field.Required(path, "a project without destinations permits nothing")}
	}
	var faults field.ErrorList
	seen := map[Destination]bool{}
	for i, destination := range destinations {
		at := path.Index(i)
		if seen[destination] {
			faults = append(faults, field.Duplicate(at, destination))
		}
		seen[destination] = true
		faults = append(faults, validatePattern(at.Child("server"), destination.Server)...)
		faults = append(faults, validatePattern(at.Child("name"), destination.Name)...)
		if destination.Server != "" && destination.Name != "" {
			faults = append(faults, field.Forbidden(at.Child("name"), "a destination has a server or a name, not both"))
		}
		if destination.Namespace == "" {
			faults = append(faults, field.Required(at.Child("namespace"), `an empty pattern matches no namespace; "*" matches all`))
		}
		faults = append(faults, validatePattern(at.Child("namespace"), destination.Namespace)...)
	}
	return faults
}

const deniesAll = "denies everything, which Argo CD rejects"

func validatePattern(path *field.Path, pattern string) field.ErrorList {
	if pattern == "!*" {
		return field.ErrorList{field.Invalid(path, pattern, deniesAll)}
	}
	return object.Text(path, pattern)
}

func validateKinds(path *field.Path, kinds []metav1.GroupKind) field.ErrorList {
	var faults field.ErrorList
	for i, kind := range kinds {
		if kind.Kind == "" {
			faults = append(faults, field.Required(path.Index(i).Child("kind"), `"*" is any kind`))
		}
		faults = append(faults, object.Text(path.Index(i).Child("kind"), kind.Kind)...)
		faults = append(faults, object.Text(path.Index(i).Child("group"), kind.Group)...)
		if strings.Contains(kind.Group, "/") {
			faults = append(faults, field.Invalid(path.Index(i).Child("group"), kind.Group, "is a group without a version"))
		}
	}
	return faults
}
