package flow

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// headerTimeout is how long a client may take for the header of a request.
	headerTimeout = 10 * time.Second
	// shutdownGrace is how long requests are given to end with the flow.
	shutdownGrace = 5 * time.Second
)

var (
	errNoAddress = errors.New("pods of this cluster need a name or an address of this machine: give it with --address")
	errServesNot = errors.New("Example.Serves is not set")
)

// server is a handler that listens.
type server struct {
	http http.Server
	url  string
	// ended gets the one error of the listener.
	ended chan error
}

// Serve lets pods of the target send requests to a handler of this process, until the flow ends, and returns the URL
// at which they reach it, without a path. The handler is called by several requests at a time.
//
// On the embedded target it listens on the loopback interface, on a cluster with nodes of its own on all interfaces: it
// is open to everyone who reaches this machine, so the handler is to ask who calls. There Serve fails without
// --address, as nothing here knows by what address the nodes reach this machine.
func (f *Flow) Serve(ctx context.Context, handler http.Handler) (url string, err error) {
	s, err := listen(ctx, f.options, handler)
	if err != nil {
		return "", fmt.Errorf("serve HTTP to pods: %w", err)
	}
	f.servers = append(f.servers, s)
	return s.url, nil
}

// listen starts a server where the options let pods reach it.
func listen(ctx context.Context, o options, handler http.Handler) (*server, error) {
	if !o.serves {
		return nil, errServesNot
	}
	// A connected cluster has nodes elsewhere.
	host, at := "127.0.0.1", "127.0.0.1:0"
	if o.target == targetKubeconfig {
		host, at = o.address, ":0"
	}
	if host == "" {
		return nil, errNoAddress
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	s := &server{
		http:  http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout},
		url:   "http://" + net.JoinHostPort(host, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)),
		ended: make(chan error, 1),
	}
	go func() { s.ended <- s.http.Serve(listener) }()
	return s, nil
}

// stop lets the requests in flight end, and cuts off those that do not.
func (s *server) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, shutdownGrace, fmt.Errorf("requests did not end within %s", shutdownGrace))
	defer cancel()
	err := s.http.Shutdown(ctx)
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), s.http.Close())
	}
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	if err != nil {
		return fmt.Errorf("stop serving %s: %w", s.url, err)
	}
	return nil
}
