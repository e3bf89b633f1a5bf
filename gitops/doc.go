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
// [Folders] turns the folder convention of a GitOps repository into one project and one ApplicationSet per group.
// [Client] reads, refreshes, syncs and waits for Applications through the Kubernetes API alone.
package gitops
