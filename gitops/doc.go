// Package gitops declares Argo CD's layer of the platform (AppProjects, ApplicationSets, Applications) as Go values and
// operates Applications from Go, without argocd-server.
//
// Every builder is a plain struct. Validate reports all of its faults at once; Build turns it into an object that holds
// only the fields that were meant, ready for server-side apply or YAML. A fault's path names the Go field in lower camel
// case, with indices and keys in brackets: `generators[0].repoURL`, `template.destination.server`. Both work on copies:
// values can be shared and built concurrently. Whoever works with Argo CD's own types converts an object in one line:
// runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &application).
//
// The defaults are the platform's conventions: automated sync with prune and self-heal, server-side apply, only
// out-of-sync resources applied, Go templates that fail on a missing key. Objects follow the CRDs of Argo CD 2.14 and
// 3.x.
//
// # Objects
//
// [AppProject], [ApplicationSet] and [Application] are Argo CD's resources; [Folders] turns the folder convention of a
// GitOps repository into one project and one ApplicationSet per group. [SetSyncWave], [SetHook], [SetSyncOptions] and
// [SetTracking] annotate any object, and [SyncOrder] tells in which order Argo CD applies a set of them.
//
// # Checks
//
// [Check] reports what Argo CD would reject, or silently ignore, in a set of objects, whoever wrote them;
// [CheckResources] what a project does not let an Application deploy; [CheckOrder] what is applied before the things it
// needs. Codes are stable. The package gitops/preview expands ApplicationSets offline, and checks what they come to.
//
// # Operations
//
// [Client] lists, watches, refreshes, syncs, terminates, rolls back and deletes Applications through the Kubernetes API
// alone, and waits for them. [Client.Rollback] stays in force although the Application is synced automatically.
package gitops
