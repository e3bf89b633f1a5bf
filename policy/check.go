package policy

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/finding"
)

// Finding is one place in an object that Kyverno would reject, or silently ignore, or that may surprise.
type Finding = finding.Finding

// Severity says what a finding means.
type Severity = finding.Severity

// CheckRule is what Check looks for.
type CheckRule = finding.Rule

// The severities of findings.
const (
	// SeverityError is something that Kyverno rejects or ignores, or that cannot work.
	SeverityError = finding.Error
	// SeverityWarning is something that works and may surprise.
	SeverityWarning = finding.Warning
)

// Check reports what Kyverno of this version would reject or silently ignore in a set of objects: policies and
// exceptions of both generations, clean-up policies and global context entries, whoever wrote them. Other objects are
// consulted: ClusterRoles for what Kyverno's controllers may do, and CustomResourceDefinitions for the kinds that there
// are.
//
// Expressions are parsed, not compiled: admission.Check does that with Kyverno's own code. What the objects leave open
// is no finding: kinds of groups that the set does not define, and permissions that are granted by anything but
// ClusterRoles that Kyverno's own aggregate. The same objects in any order give the same findings, in the same order.
func Check(kyverno Version, objects []*unstructured.Unstructured) []Finding {
	c := newChecker(kyverno, objects)
	for _, obj := range c.objects {
		c.checkObject(obj)
	}
	c.checkNames()
	c.checkExceptions()
	return c.report.Sorted()
}

// checker holds what the rules need of the whole set.
type checker struct {
	kyverno Version
	report  *finding.Report
	objects []*unstructured.Unstructured
	kinds   kindTable
	granted grants
}

func newChecker(kyverno Version, objects []*unstructured.Unstructured) *checker {
	objects = slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return obj == nil || obj.Object == nil
	})
	return &checker{
		kyverno: kyverno,
		report:  &finding.Report{Shape: checkShape},
		objects: objects,
		kinds:   kindsOf(objects),
		granted: grantsOf(objects),
	}
}

func (c *checker) checkObject(obj *unstructured.Unstructured) {
	root := c.report.Root(obj)
	gvk := obj.GroupVersionKind()
	switch {
	case isClassic(gvk):
		c.checkServed(root, gvk)
		c.checkClassic(root, gvk.Kind)
	case isCleanup(gvk):
		c.checkServed(root, gvk)
		c.checkCleanup(root)
	case gvk.Group == celGroup && gvk.Kind != exceptionKind:
		c.checkServed(root, gvk)
		c.checkCEL(root, gvk.Kind)
	case isException(gvk):
		c.checkServed(root, gvk)
	}
}

// place is what the rules look at.
type place = finding.Place
