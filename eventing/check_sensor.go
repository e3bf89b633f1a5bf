package eventing

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/eventcondition"
)

// sensorCheck is the check of one Sensor.
type sensorCheck struct {
	*checker
	namespace string
	// dependencies are the names in their order, with duplicates.
	dependencies []string
	// used are those that a working trigger listens to.
	used map[string]bool
}

func (c *checker) checkSensor(root place, obj *unstructured.Unstructured) {
	spec := root.Child("spec")
	s := &sensorCheck{checker: c, namespace: obj.GetNamespace(), used: map[string]bool{}}
	if strings.Contains(obj.GetName(), ".") {
		root.Child("metadata", "name").Report(checkObjectName, "a sensor on JetStream keeps its state in a bucket of this name, which may hold no dot")
	}
	c.checkBusName(spec, s.namespace)
	s.checkDependencies(spec)
	names := map[string]bool{}
	triggers := spec.Child("triggers").Items()
	if len(triggers) == 0 {
		spec.Child("triggers").Report(checkMissingField, "a sensor needs a trigger")
	}
	for _, trigger := range triggers {
		template := trigger.Child("template")
		if name := template.Child("name"); names[name.Text()] && name.Text() != "" {
			name.Report(checkDuplicateTrigger, "another trigger is named %q", name.Text())
		}
		names[template.Child("name").Text()] = true
		s.checkTrigger(trigger)
	}
	for _, dependency := range spec.Child("dependencies").Items() {
		if name := dependency.Child("name"); name.Text() != "" && !s.used[name.Text()] {
			name.Report(checkUnusedDependency, "no trigger listens to %q", name.Text())
		}
	}
	s.checkRights(root, obj)
}

func (s *sensorCheck) checkDependencies(spec place) {
	items := spec.Child("dependencies").Items()
	if len(items) == 0 {
		spec.Child("dependencies").Report(checkMissingField, "a sensor needs a dependency")
	}
	keys := map[string]string{}
	for _, dependency := range items {
		name := dependency.Child("name")
		for _, field := range []string{"name", "eventSourceName", "eventName"} {
			if dependency.Child(field).Text() == "" {
				dependency.Child(field).Report(checkMissingField, "a dependency needs it")
			}
		}
		s.dependencies = append(s.dependencies, name.Text())
		key := conditionKey(name.Text())
		switch other, taken := keys[key]; {
		case taken && other == name.Text():
			name.Report(checkDuplicateDependency, "two dependencies are named %q, and only the last counts", other)
		case taken:
			name.Report(checkCollidingDependency, "in conditions it is the same as %q, because %q stands for %q", other, "_", "-")
		}
		keys[key] = name.Text()
		s.checkEvent(dependency, spec)
		checkFilters(dependency)
		checkTransform(dependency.Child("transform"))
	}
}

// checkEvent finds an event that nobody sends.
func (s *sensorCheck) checkEvent(dependency, spec place) {
	source, event := dependency.Child("eventSourceName"), dependency.Child("eventName")
	facts, known := s.sources[s.namespace+"/"+source.Text()]
	switch {
	case source.Text() == "" || !known && !s.sourcesIn[s.namespace]:
	case !known:
		source.Report(checkUnknownSource, "namespace %s has no EventSource %q", s.namespace, source.Text())
	case event.Text() != "" && !facts.events[event.Text()]:
		event.Report(checkUnknownEvent, "the EventSource %s has no event %q", source.Text(), event.Text())
	case facts.bus != busName(spec):
		source.Report(checkOtherBus, "the EventSource %s sends to the bus %q, and the sensor listens to %q", source.Text(), facts.bus, busName(spec))
	}
}

// checkCondition returns the condition of a trigger, nil if it does not compile.
func (s *sensorCheck) checkCondition(template place) *eventcondition.Condition {
	written := template.Child("conditions")
	condition, err := eventcondition.Compile(written.Text(), s.dependencies)
	if err != nil {
		if len(s.dependencies) > 0 {
			written.Report(checkCondition, "%v", err)
		}
		return nil
	}
	for _, name := range condition.Names {
		s.used[name] = true
	}
	return condition
}

// checkReset finds what the controller refuses.
// argo-events: validateTriggerTemplate in pkg/reconciler/sensor/validate.go
func checkResets(template place, condition *eventcondition.Condition) {
	resets := template.Child("conditionsReset")
	for _, reset := range resets.Items() {
		byTime := reset.Child("byTime")
		if !byTime.Present() {
			reset.Report(checkReset, "it has no byTime")
			continue
		}
		parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
		if _, err := parser.Parse(byTime.Child("cron").Text()); err != nil {
			byTime.Child("cron").Report(checkReset, "%v", err)
		}
		if _, err := time.LoadLocation(byTime.Child("timezone").Text()); err != nil {
			byTime.Child("timezone").Report(checkReset, "%v", err)
		}
	}
	if !resets.Empty() && condition != nil && !condition.Waits {
		resets.Report(checkUselessReset, "the condition %q never waits for a second event", condition.Text)
	}
}
