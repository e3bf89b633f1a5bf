package eventing

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/eventprogram"
	"github.com/controlbackbone/backbone/internal/finding"
)

// Finding is one place in an object that Argo Events would reject, or silently ignore, or that may surprise.
type Finding = finding.Finding

// Severity says what a finding means.
type Severity = finding.Severity

// CheckRule is what Check looks for.
type CheckRule = finding.Rule

// The severities of findings.
const (
	// SeverityError is something that Argo Events rejects or ignores, or that cannot work.
	SeverityError = finding.Error
	// SeverityWarning is something that works and may surprise.
	SeverityWarning = finding.Warning
)

type place = finding.Place

// Check reports what Argo Events 1.9.10 would reject or silently ignore in a set of objects: EventBuses, EventSources and
// Sensors, whoever wrote them. Other objects are consulted: ServiceAccounts, Roles and their bindings for what pods may
// do, and the workloads of Argo CD and Argo Workflows for where their controllers look.
//
// What the objects leave open is no finding: event sources of a namespace of which the set holds none, and the rights
// of pods when the set holds no role and no account. The same objects in any order give the same findings, in the same
// order.
func Check(objects []*unstructured.Unstructured) []Finding {
	objects = slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return obj == nil || obj.Object == nil
	})
	c := &checker{report: &finding.Report{Shape: checkShape}}
	c.read(objects)
	for _, obj := range objects {
		if obj.GroupVersionKind().Group != groupVersion.Group {
			continue
		}
		if path, found := eventprogram.TooLong(obj.Object); found {
			message := fmt.Sprintf("it is longer than %d bytes, and nothing else of the object was checked", eventprogram.MaxLength)
			c.report.Findings = append(c.report.Findings, checkExpression.At(finding.NameOf(obj), path, message))
			continue
		}
		root := c.report.Root(obj)
		switch Kind(obj.GetKind()) {
		case EventBusKind:
			c.checkBus(root)
		case EventSourceKind:
			c.checkSource(root, obj)
		case SensorKind:
			c.checkSensor(root, obj)
		}
	}
	return c.report.Sorted()
}

// checker holds what the rules need of the whole set.
type checker struct {
	report *finding.Report
	// buses and sources are those of the set by "namespace/name"; busesIn and sourcesIn tell of which namespaces it has any.
	buses, busesIn map[string]bool
	sources        map[string]sourceFacts
	sourcesIn      map[string]bool
	granted        grants
	controllers    controllers
}

// sourceFacts are what sensors need to know of an event source.
type sourceFacts struct {
	bus    string
	events map[string]bool
}

func (c *checker) read(objects []*unstructured.Unstructured) {
	c.buses, c.busesIn = map[string]bool{}, map[string]bool{}
	c.sources, c.sourcesIn = map[string]sourceFacts{}, map[string]bool{}
	for _, obj := range objects {
		key := obj.GetNamespace() + "/" + obj.GetName()
		switch {
		case isEventing(obj, EventBusKind):
			c.buses[key], c.busesIn[obj.GetNamespace()] = true, true
		case isEventing(obj, EventSourceKind):
			c.sources[key], c.sourcesIn[obj.GetNamespace()] = factsOf(obj), true
		}
	}
	c.granted = grantsOf(objects)
	c.controllers = controllersOf(objects)
}

func isEventing(obj *unstructured.Unstructured, kind Kind) bool {
	return obj.GroupVersionKind().Group == groupVersion.Group && Kind(obj.GetKind()) == kind
}

// factsOf reads an event source, whose faults are found elsewhere.
func factsOf(obj *unstructured.Unstructured) sourceFacts {
	spec := (&finding.Report{Shape: checkShape}).Root(obj).Child("spec")
	facts := sourceFacts{bus: busName(spec), events: map[string]bool{}}
	for _, kind := range sourceKinds(spec) {
		for _, name := range spec.Child(kind).Keys() {
			facts.events[name] = true
		}
	}
	return facts
}

// sourceKinds are the fields of an EventSource spec that hold events.
func sourceKinds(spec place) []string {
	return slices.DeleteFunc(spec.Keys(), func(name string) bool { return slices.Contains(nonSourceFields, name) })
}

// busName is the bus that an object uses.
func busName(spec place) string {
	if name := spec.Child("eventBusName").Text(); name != "" {
		return name
	}
	return DefaultEventBusName
}

// checkBusName finds a bus that is not there.
func (c *checker) checkBusName(spec place, namespace string) {
	name := busName(spec)
	switch {
	case c.buses[namespace+"/"+name]:
	case c.busesIn[namespace]:
		spec.Child("eventBusName").Report(checkUnknownBus, "namespace %s has no EventBus %q", namespace, name)
	default:
		spec.Child("eventBusName").Report(checkNoBus, "the set holds no EventBus of namespace %s", namespace)
	}
}
