package eventing

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/controlbackbone/backbone/internal/eventcondition"
)

// triggerKinds are the fields of a trigger template that hold a trigger, in the order in which a sensor looks for one.
// argo-events: GetTrigger in pkg/sensors/trigger.go
var triggerKinds = []string{
	"k8s", "argoWorkflow", "http", "awsLambda", "azureEventHubs", "azureServiceBus", "kafka", "pulsar", "nats", "slack",
	"openWhisk", "custom", "log", "email",
}

// requiredFields are those without which the controller refuses a trigger, even if a parameter would fill them in.
// argo-events: pkg/reconciler/sensor/validate.go
var requiredFields = map[string][]string{
	"k8s":          {"source"},
	"argoWorkflow": {"source", "operation"},
	"http":         {"url"},
	"awsLambda":    {"functionName", "region", "payload"},
	"kafka":        {"url", "topic", "payload"},
	"nats":         {"url", "subject", "payload"},
	"slack":        {"slackToken"},
	"openWhisk":    {"host", "actionName", "payload"},
	"custom":       {"serverURL", "spec"},
	"email":        {"host"},
}

// neededFields are those without which every run of a trigger fails.
// argo-events: pkg/sensors/triggers
var neededFields = map[string][]string{
	"azureEventHubs":  {"fqdn", "hubName", "payload"},
	"azureServiceBus": {"payload"},
	"pulsar":          {"url", "topic", "payload"},
	"slack":           {"channel"},
	"email":           {"to", "subject", "body"},
}

// operations are those that the controller knows.
// argo-events: pkg/reconciler/sensor/validate.go
var operations = map[string][]string{
	"k8s":          {"create", "update", "patch", "delete"},
	"argoWorkflow": {"submit", "submit-from", "suspend", "retry", "resume", "resubmit", "terminate", "stop"},
	"http":         httpMethods,
}

func (s *sensorCheck) checkTrigger(trigger place) {
	template := trigger.Child("template")
	if !template.Present() {
		template.Report(checkMissingField, "a trigger needs it")
		return
	}
	if template.Child("name").Text() == "" {
		template.Child("name").Report(checkMissingField, "a trigger needs it")
	}
	condition := s.checkCondition(template)
	checkResets(template, condition)
	s.checkAction(trigger, condition)
	checkDelivery(trigger)
	checkRateLimit(trigger.Child("rateLimit"))
	dead := trigger.Child("dlqTrigger")
	if !dead.Present() {
		return
	}
	for _, once := range []place{trigger.Child("atLeastOnce"), dead.Child("atLeastOnce")} {
		if !once.Flag(false) {
			once.Report(checkDeadLetter, "it is not set")
		}
	}
	if !dead.Child("template").Present() {
		dead.Child("template").Report(checkMissingField, "a trigger needs it")
		return
	}
	s.checkAction(dead, condition)
}

// checkAction looks at what a trigger does.
func (s *sensorCheck) checkAction(trigger place, condition *eventcondition.Condition) {
	template := trigger.Child("template")
	var kinds []string
	for _, kind := range triggerKinds {
		if template.Child(kind).Present() {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		template.Report(checkMissingField, "it names none of %s", strings.Join(triggerKinds, ", "))
		return
	}
	for _, ignored := range kinds[1:] {
		template.Child(ignored).Report(checkIgnoredField, "the template has %s, and a sensor runs one trigger of a template", kinds[0])
	}
	action := template.Child(kinds[0])
	checkRequired(trigger, kinds[0])
	s.checkParameters(trigger, kinds[0], condition)
	checkPolicy(trigger, kinds[0])
	switch kinds[0] {
	case "http":
		checkHTTP(action)
	case "kafka", "nats", "pulsar":
		checkPlainURL(action.Child("url"))
	case "k8s", "argoWorkflow":
		s.checkWhere(action)
	}
}

// checkRequired finds what an action lacks.
func checkRequired(trigger place, kind string) {
	action := trigger.Child("template", kind)
	for _, name := range requiredFields[kind] {
		if action.Child(name).Empty() {
			action.Child(name).Report(checkMissingField, "a trigger of this kind needs it")
		}
	}
	filled := parameterTargets(trigger.Child("parameters"))
	for _, name := range neededFields[kind] {
		given := func(to string) bool { return writes(to, kind+"."+name) || strings.HasPrefix(to, kind+"."+name+".") }
		if action.Child(name).Empty() && !slices.ContainsFunc(filled, given) {
			action.Child(name).Report(checkMissingField, "a trigger of this kind needs it")
		}
	}
	field := action.Child("operation")
	if kind == "http" {
		field = action.Child("method")
	}
	if known := operations[kind]; known != nil && field.Text() != "" && !slices.Contains(known, field.Text()) {
		field.Report(checkUnknownOperation, "%q is none of %s", field.Text(), strings.Join(known, ", "))
	}
}

// parameterTargets are the paths that parameters write to.
func parameterTargets(parameters place) []string {
	var targets []string
	for _, parameter := range parameters.Items() {
		targets = append(targets, parameter.Child("dest").Text())
	}
	return targets
}

// checkDelivery finds what happens to an event whose trigger fails.
// argo-events: triggerActions in pkg/sensors/listener.go
func checkDelivery(trigger place) {
	retry := trigger.Child("retryStrategy")
	switch once := trigger.Child("atLeastOnce").Flag(false); {
	case !once && retry.Present():
		retry.Report(checkIgnoredField, "without atLeastOnce a trigger is tried once")
	case !once:
		trigger.Child("atLeastOnce").Report(checkAtMostOnce, "it is not set")
	case !retry.Present():
		retry.Report(checkNoRetry, "it is not set")
	}
	checkBackoff(retry)
	checkBackoff(trigger.Child("policy", "k8s", "backoff"))
}

// checkBackoff reads a back-off as a sensor does when it retries: one that it cannot read fails the trigger before its
// first try.
// argo-events: Convert2WaitBackoff in pkg/shared/util/retry.go
func checkBackoff(backoff place) {
	if !backoff.Present() {
		return
	}
	switch duration := backoff.Child("duration").Value().(type) {
	case string:
		if _, err := time.ParseDuration(duration); err != nil {
			backoff.Child("duration").Report(checkBackOff, "%q is no duration such as 1s", duration)
		}
	case int64, float64:
		backoff.Child("duration").Report(checkNanoseconds, "%v is taken for nanoseconds", duration)
	}
	for _, name := range []string{"factor", "jitter"} {
		if backoff.Child(name).Present() {
			if _, ok := number(backoff.Child(name)); !ok {
				backoff.Child(name).Report(checkBackOff, "%v is no number", backoff.Child(name).Value())
			}
		}
	}
}

// number reads an int-or-string that upstream takes as a number. A text is none to the parser of its API.
func number(field place) (float64, bool) {
	switch value := field.Value().(type) {
	case int64:
		return float64(value), true
	case float64:
		return value, true
	default:
		return 0, false
	}
}

func checkRateLimit(limit place) {
	if !limit.Present() {
		return
	}
	if requests, ok := number(limit.Child("requestsPerUnit")); !ok || requests < 1 {
		limit.Child("requestsPerUnit").Report(checkRate, "the sensor's pod divides by it")
	}
	if unit := limit.Child("unit"); !slices.Contains([]string{"", "Second", "Minute", "Hour"}, unit.Text()) {
		unit.Report(checkRate, "%q is taken for Second", unit.Text())
	}
}

// checkPolicy finds policies that the controller refuses or a sensor does not look at.
// argo-events: validateTriggerPolicy in pkg/reconciler/sensor/validate.go
func checkPolicy(trigger place, kind string) {
	policy := trigger.Child("policy")
	wanted := map[string]string{"k8s": "k8s", "argoWorkflow": "k8s", "http": "status", "awsLambda": "status"}[kind]
	for _, name := range policy.Keys() {
		if name != wanted {
			policy.Child(name).Report(checkIgnoredField, "a trigger of kind %s does not look at it", kind)
		}
	}
	status, labels := policy.Child("status"), policy.Child("k8s")
	switch {
	case wanted == "status" && status.Present() && status.Child("allow").Empty():
		status.Child("allow").Report(checkMissingField, "a policy needs it")
	case kind == "http" && !status.Present():
		status.Child("allow").Report(checkAnyStatus, "it is not set")
	case wanted == "k8s" && labels.Present() && labels.Child("labels").Empty():
		labels.Child("labels").Report(checkMissingField, "a policy needs it")
	}
}

// checkHTTP finds credentials that anybody who reads the Sensor, or the network, can see.
func checkHTTP(action place) {
	headers := action.Child("headers")
	for _, name := range headers.Keys() {
		if slices.Contains(credentialHeaders, strings.ToLower(name)) {
			headers.Child(name).Report(checkPlainSecret, "the header carries credentials")
		}
	}
	checkPlainURL(action.Child("url"))
	secret := !action.Child("secureHeaders").Empty() || action.Child("basicAuth").Present()
	if parsed, err := url.Parse(action.Child("url").Text()); secret && err == nil && parsed.Scheme == "http" {
		action.Child("url").Report(checkPlainHTTP, "credentials go over the network as they are")
	}
}

func checkPlainURL(text place) {
	parsed, err := url.Parse(text.Text())
	if err != nil {
		return // Upstream has formats of its own, such as several hosts.
	}
	if _, set := parsed.User.Password(); set {
		text.Report(checkPlainSecret, "the URL carries a password")
	}
}
