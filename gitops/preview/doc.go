// Package preview tells offline which Applications a set of ApplicationSets comes to, with Argo CD's own generators and
// template renderer: before the merge, without a cluster and without touching a working tree.
//
// [Load] reads the objects that a repository declares, from a [Checkout], a [Revision] of a repository, bare or not, or
// any other file system. [Expand] turns them into a [State], [Render] adds the manifests that each Application deploys,
// and [Compare] tells what becomes of them when the sources change. What Argo CD would ask other services for, such as
// clusters, repositories at SCM providers, pull requests and plugins, is given as data in [Inputs]; without it, a
// [MissingInputError] says what to add. Nothing in this package opens a network connection.
//
// The generators and the renderer are those of Argo CD 2.14. They act on things that belong to the whole process:
//   - They log to logrus' standard logger. While a preview runs, that has another formatter, which leaves out what they
//     log and passes on what others log. Hooks of that logger see all entries.
//   - They set the global variables of github.com/gosimple/slug, as in Argo CD. Previews take turns with these; a program
//     that uses that package itself sets them before each use, and not while a preview runs.
//   - Kustomize writes its warnings of deprecated fields to standard error.
//
// All functions may be called from several goroutines at once. Content that takes too much is refused with
// [ErrTooLarge]: the limits are constants of this package. [Expand] and [Render] return as soon as their context is done,
// also from a template that never ends; give them one with a deadline where the content is not trusted. Code of Argo CD,
// Helm, kustomize or jsonnet that is at work then ends by itself.
//
// Argo CD v2 calls functions that newer versions of two modules have removed. A module that imports this package needs
// these lines in its go.mod, as replace lines are not inherited:
//
//	replace github.com/cyphar/filepath-securejoin => github.com/cyphar/filepath-securejoin v0.3.6
//
//	replace go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc => go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.60.0
package preview
