package target

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// forward carries the connections to a port of this machine to a Service, each
// through a tunnel of its own, so that one lost with its pod is not missed by
// the next.
type forward struct {
	config   *rest.Config
	client   client.WithWatch
	service  Service
	listener net.Listener

	cancel      context.CancelFunc
	connections sync.WaitGroup
}

// startForward opens the port, until the forward is closed. Connections that
// cannot be carried are reset, and the reason is logged.
func startForward(ctx context.Context, config *rest.Config, c client.WithWatch, service Service) (*forward, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a local port: %w", err)
	}
	f := &forward{config: config, client: c, service: service, listener: listener}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.connections.Go(func() { f.accept(ctx) })
	return f, nil
}

// address is the host:port of this machine.
func (f *forward) address() string { return f.listener.Addr().String() }

// close ends the port and its connections.
func (f *forward) close() {
	f.cancel()
	f.listener.Close()
	f.connections.Wait()
}

func (f *forward) accept(ctx context.Context) {
	for {
		connection, err := f.listener.Accept()
		if err != nil {
			if ctx.Err() == nil {
				logr.FromContextOrDiscard(ctx).Error(err, "Stopped forwarding", "service", f.service.String())
			}
			return
		}
		f.connections.Go(func() {
			defer connection.Close()
			if err := f.carry(ctx, connection); err != nil && ctx.Err() == nil {
				logr.FromContextOrDiscard(ctx).Error(err, "Lost a connection", "service", f.service.String())
				reset(connection)
			}
		})
	}
}

// reset closes the connection in a way that its other end takes for a failure.
func reset(connection net.Conn) {
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	connection.Close()
}

// open makes a tunnel to a ready pod.
func (f *forward) open(ctx context.Context) (*tunnel, error) {
	backend, err := findBackend(ctx, f.client, f.service)
	if err != nil {
		return nil, err
	}
	return openTunnel(ctx, f.config, backend)
}

// carry copies both ways until the pod has said everything.
func (f *forward) carry(ctx context.Context, connection net.Conn) error {
	tunnel, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer tunnel.Close()
	stop := context.AfterFunc(ctx, func() {
		tunnel.Close()
		connection.Close()
	})
	defer stop()
	f.connections.Go(func() {
		// Ends with the connection at the latest; the pod then learns that
		// nothing more will come.
		_, _ = io.Copy(tunnel, connection)
		tunnel.CloseWrite()
	})
	if _, err := io.Copy(connection, tunnel); err != nil {
		return fmt.Errorf("carry the answer of pod %s: %w", tunnel.backend.pod, err)
	}
	return tunnel.failure()
}
