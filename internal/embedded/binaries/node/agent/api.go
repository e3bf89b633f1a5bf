package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/cert"
	utilexec "k8s.io/utils/exec"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/logfile"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/pod"
)

// listen opens the port of the kubelet API. Whoever connects must hold a
// client certificate of the given authority, because the API runs commands.
func listen(address, clientCA string) (net.Listener, error) {
	authority, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("read the authority of the kubelet API's clients: %w", err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", clientCA)
	}
	// The API server does not verify a kubelet's certificate unless told to.
	certificate, key, err := cert.GenerateSelfSignedCertKey(pod.IP, []net.IP{net.ParseIP(pod.IP)}, nil)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of the kubelet API: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the kubelet API: %w", err)
	}
	listener, err := tls.Listen("tcp", address, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		return nil, fmt.Errorf("open the port of the kubelet API: %w", err)
	}
	return listener, nil
}

// serve answers the kubelet API until the context ends.
func (p *pods) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: api.PodHandler(api.PodHandlerConfig{
			RunInContainer:        p.exec,
			PortForward:           p.forward,
			GetContainerLogs:      p.logs,
			GetPods:               p.list,
			GetPodsFromKubernetes: p.list,
			// A follower of a quiet log, or a shell, may be idle for long.
			StreamIdleTimeout: 4 * time.Hour, StreamCreationTimeout: 30 * time.Second,
		}, true),
		ReadHeaderTimeout: 30 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the kubelet API: %w", err)
	}
	return nil
}

func (p *pods) logs(ctx context.Context, namespace, name, container string, options api.ContainerLogOpts) (io.ReadCloser, error) {
	found, err := p.find(namespace, name)
	if err != nil {
		return nil, err
	}
	path, running, err := found.Log(container, options.Previous)
	if err != nil {
		return nil, err
	}
	return logfile.Read(ctx, path, options, running), nil
}

func (p *pods) exec(ctx context.Context, namespace, name, container string, command []string, attach api.AttachIO) error {
	if attach.TTY() {
		return errors.New("this node has no terminals for commands: leave out -t")
	}
	found, err := p.find(namespace, name)
	if err != nil {
		return err
	}
	// A nil stream must become a nil interface.
	var stdout, stderr io.Writer
	if attach.Stdout() != nil {
		stdout = attach.Stdout()
	}
	if attach.Stderr() != nil {
		stderr = attach.Stderr()
	}
	code, err := found.Exec(ctx, container, command, attach.Stdin(), stdout, stderr)
	if err == nil && code != 0 {
		err = utilexec.CodeExitError{Err: fmt.Errorf("exit status %d", code), Code: int(code)}
	}
	return err
}

// forward connects a stream to a port; all pods have the machine's.
func (p *pods) forward(ctx context.Context, namespace, name string, port int32, stream io.ReadWriteCloser) error {
	if _, err := p.find(namespace, name); err != nil {
		return err
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(pod.IP, strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		_, _ = io.Copy(connection, stream)
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}()
	_, err = io.Copy(stream, connection)
	return err
}

func (p *pods) list(context.Context) ([]*corev1.Pod, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*corev1.Pod, 0, len(p.running))
	for _, e := range p.running {
		list = append(list, e.pod.Object())
	}
	return list, nil
}
