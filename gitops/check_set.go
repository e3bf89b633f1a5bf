package gitops

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// secretTypeLabel marks the Secrets in which Argo CD keeps its clusters and repositories.
const secretTypeLabel = "argocd.argoproj.io/secret-type"

// project is an AppProject with what Argo CD adds to it: the repositories and clusters that belong to it, and what it
// inherits from global projects.
type project struct {
	name, namespace  string
	labels           labels.Set
	sourceRepos      []string
	destinations     []Destination
	sourceNamespaces []string
	kinds            projectKinds
	// open is a project that inherits from one that the set does not hold.
	open bool
}

// cluster is one that Argo CD knows.
type cluster struct{ name, server string }

// read collects what the rules consult. Findings about the objects themselves are another step's.
func (c *checker) read(objects []*unstructured.Unstructured) {
	silent := &checker{}
	scoped := map[string]project{}
	var configuration []*unstructured.Unstructured
	for _, obj := range objects {
		kind := obj.GroupVersionKind().GroupKind()
		switch {
		case kind == argoapp.Kind("AppProject").GroupKind():
			c.projects = append(c.projects, readProject(silent.root(obj), obj))
		case kind == core("ConfigMap") && obj.GetName() == "argocd-cm":
			configuration = append(configuration, obj)
		case kind == core("Secret") && obj.GetLabels()[secretTypeLabel] == "cluster":
			c.readCluster(obj, scoped)
		case kind == core("Secret") && obj.GetLabels()[secretTypeLabel] == "repository":
			owner := scoped[secretValue(obj, "project")]
			owner.sourceRepos = append(owner.sourceRepos, secretValue(obj, "url"))
			scoped[secretValue(obj, "project")] = owner
		}
	}
	for i := range c.projects {
		c.projects[i].inherit(scoped[c.projects[i].name])
	}
	for _, obj := range configuration {
		data, _, _ := unstructured.NestedStringMap(obj.Object, "data")
		c.inheritGlobal(data["globalProjects"])
		c.assessApplications = c.assessApplications || assessesApplications(data)
	}
}

func readProject(root node, obj *unstructured.Unstructured) project {
	spec := root.child("spec")
	out := project{
		name: obj.GetName(), namespace: obj.GetNamespace(), labels: obj.GetLabels(),
		sourceRepos:      spec.child("sourceRepos").texts(),
		sourceNamespaces: spec.child("sourceNamespaces").texts(),
		kinds:            readKinds(spec),
	}
	for _, item := range spec.child("destinations").items() {
		out.destinations = append(out.destinations, Destination{
			Server: item.child("server").text(), Name: item.child("name").text(), Namespace: item.child("namespace").text(),
		})
	}
	return out
}

func (p *project) inherit(from project) {
	p.sourceRepos = slices.Concat(p.sourceRepos, from.sourceRepos)
	p.destinations = slices.Concat(p.destinations, from.destinations)
	p.kinds.inherit(from.kinds)
}

// readCluster reads a cluster, and which project may use it because it belongs to it.
// argo-cd: util/argo/argo.go, GetAppProjectByName
func (c *checker) readCluster(obj *unstructured.Unstructured, scoped map[string]project) {
	read := cluster{name: secretValue(obj, "name"), server: secretValue(obj, "server")}
	c.clusters = append(c.clusters, read)
	owner := scoped[secretValue(obj, "project")]
	namespaces := secretValue(obj, "namespaces")
	if namespaces == "" {
		namespaces = "*"
	}
	for namespace := range strings.SplitSeq(namespaces, ",") {
		owner.destinations = append(owner.destinations, Destination{Server: read.server, Namespace: strings.TrimSpace(namespace)})
	}
	scoped[secretValue(obj, "project")] = owner
}

// secretValue returns "" for what is not there or not readable.
func secretValue(obj *unstructured.Unstructured, key string) string {
	if text, _, _ := unstructured.NestedString(obj.Object, "stringData", key); text != "" {
		return text
	}
	encoded, _, _ := unstructured.NestedString(obj.Object, "data", key)
	decoded, _ := base64.StdEncoding.DecodeString(encoded)
	return string(decoded)
}

// inheritGlobal adds to the projects what they inherit by argocd-cm's globalProjects.
// argo-cd: util/argo/argo.go, GetAppVirtualProject
func (c *checker) inheritGlobal(text string) {
	var entries []struct {
		ProjectName   string               `json:"projectName"`
		LabelSelector metav1.LabelSelector `json:"labelSelector"`
	}
	if err := yaml.Unmarshal([]byte(text), &entries); err != nil {
		return
	}
	before := slices.Clone(c.projects)
	for _, entry := range entries {
		selector, err := metav1.LabelSelectorAsSelector(&entry.LabelSelector)
		if err != nil {
			return
		}
		for i := range c.projects {
			if c.projects[i].name == entry.ProjectName || !selector.Matches(c.projects[i].labels) {
				continue
			}
			global := slices.IndexFunc(before, func(p project) bool { return p.name == entry.ProjectName })
			if global < 0 {
				c.projects[i].open = true
				continue
			}
			c.projects[i].inherit(before[global])
		}
	}
}

// assessesApplications reports whether argocd-cm has a health check for Applications.
// argo-cd: util/settings/settings.go, GetResourceOverrides
func assessesApplications(data map[string]string) bool {
	const prefix = "resource.customizations.health."
	for key, script := range data {
		if kind, ok := strings.CutPrefix(key, prefix); ok && script != "" && matchesGlob(kind, argoapp.Group+"_Application") {
			return true
		}
	}
	overrides := map[string]json.RawMessage{}
	if err := yaml.Unmarshal([]byte(data["resource.customizations"]), &overrides); err != nil {
		return false
	}
	for kind, raw := range overrides {
		var override map[string]any
		if json.Unmarshal(raw, &override) != nil || !matchesGlob(kind, argoapp.Group+"/Application") {
			continue
		}
		if script, _ := override["health.lua"].(string); script != "" {
			return true
		}
	}
	return false
}

// projectOf returns the project of an Application in a namespace, or nil where the set does not tell. An Application
// belongs to the Argo CD of its own namespace if there is one.
func (c *checker) projectOf(name, namespace string) *project {
	var own, all []*project
	for i := range c.projects {
		if p := &c.projects[i]; p.name == name {
			all = append(all, p)
			if p.namespace == namespace {
				own = append(own, p)
			}
		}
	}
	if len(own) > 0 {
		all = own
	}
	if len(all) != 1 {
		return nil
	}
	return all[0]
}

func (c *checker) hasProject(name string) bool {
	return slices.ContainsFunc(c.projects, func(p project) bool { return p.name == name })
}

// target looks up the cluster of a destination as Argo CD does. The cluster that Argo CD runs in has a name of its own
// unless a Secret gives it another one.
func (c *checker) target(server, name string, namespace maybe) target {
	known := slices.Concat(c.clusters, []cluster{{name: "in-cluster", server: argoapp.InClusterServer}})
	out := target{
		server: maybe{text: server, unknown: server == ""}, name: maybe{text: name, unknown: name == ""}, namespace: namespace,
	}
	for _, one := range known {
		switch {
		case server != "" && strings.TrimRight(one.server, "/") == strings.TrimRight(server, "/"):
			out.name = maybe{text: one.name}
			return out
		case name != "" && one.name == name:
			out.server = maybe{text: one.server}
			return out
		}
	}
	return out
}
