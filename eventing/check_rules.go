package eventing

import "github.com/controlbackbone/backbone/internal/finding"

// CheckRules returns every rule of Check, ordered by code.
func CheckRules() []CheckRule {
	return []CheckRule{
		checkShape, checkMissingField, checkIgnoredField, checkObjectName,
		checkPlainSecret, checkNoBus, checkUnknownBus, checkLegacyBus,
		checkQuorum, checkOpenBus, checkUnknownSource, checkUnknownEvent,
		checkOtherBus, checkDuplicateDependency, checkCollidingDependency, checkUnusedDependency,
		checkCondition, checkReset, checkUselessReset, checkExpression,
		checkExprVariable, checkFilterType, checkFilterValue, checkUnanchored,
		checkNotEqualAny, checkIgnoredComparator, checkComparator, checkLogicalOperator,
		checkTime, checkDuplicateTrigger, checkParameterSource, checkParameterOperation,
		checkCrash, checkIgnoredParameter, checkUnknownOperation, checkAtMostOnce,
		checkNoRetry, checkDeadLetter, checkBackOff, checkNanoseconds,
		checkRate, checkAnyStatus, checkPlainHTTP, checkRight,
		checkNoController, checkUnknownKind, checkDuplicateEvent, checkMixedSources,
		checkRoute, checkDuplicateRoute, checkNoAuthentication, checkNotExposed,
		checkSchedule,
	}
}

var (
	checkShape = finding.Rule{
		Code: "EVENTING001", Severity: finding.Error,
		Summary: "A field is not of the type that it must be.",
		Fix:     "write it as the documentation of the field says",
		Source:  "argo-events: pkg/apis/events/v1alpha1",
	}
	checkMissingField = finding.Rule{
		Code: "EVENTING002", Severity: finding.Error,
		Summary: "A field is missing without which the controller refuses the object, or the part of it never works.",
		Fix:     "set it",
		Source:  "argo-events: pkg/reconciler/{eventbus,eventsource,sensor}/validate.go",
	}
	checkIgnoredField = finding.Rule{
		Code: "EVENTING003", Severity: finding.Warning,
		Summary: "A field has no effect, because of another one or of where it is.",
		Fix:     "remove it, or what keeps it from counting",
		Source:  "argo-events: pkg/sensors, pkg/reconciler",
	}
	checkObjectName = finding.Rule{
		Code: "EVENTING004", Severity: finding.Error,
		Summary: "A name becomes a part of a subject or bucket on the bus, where it is not allowed.",
		Fix:     "use letters, digits and -",
		Source:  "argo-events: pkg/eventbus/jetstream",
	}
	checkPlainSecret = finding.Rule{
		Code: "EVENTING005", Severity: finding.Error,
		Summary: "Credentials are written in the object, where whoever may read it sees them.",
		Fix:     "put them into a Secret and select its key",
		Source:  "argo-events: examples, which select a key of a Secret",
	}
	checkNoBus = finding.Rule{
		Code: "EVENTING010", Severity: finding.Warning,
		Summary: "The namespace has no EventBus in the set; without one nothing is deployed.",
		Fix:     "add an EventBus to the namespace",
		Source:  "argo-events: pkg/reconciler/{eventsource,sensor}/resource.go",
	}
	checkUnknownBus = finding.Rule{
		Code: "EVENTING011", Severity: finding.Error,
		Summary: "The EventBus that an object names is not in its namespace.",
		Fix:     `name one that is there; the default is "default"`,
		Source:  "argo-events: pkg/reconciler/{eventsource,sensor}/resource.go",
	}
	checkLegacyBus = finding.Rule{
		Code: "EVENTING012", Severity: finding.Warning,
		Summary: "The bus is NATS Streaming, which its makers have given up.",
		Fix:     "use jetstream",
		Source:  "argo-events: docs/eventbus/stan.md",
	}
	checkQuorum = finding.Rule{
		Code: "EVENTING013", Severity: finding.Error,
		Summary: "A JetStream cluster of this size is refused.",
		Fix:     "use 1, or 3 and more",
		Source:  "argo-events: pkg/reconciler/eventbus/validate.go",
	}
	checkOpenBus = finding.Rule{
		Code: "EVENTING014", Severity: finding.Warning,
		Summary: "Whoever reaches the bus can read and send events.",
		Fix:     "set accessSecret, or sasl or tls for Kafka",
		Source:  "argo-events: pkg/apis/events/v1alpha1/eventbus_types.go",
	}
	checkUnknownSource = finding.Rule{
		Code: "EVENTING020", Severity: finding.Error,
		Summary: "A dependency names an EventSource that is not in the namespace: it waits for ever.",
		Fix:     "name one that is there",
		Source:  "argo-events: pkg/eventbus/jetstream/sensor/trigger_conn.go, Subscribe",
	}
	checkUnknownEvent = finding.Rule{
		Code: "EVENTING021", Severity: finding.Error,
		Summary: "A dependency names an event that its EventSource does not have: it waits for ever.",
		Fix:     "name one of the events of the source",
		Source:  "argo-events: pkg/eventbus/jetstream/sensor/trigger_conn.go, Subscribe",
	}
	checkOtherBus = finding.Rule{
		Code: "EVENTING022", Severity: finding.Error,
		Summary: "An EventSource and the Sensor that listens to it use different buses.",
		Fix:     "use the same eventBusName",
		Source:  "argo-events: pkg/eventbus/driver.go",
	}
	checkDuplicateDependency = finding.Rule{
		Code: "EVENTING023", Severity: finding.Error,
		Summary: "Two dependencies have one name, of which only the last counts.",
		Fix:     "give each a name of its own",
		Source:  "argo-events: pkg/sensors/listener.go, listenEvents",
	}
	checkCollidingDependency = finding.Rule{
		Code: "EVENTING024", Severity: finding.Error,
		Summary: "The names of two dependencies are the same in conditions, where _ stands for -.",
		Fix:     "rename one of them",
		Source:  "argo-events: pkg/sensors/listener.go, getDependencyExpression",
	}
	checkUnusedDependency = finding.Rule{
		Code: "EVENTING025", Severity: finding.Warning,
		Summary: "No trigger listens to a dependency.",
		Fix:     "name it in a condition, or remove it",
		Source:  "argo-events: pkg/sensors/listener.go, listenEvents",
	}
	checkCondition = finding.Rule{
		Code: "EVENTING026", Severity: finding.Error,
		Summary: "A condition does not compile: the sensor logs it, and never fires the trigger.",
		Fix:     "use names of dependencies with &&, || and parentheses",
		Source:  "argo-events: pkg/sensors/listener.go, getDependencyExpression",
	}
	checkReset = finding.Rule{
		Code: "EVENTING027", Severity: finding.Error,
		Summary: "The time at which a condition is reset cannot be read.",
		Fix:     "write five fields of cron, and a time zone of the tz database",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go",
	}
	checkUselessReset = finding.Rule{
		Code: "EVENTING028", Severity: finding.Warning,
		Summary: "A condition that waits for nothing is reset.",
		Fix:     "remove conditionsReset",
		Source:  "argo-events: pkg/eventbus/jetstream/sensor/trigger_conn.go",
	}
	checkExpression = finding.Rule{
		Code: "EVENTING030", Severity: finding.Error,
		Summary: "A pattern, expression, template or program does not compile: what it decides fails on every event.",
		Fix:     "correct it",
		Source:  "argo-events: pkg/sensors/dependencies, pkg/sensors/triggers/params.go",
	}
	checkExprVariable = finding.Rule{
		Code: "EVENTING031", Severity: finding.Error,
		Summary: "An expression uses a name that is none of its fields: it fails on every event.",
		Fix:     "add the field",
		Source:  "argo-events: pkg/sensors/dependencies/filter.go, filterExpr",
	}
	checkFilterType = finding.Rule{
		Code: "EVENTING032", Severity: finding.Error,
		Summary: "A data filter is of a type that is not known: it fails on every event.",
		Fix:     "use bool, number or string",
		Source:  "argo-events: pkg/sensors/dependencies/filter.go, filterData",
	}
	checkFilterValue = finding.Rule{
		Code: "EVENTING033", Severity: finding.Error,
		Summary: "The value of a bool or number filter is none: it fails on every event.",
		Fix:     "write true or false, or a number",
		Source:  "argo-events: pkg/sensors/dependencies/filter.go, filterData",
	}
	checkUnanchored = finding.Rule{
		Code: "EVENTING034", Severity: finding.Warning,
		Summary: "The value of a string filter is a pattern that is found anywhere in the text.",
		Fix:     "begin it with ^ and end it with $",
		Source:  "argo-events: pkg/sensors/dependencies/filter.go, filterData",
	}
	checkNotEqualAny = finding.Rule{
		Code: "EVENTING035", Severity: finding.Error,
		Summary: "A filter with != and several values lets every event through.",
		Fix:     "write one pattern with | between the values",
		Source:  "argo-events: pkg/sensors/dependencies/filter.go, filterData",
	}
	checkIgnoredComparator = finding.Rule{
		Code: "EVENTING036", Severity: finding.Error,
		Summary: "A comparator means nothing to the type of its filter.",
		Fix:     "use = or != on strings, = on booleans",
		Source:  "argo-events: pkg/sensors/dependencies/filter.go, filterData",
	}
	checkComparator = finding.Rule{
		Code: "EVENTING037", Severity: finding.Error,
		Summary: "A comparator is not known: the controller refuses the Sensor.",
		Fix:     "use one of =, !=, <, <=, >, >=",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go",
	}
	checkLogicalOperator = finding.Rule{
		Code: "EVENTING038", Severity: finding.Error,
		Summary: "A logical operator is not known: the controller refuses the Sensor.",
		Fix:     "use and or or",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go",
	}
	checkTime = finding.Rule{
		Code: "EVENTING039", Severity: finding.Error,
		Summary: "The times of a time filter cannot be read, or are the same.",
		Fix:     "write times like 08:00:00, and a time zone of the tz database",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go",
	}
	checkDuplicateTrigger = finding.Rule{
		Code: "EVENTING050", Severity: finding.Error,
		Summary: "Two triggers of a Sensor have one name: the controller refuses it.",
		Fix:     "give each a name of its own",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go",
	}
	checkParameterSource = finding.Rule{
		Code: "EVENTING051", Severity: finding.Error,
		Summary: "A parameter takes its value from a dependency that the trigger never has an event of.",
		Fix:     "name a dependency of the trigger's condition",
		Source:  "argo-events: pkg/sensors/triggers/params.go, ResolveParamValue",
	}
	checkParameterOperation = finding.Rule{
		Code: "EVENTING052", Severity: finding.Error,
		Summary: "The operation of a parameter is not known: the controller refuses the Sensor.",
		Fix:     "use append, overwrite or prepend",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go",
	}
	checkCrash = finding.Rule{
		Code: "EVENTING053", Severity: finding.Error,
		Summary: "The trigger can fire without an event for a parameter of its payload or headers, and the sensor's pod then crashes.",
		Fix:     "set src.value, or ask for the dependency in the condition",
		Source:  "argo-events: pkg/sensors/triggers/params.go, ConstructPayload",
	}
	checkIgnoredParameter = finding.Rule{
		Code: "EVENTING054", Severity: finding.Error,
		Summary: "A parameter has no effect, because upstream applies it and then uses the trigger without it.",
		Fix:     "move it to the parameters of the trigger's template",
		Source:  "argo-events: pkg/sensors/triggers/{slack,email,nats}",
	}
	checkUnknownOperation = finding.Rule{
		Code: "EVENTING055", Severity: finding.Error,
		Summary: "The operation of a trigger is not known: the controller refuses the Sensor.",
		Fix:     "use one that it knows",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go",
	}
	checkAtMostOnce = finding.Rule{
		Code: "EVENTING060", Severity: finding.Warning,
		Summary: "An event is lost when its trigger fails or the sensor's pod ends.",
		Fix:     "set atLeastOnce, and a retryStrategy",
		Source:  "argo-events: pkg/sensors/listener.go, triggerActions",
	}
	checkNoRetry = finding.Rule{
		Code: "EVENTING061", Severity: finding.Warning,
		Summary: "A trigger that fails is not tried again, and its event is lost.",
		Fix:     "set retryStrategy",
		Source:  "argo-events: pkg/sensors/listener.go, listenEvents",
	}
	checkDeadLetter = finding.Rule{
		Code: "EVENTING062", Severity: finding.Error,
		Summary: "A dead-letter trigger needs atLeastOnce on both: the controller refuses the Sensor.",
		Fix:     "set atLeastOnce on the trigger and on its dlqTrigger",
		Source:  "argo-events: pkg/reconciler/sensor/validate.go, validateDlqTrigger",
	}
	checkBackOff = finding.Rule{
		Code: "EVENTING063", Severity: finding.Error,
		Summary: "A back-off cannot be read: the trigger fails before its first try.",
		Fix:     "write a duration like 1s, and numbers without quotes",
		Source:  "argo-events: pkg/shared/util/retry.go, Convert2WaitBackoff",
	}
	checkNanoseconds = finding.Rule{
		Code: "EVENTING064", Severity: finding.Warning,
		Summary: "A duration without a unit counts nanoseconds.",
		Fix:     "write it with its unit, like 1s",
		Source:  "argo-events: pkg/shared/util/retry.go, Convert2WaitBackoff",
	}
	checkRate = finding.Rule{
		Code: "EVENTING065", Severity: finding.Error,
		Summary: "A rate limit cannot be kept.",
		Fix:     "set requestsPerUnit to at least 1, and unit to Second, Minute or Hour",
		Source:  "argo-events: pkg/sensors/listener.go, initRateLimiter",
	}
	checkAnyStatus = finding.Rule{
		Code: "EVENTING066", Severity: finding.Warning,
		Summary: "Any answer to an HTTP trigger counts as a success, errors of the server too.",
		Fix:     "list the statuses of success in policy.status.allow",
		Source:  "argo-events: pkg/sensors/triggers/http/http.go, ApplyPolicy",
	}
	checkPlainHTTP = finding.Rule{
		Code: "EVENTING067", Severity: finding.Warning,
		Summary: "Credentials go to a server without TLS.",
		Fix:     "use https",
		Source:  "argo-events: pkg/sensors/triggers/http/http.go",
	}
	checkRight = finding.Rule{
		Code: "EVENTING070", Severity: finding.Error,
		Summary: "The account of a pod lacks a right that it needs.",
		Fix:     "apply the objects of RBAC() of the Sensor or EventSource, and name the account in spec.template.serviceAccountName",
		Source:  "argo-events: pkg/sensors/triggers/standard-k8s, pkg/eventsources/sources/resource",
	}
	checkNoController = finding.Rule{
		Code: "EVENTING071", Severity: finding.Error,
		Summary: "A trigger writes into a namespace that the controller of the object does not look at.",
		Fix:     "write it where the controller looks, or let it look there",
		Source:  "argo-cd: docs/operator-manual/app-any-namespace.md; argo-workflows: docs/managed-namespace.md",
	}
	checkUnknownKind = finding.Rule{
		Code: "EVENTING080", Severity: finding.Error,
		Summary: "An event source is of a kind that is not known, and is ignored.",
		Fix:     "use one of the kinds of Argo Events 1.9",
		Source:  "argo-events: pkg/apis/events/v1alpha1/eventsource_types.go",
	}
	checkDuplicateEvent = finding.Rule{
		Code: "EVENTING081", Severity: finding.Error,
		Summary: "Two events of an EventSource have one name: the controller refuses it.",
		Fix:     "give each a name of its own",
		Source:  "argo-events: pkg/reconciler/eventsource/validate.go",
	}
	checkMixedSources = finding.Rule{
		Code: "EVENTING082", Severity: finding.Error,
		Summary: "Sources that are recreated and sources that are rolled out are in one EventSource: the controller refuses it.",
		Fix:     "make two EventSources",
		Source:  "argo-events: pkg/reconciler/eventsource/validate.go",
	}
	checkRoute = finding.Rule{
		Code: "EVENTING083", Severity: finding.Error,
		Summary: "The endpoint, port or method of a webhook cannot be served.",
		Fix:     "use a path, a port from 1 to 65535, and GET or POST",
		Source:  "argo-events: pkg/eventsources/sources/webhook/start.go",
	}
	checkDuplicateRoute = finding.Rule{
		Code: "EVENTING084", Severity: finding.Error,
		Summary: "Two webhooks have one port and endpoint, of which only one gets the requests.",
		Fix:     "give each an endpoint of its own",
		Source:  "argo-events: pkg/eventsources/common/webhook/webhook.go, startServer",
	}
	checkNoAuthentication = finding.Rule{
		Code: "EVENTING085", Severity: finding.Warning,
		Summary: "A webhook takes events from anybody who reaches its port.",
		Fix:     "select the secret that senders have",
		Source:  "argo-events: pkg/eventsources/common/webhook/webhook.go",
	}
	checkNotExposed = finding.Rule{
		Code: "EVENTING086", Severity: finding.Warning,
		Summary: "The port of a webhook is not in spec.service: no Service leads to it.",
		Fix:     "add the port to spec.service.ports",
		Source:  "argo-events: pkg/reconciler/eventsource/resource.go, buildService",
	}
	checkSchedule = finding.Rule{
		Code: "EVENTING087", Severity: finding.Error,
		Summary: "The schedule or interval of a calendar cannot be read.",
		Fix:     "write five fields of cron, or a duration like 10s",
		Source:  "argo-events: pkg/eventsources/sources/calendar/start.go",
	}
)
