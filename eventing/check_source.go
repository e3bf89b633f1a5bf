package eventing

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/antonmedv/expr"
	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// webhookKinds are the sources that serve HTTP, with the field that selects the secret by which they know a sender. Those
// whose field is below the webhook authenticate with a bearer token.
// argo-events: pkg/eventsources/sources
var webhookKinds = map[string]string{
	"webhook": "authSecret", "github": "webhookSecret", "gitlab": "secretToken", "bitbucketserver": "webhookSecret",
	"slack": "signingSecret", "stripe": "webhook.authSecret", "bitbucket": "webhook.authSecret", "sns": "validateSignature",
	"storageGrid": "webhook.authSecret", "gerrit": "webhook.authSecret",
}

// recreated are the sources whose pods must not overlap. Others are rolled out, and one object cannot be both.
// argo-events: RecreateStrategyEventSources in pkg/apis/events/v1alpha1/const.go
var recreated = []string{
	"amqp", "azureEventsHub", "azureServiceBus", "calendar", "emitter", "file", "generic", "hdfs", "kafka", "minio", "mqtt",
	"nats", "nsq", "pubSub", "pulsar", "redis", "redisStream", "resource", "sftp",
}

// rolled are the other sources that upstream knows.
var rolled = []string{
	"azureQueueStorage", "bitbucket", "bitbucketserver", "gerrit", "github", "gitlab", "mns", "slack", "sns", "sqs",
	"storageGrid", "stripe", "webhook",
}

func (c *checker) checkSource(root place, obj *unstructured.Unstructured) {
	spec := root.Child("spec")
	name := root.Child("metadata", "name")
	if strings.Contains(obj.GetName(), ".") {
		name.Report(checkObjectName, "it is one token of the subject on the bus, which may hold no dot")
	}
	c.checkBusName(spec, obj.GetNamespace())
	kinds := sourceKinds(spec)
	if len(kinds) == 0 {
		spec.Report(checkMissingField, "an event source needs an event")
	}
	taken := map[string]string{}
	routes := map[string]string{}
	for _, kind := range kinds {
		events := spec.Child(kind)
		if !slices.Contains(recreated, kind) && !slices.Contains(rolled, kind) {
			events.Report(checkUnknownKind, "Argo Events 1.9.10 knows no source %q", kind)
			continue
		}
		for _, event := range events.Keys() {
			source := events.Child(event)
			if !eventName.MatchString(event) {
				source.Report(checkObjectName, "the name of an event is one token of the subject on the bus: letters, digits, - and _")
			}
			if other, known := taken[event]; known {
				source.Report(checkDuplicateEvent, "%s has an event of this name, too", other)
			}
			taken[event] = kind
			checkSourceFilter(source.Child("filter", "expression"), kind)
			if _, serves := webhookKinds[kind]; serves {
				checkWebhook(source, kind, spec, routes)
			}
			switch kind {
			case "calendar":
				checkCalendar(source)
			case "resource":
				checkResource(source)
			}
		}
	}
	c.checkMixed(spec, kinds)
	c.checkSourceRights(root, obj)
}

// checkMixed finds sources that cannot be in one object.
func (c *checker) checkMixed(spec place, kinds []string) {
	var first [2]string
	for _, kind := range kinds {
		switch {
		case slices.Contains(recreated, kind):
			first[0] = kind
		case slices.Contains(rolled, kind):
			first[1] = kind
		}
	}
	if first[0] != "" && first[1] != "" {
		spec.Child(first[0]).Report(checkMixedSources, "%s and %s cannot be in one EventSource", first[0], first[1])
	}
}

// checkWebhook looks at what serves HTTP.
// argo-events: pkg/eventsources/common/webhook
func checkWebhook(source place, kind string, spec place, routes map[string]string) {
	webhook := source
	if kind != "webhook" {
		webhook = source.Child("webhook")
	}
	endpoint, port := webhook.Child("endpoint"), webhook.Child("port")
	if endpoint.Text() == "" {
		endpoint.Report(checkMissingField, "it needs one")
	} else if !strings.HasPrefix(endpoint.Text(), "/") {
		endpoint.Report(checkRoute, "%q does not begin with a slash, and is never found", endpoint.Text())
	}
	served, err := strconv.Atoi(port.Text())
	switch {
	case port.Text() == "":
		port.Report(checkMissingField, "it needs one")
	case err != nil || len(validation.IsValidPortNum(served)) > 0:
		port.Report(checkRoute, "%q is no port", port.Text())
	}
	if kind == "webhook" && !slices.Contains([]string{"GET", "POST"}, webhook.Child("method").Text()) {
		webhook.Child("method").Report(checkRoute, "%q is neither GET nor POST, and every request is refused", webhook.Child("method").Text())
	}
	route := port.Text() + endpoint.Text()
	if other, taken := routes[route]; taken && endpoint.Text() != "" {
		endpoint.Report(checkDuplicateRoute, "%s serves it on the same port, and gets every request", other)
	}
	routes[route] = source.Path()
	checkAuthentication(source, kind)
	if err == nil && !exposes(spec.Child("service"), served) {
		port.Report(checkNotExposed, "spec.service has no port %d", served)
	}
}

// checkAuthentication finds a webhook that takes what anybody sends.
func checkAuthentication(source place, kind string) {
	field := source.Child(strings.Split(webhookKinds[kind], ".")...)
	bearer := source.Child("webhook", "authSecret")
	if kind == "webhook" {
		bearer = field
	}
	if kind == "sns" && field.Present() && !field.Flag(false) {
		field.Report(checkNoAuthentication, "signatures are not checked")
		return
	}
	if field.Empty() && bearer.Empty() {
		field.Report(checkNoAuthentication, "whoever reaches the port can send events")
	}
	for _, name := range source.Keys() {
		if text, plain := source.Child(name).Value().(string); plain && text != "" && isSecretField(name) {
			source.Child(name).Report(checkPlainSecret, "it is written in the object")
		}
	}
}

// isSecretField tells whether upstream has a secret in a field of this name.
func isSecretField(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "secret") || strings.HasSuffix(name, "token") || strings.HasSuffix(name, "password")
}

// exposes tells whether the service has a port. Without a service nobody outside the pod reaches it by name.
func exposes(service place, wanted int) bool {
	for _, port := range service.Child("ports").Items() {
		for _, field := range []string{"targetPort", "port"} {
			exposed, ok := number(port.Child(field))
			if ok && int(exposed) == wanted || port.Child(field).Value() == strconv.Itoa(wanted) {
				return true
			}
		}
	}
	return false
}

// checkSourceFilter compiles the expression by which a source lets events through. A resource has a filter of another form.
// argo-events: filterEvent in pkg/eventsources/eventing.go
func checkSourceFilter(expression place, kind string) {
	if expression.Text() == "" || kind == "resource" {
		return
	}
	if _, err := expr.Compile(expression.Text()); err != nil {
		expression.Report(checkExpression, "%v", err)
	}
}

// checkCalendar reads the schedule.
// argo-events: pkg/eventsources/sources/calendar/start.go
func checkCalendar(source place) {
	schedule, interval := source.Child("schedule"), source.Child("interval")
	if schedule.Text() == "" && interval.Text() == "" {
		schedule.Report(checkMissingField, "a calendar needs a schedule or an interval")
	}
	if schedule.Text() != "" {
		parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
		if _, err := parser.Parse(schedule.Text()); err != nil {
			schedule.Report(checkSchedule, "%v", err)
		}
		return // The interval is not looked at.
	}
	if _, err := time.ParseDuration(interval.Text()); interval.Text() != "" && err != nil {
		interval.Report(checkSchedule, "%q is no duration such as 10s", interval.Text())
	}
}

func checkResource(source place) {
	for _, name := range []string{"version", "resource", "eventTypes"} {
		if source.Child(name).Empty() {
			source.Child(name).Report(checkMissingField, "a resource source needs it")
		}
	}
}
