package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// tunnel is one connection to a port of a pod, through the API server.
type tunnel struct {
	backend    backend
	connection httpstream.Connection
	data       httpstream.Stream
	// failed receives what the node says about the connection, nil if nothing.
	failed chan error
}

// openTunnel connects to the pod, over WebSockets where the API server and what
// is before it know that (Kubernetes 1.31), else over SPDY.
func openTunnel(ctx context.Context, config *rest.Config, to backend) (*tunnel, error) {
	dialer, err := podDialer(config, to)
	if err != nil {
		return nil, fmt.Errorf("prepare a port-forward to pod %s: %w", to.pod, err)
	}
	connection, err := dial(ctx, dialer)
	if err != nil {
		return nil, fmt.Errorf("forward to port %d of pod %s: %w", to.port, to.pod, err)
	}
	t := &tunnel{backend: to, connection: connection, failed: make(chan error, 1)}
	if err := t.createStreams(); err != nil {
		t.Close()
		return nil, fmt.Errorf("forward to port %d of pod %s: %w", to.port, to.pod, err)
	}
	return t, nil
}

func podDialer(config *rest.Config, to backend) (httpstream.Dialer, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	url := clients.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(to.pod.Namespace).Name(to.pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	overWebsocket, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	if err != nil {
		return nil, err
	}
	overSPDY := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	return portforward.NewFallbackDialer(overWebsocket, overSPDY, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// dial ends with the context; the dialers know none.
func dial(ctx context.Context, dialer httpstream.Dialer) (httpstream.Connection, error) {
	type answer struct {
		connection httpstream.Connection
		err        error
	}
	answers := make(chan answer, 1)
	go func() {
		connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		answers <- answer{connection, err}
	}()
	select {
	case a := <-answers:
		return a.connection, a.err
	case <-ctx.Done():
		go func() {
			if late := <-answers; late.err == nil {
				late.connection.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// createStreams opens the pair of streams that make one forwarded connection:
// see k8s.io/kubelet/pkg/cri/streaming/portforward, which pairs them by their id.
func (t *tunnel) createStreams() error {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(t.backend.port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failures, err := t.connection.CreateStream(headers)
	if err != nil {
		return err
	}
	failures.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if t.data, err = t.connection.CreateStream(headers); err != nil {
		return err
	}
	go func() {
		message, err := io.ReadAll(failures)
		if err == nil && len(message) > 0 {
			err = errors.New(string(message))
		}
		t.failed <- err
	}()
	return nil
}

// failure waits for the node's word on a connection whose data has ended.
func (t *tunnel) failure() error {
	// Data that nobody reads any more would hold that word back.
	_ = t.data.Reset()
	if err := <-t.failed; err != nil {
		return fmt.Errorf("forward to port %d of pod %s: %w", t.backend.port, t.backend.pod, err)
	}
	return nil
}

func (t *tunnel) Read(p []byte) (int, error)  { return t.data.Read(p) }
func (t *tunnel) Write(p []byte) (int, error) { return t.data.Write(p) }

// CloseWrite tells the pod that nothing more will come.
func (t *tunnel) CloseWrite() { t.data.Close() }

// Close ends the connection.
func (t *tunnel) Close() { t.connection.Close() }
