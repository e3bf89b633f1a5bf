// Package target gives examples and integration tests a cluster to act on,
// wherever it comes from.
//
// [Embedded] starts one without containers, which ends with the process.
// [Connect] uses a cluster that exists, with nodes that pull images and run
// containers. On it a component is its upstream manifests, nearly unchanged;
// its Services are reached through the API server; and git repositories come
// from a small git server in the cluster.
//
// What is tested of a connected cluster: the API server of a real Kubernetes
// accepts the manifests of all components, and connecting, forwarding and
// publishing work on it, with pods that run as processes. The components
// themselves have only been run as the embedded target runs them, never from
// the images that these manifests pull.
package target

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// Target is a cluster that the components of the backbone can be installed on.
type Target interface {
	// Config is a copy of an administrator's client configuration.
	Config() *rest.Config
	// Kubeconfig is the path of a kubeconfig with the same rights.
	Kubeconfig() string
	// LogDir is where the target's own programs log; empty when it has none here.
	LogDir() string
	// Manifests are the objects that install a component on this target. Only
	// the components that the target was made with can be asked for.
	Manifests(ctx context.Context, name embedded.Component) ([]*unstructured.Unstructured, error)
	// Endpoint says where a Service is reached. The Service need not exist yet.
	Endpoint(ctx context.Context, service Service) (Endpoint, error)
	// Publish lets the cluster read the git repository in dir as it is
	// committed now, and returns its URL, the same each time. Call it again
	// after every commit.
	Publish(ctx context.Context, dir string) (url string, err error)
	// Retain leaves logs and data in place on Stop.
	Retain()
	// Stop ends what the target started. A cluster that it did not start lives on.
	Stop(ctx context.Context) error
}

// Service is a Service and its port, as they are in a cluster with containers.
type Service struct {
	Namespace, Name string
	Port            int
}

// Endpoint is where a Service is reached on a target.
type Endpoint struct {
	// InCluster is the host:port for pods.
	InCluster string
	// Local is the host:port for this process, until the target is stopped.
	Local string
	// Listen is the port on which the pod behind the Service is to listen.
	Listen int
}
