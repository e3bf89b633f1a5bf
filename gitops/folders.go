package gitops

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// Folders is the convention of a GitOps repository: each folder `<Root>/<group>/<name>` is one Application, named
// `<group>-<name>`. Each group has an AppProject, so that a group can deploy only into its own namespace, and an
// ApplicationSet that follows the folders.
type Folders struct {
	// RepoURL of the repository. Required.
	RepoURL string
	// Revision to follow. Default: "HEAD".
	Revision string
	// Root is the folder that holds the groups. Default: "K8s".
	Root string
	// Groups of Applications. At least one.
	Groups []Group

	// Namespace of the AppProjects and ApplicationSets. Default: "argocd".
	Namespace string
	// Server and ClusterName say which cluster the groups deploy to, as in [Destination]. Default: the cluster that
	// Argo CD runs in.
	Server      string
	ClusterName string
	// NamespaceLabels are kept on the namespaces that are created for the groups, such as the labels that the
	// platform's policies require. A group's own labels win.
	NamespaceLabels map[string]string
	// SyncPolicy of the Applications. CreateNamespace is always on, and NamespaceLabels are merged in.
	SyncPolicy SyncPolicy
	// IgnoreDifferences of the Applications. Default: none.
	IgnoreDifferences IgnoreDifferences
	// PreserveResourcesOnDeletion keeps what an Application deployed when its folder goes away or is renamed.
	// Default: false, it is deleted.
	PreserveResourcesOnDeletion bool
}

// Group is one folder below the root, with the Applications in it.
type Group struct {
	// Name of the folder, the AppProject and the ApplicationSet. Required.
	Name string
	// Description of the project for people.
	Description string
	// Namespace that the group's Applications deploy into. It may be a template over the parameters of
	// [GitDirectories], such as "{{ .path.basename }}" for a namespace per Application; the project then permits what
	// the template can yield, except the namespaces of Argo CD and of Kubernetes itself if it can yield anything.
	// Default: the group's name.
	Namespace string
	// NamespaceLabels are kept on the group's namespaces, over those of the convention.
	NamespaceLabels map[string]string
	// Exclude are patterns of folders that are no Applications, relative to the group's folder.
	Exclude []string
	// AllowClusterKinds are cluster-scoped kinds that the group may deploy. Default: only Namespace, which is needed to
	// create the group's own.
	AllowClusterKinds []metav1.GroupKind
}

// Validate reports every fault of the convention, including those of the projects and ApplicationSets that it makes.
func (f Folders) Validate() field.ErrorList {
	faults := validateRepoURL(field.NewPath("repoURL"), f.RepoURL, literal{})
	if strings.HasPrefix(f.Root, "/") || escapes(f.root()) {
		faults = append(faults, field.Invalid(field.NewPath("root"), f.Root, "must be relative and stay inside the repository"))
	}
	if strings.ContainsAny(f.Root, "*?[{\\") {
		faults = append(faults, field.Invalid(field.NewPath("root"), f.Root, "must be a folder, not a pattern"))
	}
	faults = append(faults, templated{}.labels(field.NewPath("namespaceLabels"), f.NamespaceLabels)...)
	groups := field.NewPath("groups")
	if len(f.Groups) == 0 {
		faults = append(faults, field.Required(groups, "without a group nothing is deployed"))
	}
	seen := map[string]bool{}
	for i, group := range f.Groups {
		if seen[group.Name] {
			faults = append(faults, field.Duplicate(groups.Index(i).Child("name"), group.Name))
		}
		seen[group.Name] = true
		faults = append(faults, group.validate(groups.Index(i))...)
	}
	if len(faults) > 0 {
		return faults
	}
	return f.validateProducts()
}

func (g Group) validate(at *field.Path) field.ErrorList {
	faults := object.Name(at.Child("name"), g.Name)
	if g.Namespace == "" && len(faults) == 0 {
		// The default namespace is the name, and a namespace has no dots and at most 63 characters.
		faults = append(faults, object.Namespace(at.Child("name"), g.Name)...)
	}
	if g.Namespace != "" {
		faults = append(faults, templated{}.namespace(at.Child("namespace"), g.Namespace)...)
	}
	for i, pattern := range g.Exclude {
		if pattern == "" || strings.HasPrefix(pattern, "/") || escapes(pattern) {
			faults = append(faults, field.Invalid(at.Child("exclude").Index(i), pattern, "must be a pattern inside the group's folder"))
		}
	}
	faults = append(faults, templated{}.labels(at.Child("namespaceLabels"), g.NamespaceLabels)...)
	faults = append(faults, validateKinds(at.Child("allowClusterKinds"), g.AllowClusterKinds)...)
	return append(faults, object.Text(at.Child("description"), g.Description)...)
}

// validateProducts reports what only the products can tell, such as a fault of the sync policy. A fault that every
// group has is reported once.
func (f Folders) validateProducts() field.ErrorList {
	var faults field.ErrorList
	seen := map[string]bool{}
	add := func(found field.ErrorList) {
		for _, fault := range found {
			// The sync policy and the ignore rules are the convention's own fields.
			fault.Field = strings.TrimPrefix(fault.Field, "template.")
			if key := fault.Error(); !seen[key] {
				seen[key] = true
				faults = append(faults, fault)
			}
		}
	}
	for _, project := range f.AppProjects() {
		add(project.Validate())
	}
	for _, set := range f.ApplicationSets() {
		add(set.Validate())
	}
	return faults
}

// Build returns every project, then every ApplicationSet, or an Invalid error that lists every fault.
func (f Folders) Build() ([]*unstructured.Unstructured, error) {
	if err := object.Invalid(argoapp.Kind("Folders").GroupKind(), f.root(), f.Validate()); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, project := range f.AppProjects() {
		obj, err := project.Build()
		if err != nil {
			return nil, err
		}
		objects = append(objects, obj)
	}
	for _, set := range f.ApplicationSets() {
		obj, err := set.Build()
		if err != nil {
			return nil, err
		}
		objects = append(objects, obj)
	}
	return objects, nil
}

// AppProjects returns the project of each group as a value, to change before it is built.
func (f Folders) AppProjects() []AppProject {
	var projects []AppProject
	for _, group := range f.Groups {
		projects = append(projects, AppProject{
			Name:              group.Name,
			Namespace:         f.Namespace,
			Description:       orDefault(group.Description, fmt.Sprintf("Applications in %s", path.Join(f.root(), group.Name))),
			SourceRepos:       []string{f.RepoURL},
			Destinations:      f.destinations(group),
			AllowClusterKinds: append([]metav1.GroupKind{{Kind: "Namespace"}}, group.AllowClusterKinds...),
		})
	}
	return projects
}

// ApplicationSets returns the ApplicationSet of each group as a value, to change before it is built.
func (f Folders) ApplicationSets() []ApplicationSet {
	var sets []ApplicationSet
	for _, group := range f.Groups {
		folder := path.Join(f.root(), group.Name)
		directories := GitDirectories{RepoURL: f.RepoURL, Revision: f.Revision, Include: []string{folder + "/*"}}
		for _, pattern := range group.Exclude {
			directories.Exclude = append(directories.Exclude, path.Join(folder, pattern))
		}
		policy := f.SyncPolicy
		policy.CreateNamespace = true
		policy.NamespaceLabels = merged(f.SyncPolicy.NamespaceLabels, f.NamespaceLabels, group.NamespaceLabels)
		policy.Options = slices.Clone(policy.Options)
		sets = append(sets, ApplicationSet{
			Name:       group.Name,
			Namespace:  f.Namespace,
			Generators: []Generator{directories},
			Template: Application{
				Name:              group.Name + "-{{ .path.basenameNormalized }}",
				Project:           group.Name,
				Sources:           []Source{{RepoURL: f.RepoURL, Revision: f.Revision, Path: "{{ .path.path }}"}},
				Destination:       Destination{Server: f.Server, Name: f.ClusterName, Namespace: group.namespace()},
				SyncPolicy:        policy,
				IgnoreDifferences: f.IgnoreDifferences,
			},
			PreserveResourcesOnDeletion: f.PreserveResourcesOnDeletion,
		})
	}
	return sets
}

func (f Folders) root() string { return path.Clean(orDefault(f.Root, "K8s")) }

func (g Group) namespace() string { return orDefault(g.Namespace, g.Name) }

var templateAction = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// destinations returns the namespaces that the group's template can yield.
func (f Folders) destinations(group Group) []Destination {
	pattern := templateAction.ReplaceAllString(group.namespace(), "*")
	destinations := []Destination{{Server: f.Server, Name: f.ClusterName, Namespace: pattern}}
	if strings.Trim(pattern, "*") != "" {
		// Denials stay out here: in Argo CD a denied namespace permits all others, far more than the pattern does.
		return destinations
	}
	own := orDefault(f.Namespace, argoapp.DefaultNamespace)
	for _, denied := range []string{"!" + own, "!kube-*"} {
		destinations = append(destinations, Destination{Server: f.Server, Name: f.ClusterName, Namespace: denied})
	}
	return destinations
}

func merged(labels ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, set := range labels {
		maps.Copy(out, set)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
