// Package bootstrap installs the parts of a platform into a cluster, once.
//
// A [Plan] is a set of [Component] values that depend on each other. A
// component's objects come from a [Source]: manifest files ([Manifests]), Go
// values ([Objects]), a Helm chart (package bootstrap/helm), or any type with
// an Objects method.
//
//	client, err := bootstrap.NewClient(config, bootstrap.Options{})
//	result, err := client.Run(ctx, plan)
//
// # What a run does
//
// [Client.Run] renders every source and checks the whole plan before it writes
// anything. Components then start as soon as all they depend on is ready;
// independent ones run at the same time. Within a component,
// CustomResourceDefinitions and Namespaces are applied first, and when the
// definitions are established, everything else follows: one server-side apply
// PATCH per object, many at a time, and no other request. A component is ready
// when all its objects are, by the rules of [Readiness].
//
// Faults that pass by themselves are retried until the component's timeout: an
// API server that restarts or is overloaded, a webhook whose pod is not up yet,
// a kind whose definition has only just arrived. Everything else ends the
// component with a typed error: [ApplyError], [ConflictError] or
// [NotReadyError]. Components that do not depend on it go on to their end.
//
// # Once, and resumable
//
// What was installed is recorded in a ConfigMap in the cluster, the
// [Inventory]. A run that was interrupted anywhere is completed by the next
// one. A component that is recorded as ready with the same version and the same
// digest is left alone: nothing is sent for it, so that whoever owns its
// objects by then (Argo CD, an operator, a person) is not fought. A finished
// plan therefore writes nothing at all.
//
// A component that is recorded as ready with another version or digest is a
// wish to upgrade, which Run refuses with an [UpgradeRequiredError] before it
// writes anything, unless [Options.Upgrade] is set. Objects that an upgrade no
// longer contains stay in the cluster, listed as orphans, unless
// [Options.Prune] is set. A component that is no longer in the plan is left
// alone and stays in the inventory.
//
// # Ownership
//
// Objects are applied with the field manager [Options.FieldManager]. A field
// with another value that another manager owns is a [ConflictError] that names both, unless
// [Options.Force] is set, which takes the field over.
package bootstrap
