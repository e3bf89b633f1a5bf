package gitops

import (
	"unicode/utf8"

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

	// Description for people, of at most 255 characters.
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
	// AllowClusterResources and DenyClusterResources add cluster-scoped resources by name to AllowClusterKinds and
	// DenyClusterKinds. Argo CD 3.3 and later only: an older one drops the name, and permits or denies the whole kind.
	AllowClusterResources []ClusterResource
	DenyClusterResources  []ClusterResource
	// PermitOnlyProjectScopedClusters denies clusters that belong to no project or another one. Default: false.
	PermitOnlyProjectScopedClusters bool

	// SourceNamespaces are those beside Argo CD's own in which Applications of the project may be: names, patterns, or
	// regular expressions between slashes. Default: none. Argo CD must be told to look there.
	SourceNamespaces []string
	// SignatureKeys are the OpenPGP keys with one of which commits must be signed, by key ID (16 upper-case hexadecimal
	// digits) or fingerprint (40). Default: none, signatures are not looked at. From Argo CD 3.5 on deprecated for
	// SourceIntegrity.
	SignatureKeys []string
	// SourceIntegrity are the signatures that repositories must have. Default: none. Argo CD 3.5 and later only.
	SourceIntegrity []SignaturePolicy
	// DestinationServiceAccounts are the accounts that syncs use at the destinations; the first that matches counts. Argo
	// CD must be told to impersonate them, and then syncs to no destination that none of them matches. Default: none.
	DestinationServiceAccounts []DestinationServiceAccount

	// Roles of people and machines in the project. Default: none.
	Roles []ProjectRole
	// SyncWindows allow or deny syncs at times. Default: none, syncs are always allowed.
	SyncWindows []SyncWindow
	// OrphanedResources looks for resources in the destinations' namespaces that belong to no Application. Default: nil,
	// nothing is looked for.
	OrphanedResources *OrphanedResources
}

// OrphanedResources says what happens to resources that belong to no Application. They are listed in the status.
type OrphanedResources struct {
	// Warn sets a condition on Applications with orphaned resources. Default: false.
	Warn bool
	// Ignore are resources that are no orphans. Default: none, beside those that Kubernetes itself makes.
	Ignore []OrphanedResource
}

// OrphanedResource matches resources; "*" in a field is any characters.
type OrphanedResource struct {
	// Group of the resource, without a version. Empty is the core group.
	Group string
	// Kind of the resource. Required.
	Kind string
	// Name of the resource. Default: any.
	Name string
}

// ClusterResource is a cluster-scoped resource.
type ClusterResource struct {
	// Group and Kind of the resource; "*" is any. Kind is required.
	Group string
	Kind  string
	// Name of the resource: a pattern in which "*" is any characters. Required.
	Name string
}

// Validate reports every fault of the project.
func (p AppProject) Validate() field.ErrorList {
	faults := p.meta().Validate()
	if utf8.RuneCountInString(p.Description) > maxDescription {
		faults = append(faults, field.TooLong(field.NewPath("description"), p.Description, maxDescription))
	}
	faults = append(faults, object.Text(field.NewPath("description"), p.Description)...)
	faults = append(faults, validateRepos(field.NewPath("sourceRepos"), p.SourceRepos)...)
	faults = append(faults, validateDestinations(field.NewPath("destinations"), p.Destinations)...)
	faults = append(faults, validateKinds(field.NewPath("allowClusterKinds"), p.AllowClusterKinds)...)
	faults = append(faults, validateKinds(field.NewPath("denyClusterKinds"), p.DenyClusterKinds)...)
	faults = append(faults, validateKinds(field.NewPath("allowNamespacedKinds"), p.AllowNamespacedKinds)...)
	faults = append(faults, validateKinds(field.NewPath("denyNamespacedKinds"), p.DenyNamespacedKinds)...)
	faults = append(faults, validateClusterResources(field.NewPath("allowClusterResources"), p.AllowClusterResources)...)
	faults = append(faults, validateClusterResources(field.NewPath("denyClusterResources"), p.DenyClusterResources)...)
	faults = append(faults, validateUnique(field.NewPath("sourceNamespaces"), p.SourceNamespaces)...)
	faults = append(faults, validateKeys(field.NewPath("signatureKeys"), p.SignatureKeys)...)
	faults = append(faults, p.validateIntegrity(field.NewPath("sourceIntegrity"))...)
	faults = append(faults, validateServiceAccounts(field.NewPath("destinationServiceAccounts"), p.DestinationServiceAccounts)...)
	faults = append(faults, validateRoles(field.NewPath("roles"), p.Roles)...)
	faults = append(faults, validateWindows(field.NewPath("syncWindows"), p.SyncWindows)...)
	return append(faults, p.OrphanedResources.validate(field.NewPath("orphanedResources"))...)
}

// Build returns the project as an object, or an Invalid error that lists every fault.
func (p AppProject) Build() (*unstructured.Unstructured, error) {
	kind := argoapp.Kind("AppProject")
	if err := object.Invalid(kind.GroupKind(), p.Name, p.Validate()); err != nil {
		return nil, err
	}
	spec, err := object.Encode(p.spec())
	if err != nil {
		return nil, err
	}
	return object.New(kind, p.meta(), map[string]any{"spec": spec}), nil
}

func (p AppProject) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: orDefault(p.Namespace, argoapp.DefaultNamespace), Labels: p.Labels, Annotations: p.Annotations}
}

func (p AppProject) spec() map[string]any {
	keys := make([]map[string]any, len(p.SignatureKeys))
	for i, key := range p.SignatureKeys {
		keys[i] = map[string]any{"keyID": key}
	}
	out := object.Compact(map[string]any{
		"description":                     p.Description,
		"sourceRepos":                     p.SourceRepos,
		"destinations":                    buildEach(p.Destinations, Destination.build),
		"clusterResourceWhitelist":        buildClusterResources(p.AllowClusterKinds, p.AllowClusterResources),
		"clusterResourceBlacklist":        buildClusterResources(p.DenyClusterKinds, p.DenyClusterResources),
		"namespaceResourceWhitelist":      p.AllowNamespacedKinds,
		"namespaceResourceBlacklist":      p.DenyNamespacedKinds,
		"permitOnlyProjectScopedClusters": p.PermitOnlyProjectScopedClusters,
		"sourceNamespaces":                p.SourceNamespaces,
		"signatureKeys":                   keys,
		"destinationServiceAccounts":      buildEach(p.DestinationServiceAccounts, DestinationServiceAccount.build),
		"roles":                           buildEach(p.Roles, func(r ProjectRole) map[string]any { return r.build(p.Name) }),
		"syncWindows":                     buildEach(p.SyncWindows, SyncWindow.build),
	})
	if len(p.SourceIntegrity) > 0 {
		out["sourceIntegrity"] = map[string]any{"git": map[string]any{"policies": buildEach(p.SourceIntegrity, SignaturePolicy.build)}}
	}
	if p.OrphanedResources != nil {
		out["orphanedResources"] = p.OrphanedResources.build()
	}
	return out
}

func (o *OrphanedResources) validate(path *field.Path) field.ErrorList {
	if o == nil {
		return nil
	}
	var faults field.ErrorList
	for i, resource := range o.Ignore {
		at := path.Child("ignore").Index(i)
		faults = append(faults, validateKind(at, resource.Group, resource.Kind)...)
		faults = append(faults, object.Text(at.Child("name"), resource.Name)...)
	}
	return faults
}

func (o *OrphanedResources) build() map[string]any {
	return object.Compact(map[string]any{"warn": o.Warn, "ignore": buildEach(o.Ignore, func(r OrphanedResource) map[string]any {
		return object.Compact(map[string]any{"group": r.Group, "kind": r.Kind, "name": r.Name})
	})})
}

func buildEach[T any](items []T, build func(T) map[string]any) []map[string]any {
	out := make([]map[string]any, len(items))
	for i, item := range items {
		out[i] = build(item)
	}
	return out
}
