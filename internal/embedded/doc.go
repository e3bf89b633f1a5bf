// Package embedded is a real Kubernetes without containers, for examples and
// tests: etcd, the API server, the controller manager and the scheduler, and a
// local node that runs pods' containers as host processes.
//
// All programs are built from the Go module proxy into the user's cache
// directory on first use, from the nested modules under binaries/. A cluster
// keeps its data in a temporary directory and ends with the process that
// started it, however that dies.
//
// [Cluster.Manifests] gives the manifests that install a [Component]: those of
// exactly the version its programs are built from, with the changes that the
// kustomizations under profiles/ list.
package embedded
