// Package preview tells offline which Applications a set of ApplicationSets comes to, with Argo CD's own generators and
// template renderer: before the merge, without a cluster and without touching a working tree.
//
// [Load] reads the objects that a repository declares, from a [Checkout], a [Revision] of a repository, bare or not, or
// any other file system. [Expand] turns them into a [State], [Render] adds the manifests that each Application deploys,
// and [Compare] tells what becomes of them when the sources change. What Argo CD would ask other services for, such as
// clusters, repositories at SCM providers, pull requests and plugins, is given as data in [Inputs]; without it, a
// [MissingInputError] says what to add. Nothing in this package opens a network connection.
//
// The generators and the renderer are those of Argo CD 2.14. They log to logrus' standard logger; while a preview runs,
// what they log is left out there, and what others log is passed on. Hooks of that logger see all entries.
//
// Argo CD v2 calls functions that newer versions of two modules have removed. A module that imports this package needs
// these lines in its go.mod, as replace lines are not inherited:
//
//	replace github.com/cyphar/filepath-securejoin => github.com/cyphar/filepath-securejoin v0.3.6
//
//	replace go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc => go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.60.0
package preview
