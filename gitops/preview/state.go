package preview

import (
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
)

// Repository is the content of a repository that ApplicationSets and Applications name by URL.
type Repository struct {
	// URL of the repository, as the objects spell it. Required.
	URL string
	// Revision that the content is of. Default: it stands for every revision that the objects name.
	Revision string
	// Content of the repository: a [Checkout], a [Revision], or any other file system. Required.
	Content fs.FS
}

// Inputs are the answers that Argo CD would get from repositories, clusters and other services. What is not given and
// needed is a [MissingInputError].
type Inputs struct {
	// Namespace of Argo CD, in which it looks for AppProjects, clusters and ConfigMaps. Objects without a namespace are
	// taken to be in it. Default: "argocd".
	Namespace string
	// Repositories by URL and revision. URLs are the same if Argo CD thinks so: in any case, with or without ".git".
	Repositories []Repository
	// Clusters that Argo CD knows, besides the one it runs in. Secrets among the objects that declare clusters count
	// too. Nil without such Secrets: the clusters are unknown. Then a cluster generator is a [MissingInputError], and
	// destinations are taken to exist. Empty: there is only the cluster that Argo CD runs in.
	Clusters []Cluster
	// Objects of Argo CD's own cluster that are not among the declared ones and that generators read: AppProjects, and
	// the ConfigMaps and resources of cluster decision generators, with their status. The AppProject "default" exists
	// always.
	Objects []*unstructured.Unstructured
	// Organizations are the answers to SCM provider generators.
	Organizations []Organization
	// PullRequests are the answers to pull request generators.
	PullRequests []RepositoryPullRequests
	// Plugins are the answers to plugin generators.
	Plugins []PluginAnswer
}

// State is the Applications that a set of objects comes to.
type State struct {
	// Applications by namespace and name.
	Applications []Application

	// known are the AppProjects and cluster Secrets among the objects, which the ApplicationSets that Applications deploy
	// need too.
	known []*unstructured.Unstructured
}

// Application is one Application of a [State].
type Application struct {
	// Object is the Application as Argo CD would create it, or as it was declared.
	Object *unstructured.Unstructured
	// ApplicationSet is the name of the ApplicationSet that generates it. Empty for one that was declared.
	ApplicationSet string
	// ApplicationsSync is what that ApplicationSet may do to it: gitops.SyncApplications for one that was declared.
	ApplicationsSync gitops.ApplicationsSync
	// Parent is the Application that deploys this one or its ApplicationSet, as "namespace/name". Empty for one that no
	// rendered Application deploys.
	Parent string
	// Resources are the manifests that its sources render to, as Argo CD applies them. Nil until [Render], and where
	// RenderError says why there are none.
	Resources []*unstructured.Unstructured
	// RenderError says why the sources could not be rendered, or the Applications among the resources not expanded.
	RenderError error
}
