package target

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// local is a cluster of this process. Its pods are processes of this machine.
type local struct{ *embedded.Cluster }

// Embedded starts a cluster that ends with Stop, and at the latest with this
// process.
func Embedded(ctx context.Context, options embedded.Options) (Target, error) {
	cluster, err := embedded.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	return local{cluster}, nil
}

// Endpoint is the same loopback address for everyone. The profiles of the
// components name their ports as their Services are named.
func (l local) Endpoint(_ context.Context, service Service) (Endpoint, error) {
	port, err := l.Port(service.Name)
	if err != nil {
		return Endpoint{}, fmt.Errorf("reach the Service %s: %w", service, err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return Endpoint{InCluster: address, Local: address, Listen: port}, nil
}

// Publish returns the directory as a URL: pods see the files of this machine.
func (l local) Publish(_ context.Context, dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("publish the git repository: %w", err)
	}
	return "file://" + filepath.ToSlash(dir), nil
}
