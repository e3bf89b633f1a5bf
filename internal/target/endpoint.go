package target

import (
	"context"
	"fmt"
	"net"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func (s Service) String() string { return fmt.Sprintf("%s/%s:%d", s.Namespace, s.Name, s.Port) }

// Endpoint opens a port of this machine whose connections the API server
// carries to a ready pod behind the Service, another one when that is replaced.
// Where the Service exists already, Endpoint proves that they arrive; it gives
// a pod 10 seconds to become ready.
func (c *connected) Endpoint(ctx context.Context, service Service) (Endpoint, error) {
	forward, err := c.forward(ctx, service)
	if err != nil {
		return Endpoint{}, fmt.Errorf("reach the Service %s: %w", service, err)
	}
	tunnel, err := forward.open(ctx)
	switch {
	case err == nil:
		tunnel.Close()
	case !apierrors.IsNotFound(err):
		return Endpoint{}, fmt.Errorf("reach the Service %s: %w", service, err)
	}
	return Endpoint{
		InCluster: net.JoinHostPort(service.Name+"."+service.Namespace+".svc", strconv.Itoa(service.Port)),
		Local:     forward.address(),
		Listen:    service.Port,
	}, nil
}

// forward returns the one of the Service.
func (c *connected) forward(ctx context.Context, service Service) (*forward, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, errStopped
	}
	if found := c.forwards[service]; found != nil {
		return found, nil
	}
	started, err := startForward(ctx, c.kubeconfig.config, c.client, service)
	if err != nil {
		return nil, err
	}
	c.forwards[service] = started
	return started, nil
}
