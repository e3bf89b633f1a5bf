package gitops

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/finding"
)

// Finding is one place in an object that Argo CD would reject, or silently ignore, or that may surprise.
type Finding = finding.Finding

// Severity says what a finding means.
type Severity = finding.Severity

// Rule is what Check looks for.
type Rule = finding.Rule

// The severities of findings.
const (
	// SeverityError is something that Argo CD rejects or ignores.
	SeverityError = finding.Error
	// SeverityWarning is something that works and may surprise.
	SeverityWarning = finding.Warning
)

// Rules returns every rule of Check, CheckResources and CheckOrder, ordered by code.
func Rules() []Rule { return slices.Concat(checkRules, orderRules) }

// Check reports what Argo CD would reject or silently ignore in a set of objects: its AppProjects, ApplicationSets and
// Applications, whoever wrote them. Other objects are checked for the order of their sync (see CheckOrder). Some are
// consulted when they are in the set: the ConfigMap argocd-cm, and Argo CD's Secrets for clusters and repositories.
//
// What the objects leave open is no finding: what a template action yields, what a templatePatch changes, a project when
// the set holds none, a cluster that the set does not describe. The project "default" exists always and permits
// everything, unless it is in the set. The same objects in any order give the same findings, in the same order.
func Check(objects []*unstructured.Unstructured) []Finding {
	objects = slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return obj == nil || obj.Object == nil
	})
	c := &checker{}
	c.read(objects)
	for _, obj := range objects {
		switch obj.GroupVersionKind().GroupKind() {
		case argoapp.Kind("AppProject").GroupKind():
			c.checkProject(obj)
		case argoapp.Kind("Application").GroupKind():
			c.checkApplication(obj)
		case argoapp.Kind("ApplicationSet").GroupKind():
			c.checkApplicationSet(obj)
		}
		c.checkReplacedObject(obj)
	}
	c.checkNames()
	c.checkWaves()
	c.findings = append(c.findings, checkOrder(objects)...)
	finding.Sort(c.findings)
	return slices.Compact(c.findings)
}

// checker holds what the rules need of the whole set.
type checker struct {
	findings []Finding
	projects []project
	clusters []cluster
	// names are those of the Applications of the set, in any namespace.
	names map[generatedName][]node
	// waves are the sync waves of Applications, and whether Argo CD assesses their health.
	waves              []applicationWave
	assessApplications bool
}

// generatedName is the identity of an Application.
type generatedName struct{ namespace, name string }

func (c *checker) root(obj *unstructured.Unstructured) node {
	return node{checker: c, object: objectName(obj), layers: []layer{{value: obj.Object}}}
}
