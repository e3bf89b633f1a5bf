// Package admission answers offline what Kyverno's admission controller would say to a request, with Kyverno's own engine
// of version 1.15.2.
//
// [New] compiles policies once: ClusterPolicy and Policy, the kinds of policies.kyverno.io, and Kubernetes' own admission
// policies, from package policy or from YAML (see [Load]). [Engine.Evaluate] takes a request and returns a verdict for each
// rule that it meets, the object as the policies change it, and the objects that they generate. An Engine is safe for
// concurrent use.
//
// What a policy asks a cluster for is given as [Data]. What is missing there makes the verdict [Error], with a
// [*MissingContextError] that says how to supply it; it is never passed over.
//
// A request holds what the API server adds to a manifest before it asks Kyverno. Package defaulting fills that in.
//
// In tests, [RequireDenied] and [RequireAllowed] evaluate a request and fail the test if the answer is another one.
//
// Kyverno logs through controller-runtime: a program that wants silence calls log.SetLogger(logr.Discard()).
//
// Importing this package needs two lines in the go.mod of the importing module, as this module's README.md has them:
//
//	replace (
//		go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc => go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.60.0
//		k8s.io/pod-security-admission => github.com/kyverno/pod-security-admission v0.0.0-20250314164903-c9a58987cebb
//	)
package admission
