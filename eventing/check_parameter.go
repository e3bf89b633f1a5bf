package eventing

import (
	"slices"

	"github.com/controlbackbone/backbone/internal/eventcondition"
)

// checkParameters looks at all parameters of a trigger.
// argo-events: pkg/sensors/triggers/params.go
func (s *sensorCheck) checkParameters(trigger place, kind string, condition *eventcondition.Condition) {
	action := trigger.Child("template", kind)
	for _, parameter := range trigger.Child("parameters").Items() {
		s.checkParameter(parameter, condition, false)
		if parameter.Child("dest").Text() == "" {
			parameter.Child("dest").Report(checkMissingField, "a parameter of the template needs it")
		}
	}
	for _, parameter := range action.Child("parameters").Items() {
		s.checkParameter(parameter, condition, false)
		dest := parameter.Child("dest")
		switch {
		case dest.Text() == "":
			dest.Report(checkMissingField, "a parameter needs it")
		case kind == "slack" || kind == "email":
			parameter.Report(checkIgnoredParameter, "upstream sends the message without its own parameters")
		case kind == "nats" && writes(dest.Text(), "subject"):
			dest.Report(checkIgnoredParameter, "upstream takes the subject from before the parameters")
		}
	}
	for _, parameter := range action.Child("payload").Items() {
		s.checkParameter(parameter, condition, parameter.Child("dest").Text() != "")
		if parameter.Child("dest").Text() == "" && kind != "http" {
			parameter.Child("dest").Report(checkMissingField, "a parameter needs it")
		}
	}
	for _, parameter := range action.Child("dynamicHeaders").Items() {
		s.checkParameter(parameter, condition, true)
	}
}

// checkParameter looks at one parameter. A place that is filled without looking crashes the pod when there is no value.
func (s *sensorCheck) checkParameter(parameter place, condition *eventcondition.Condition, unguarded bool) {
	src := parameter.Child("src")
	name := src.Child("dependencyName")
	switch {
	case !src.Present():
		src.Report(checkMissingField, "a parameter needs it")
		return
	case name.Text() == "":
		name.Report(checkMissingField, "a parameter needs it")
	case !slices.Contains(s.dependencies, name.Text()):
		name.Report(checkParameterSource, "no dependency is named %q", name.Text())
	case condition != nil && !slices.Contains(condition.Names, name.Text()):
		name.Report(checkParameterSource, "the condition %q does not name %q, whose events the trigger never has", condition.Text, name.Text())
	case condition != nil && unguarded && !src.Child("value").Present() && condition.MayLack(name.Text()):
		src.Child("value").Report(checkCrash, "the condition %q holds without %q", condition.Text, name.Text())
	}
	switch parameter.Child("operation").Text() {
	case "", "append", "overwrite", "prepend":
	default:
		parameter.Child("operation").Report(checkParameterOperation, "%q is none of append, overwrite and prepend", parameter.Child("operation").Text())
	}
	checkTemplate(src.Child("dataTemplate"))
	checkTemplate(src.Child("contextTemplate"))
	for _, pair := range [][2]string{{"dataKey", "contextKey"}, {"dataTemplate", "contextTemplate"}, {"dataKey", "contextTemplate"}, {"dataTemplate", "contextKey"}} {
		if !src.Child(pair[0]).Empty() && !src.Child(pair[1]).Empty() {
			src.Child(pair[1]).Report(checkIgnoredField, "%s is set, and comes first", pair[0])
		}
	}
}
