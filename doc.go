// Package backbone is the front page of an SDK for the control backbone of an
// internal developer platform: one predictable path from intent to action.
//
// It holds no code. Import the package that fits the layer of change:
//
//   - [github.com/controlbackbone/backbone/bootstrap] installs control planes and
//     base services once: ordered, resumable, with real readiness.
//   - [github.com/controlbackbone/backbone/gitops] declares what Argo CD reconciles
//     continuously, AppProjects, ApplicationSets and Applications, and operates them.
//   - [github.com/controlbackbone/backbone/policy] turns conventions into Kyverno
//     policies.
//   - [github.com/controlbackbone/backbone/eventing] turns events into actions with
//     Argo Events.
//   - [github.com/controlbackbone/backbone/secrets] brings secrets from Vault to
//     Kubernetes with External Secrets.
//   - [github.com/controlbackbone/backbone/drift] tells what was changed by hand and
//     whether it was healed.
//
// Every builder is a plain struct with two methods: Validate reports all faults
// at once with their paths, and Build returns an unstructured object that holds
// only what was meant, ready for server-side apply or YAML. Clients act on a
// live cluster by server-side apply and patches, take deadlines from the
// context, and return typed errors.
package backbone
