// Package eventing turns Go values into Argo Events objects, waits for them to
// run, and receives what they send.
//
// Three builders describe how an event travels: an [EventBus] carries it, an
// [EventSource] receives it from outside, and a [Sensor] decides what happens.
// Each is a plain struct with two methods: Validate reports every fault with
// its path in the object, and Build returns the object, ready for server-side
// apply. Build never changes its receiver and fails with an Invalid API error,
// the same class the API server answers with. The path of a fault is that of the
// Go field, in lower camel case: triggers[0].trigger.application.
//
// What upstream leaves open is a closed choice here: [Bus], [Source],
// [DataFilter], [Transform], [ParameterSource], [Trigger] and [ObjectSource] are
// sealed interfaces, so a union with two members cannot be written. Where upstream
// has more members than this package, a Raw one takes the upstream fragment as it
// is. Credentials are written as a [SecretKey] only: where upstream would take
// them in plain, Validate refuses them and does not repeat them.
//
// Several upstream defaults lose events without saying so. Build replaces them:
// triggers are delivered at least once and retried, an HTTP trigger fails on an
// error status, and string filters match the whole value. Others trust whom they
// should not, and are replaced too: signatures of GitHub, GitLab and SNS are
// checked, and so are certificates. What upstream accepts and then ignores, or
// cannot do, is a fault with the path of the field.
//
// [Sensor.RBAC] and [EventSource.RBAC] return the ServiceAccount and the least
// Roles that the pods need: apply them with the object, whose pods run as that
// account. [Client.WaitReady] waits until the pods of the current spec run, and
// [Client.Trace] follows one event through their logs.
//
// [Check] reports what Argo Events would reject or silently ignore in a set of
// objects, whoever wrote them; package replay says what Sensors do with an event.
//
// At the other end a [Responder] takes what an [HTTPTrigger] sends, in an operator
// of your own: it knows the senders, handles each event once, tries again, keeps
// what cannot be handled, and shares all that between replicas through the API
// server when it is given a [KubernetesStore] and [KubernetesDeadLetters].
//
// [RollbackOnBurn], [PreviewPullRequests] and [GateSync] are recipes: they put all
// of these together.
package eventing
