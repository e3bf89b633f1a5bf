// Package probe decides whether a container has started, is alive and is ready.
//
// The single checks are the kubelet's own (kubernetes: pkg/probe); when to run
// them and what their results mean together is decided here, by the rules of
// the Pod API.
package probe

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	kubeprobe "k8s.io/kubernetes/pkg/probe"
	grpcprobe "k8s.io/kubernetes/pkg/probe/grpc"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"
	tcpprobe "k8s.io/kubernetes/pkg/probe/tcp"
)

// Exec runs a command in the container and returns its output and exit code.
type Exec func(ctx context.Context, command []string) (output string, code int32, err error)

// Checker runs single checks of one container.
type Checker struct {
	// Host is the address of checks that name none.
	Host      string
	Container *corev1.Container
	Exec      Exec
}

// Check runs the probe's action once, within its timeout. The message says why
// it failed.
func (c Checker) Check(ctx context.Context, probe *corev1.Probe) (ok bool, message string) {
	timeout := max(time.Duration(probe.TimeoutSeconds)*time.Second, time.Second)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result, message, err := c.run(ctx, probe, timeout)
	if err != nil {
		return false, err.Error()
	}
	return result == kubeprobe.Success || result == kubeprobe.Warning, message
}

func (c Checker) run(ctx context.Context, probe *corev1.Probe, timeout time.Duration) (kubeprobe.Result, string, error) {
	switch {
	case probe.HTTPGet != nil:
		request, err := httpprobe.NewRequestForHTTPGetAction(probe.HTTPGet, c.Container, c.Host, "probe")
		if err != nil {
			return kubeprobe.Unknown, "", err
		}
		// As in the kubelet, certificates are not verified.
		return httpprobe.New(false).Probe(request.WithContext(ctx), timeout)
	case probe.TCPSocket != nil:
		port, err := kubeprobe.ResolveContainerPort(probe.TCPSocket.Port, c.Container)
		if err != nil {
			return kubeprobe.Unknown, "", err
		}
		return tcpprobe.New().Probe(c.host(probe.TCPSocket.Host), port, timeout)
	case probe.GRPC != nil:
		service := ""
		if probe.GRPC.Service != nil {
			service = *probe.GRPC.Service
		}
		return grpcprobe.New().Probe(c.Host, service, int(probe.GRPC.Port), timeout, grpcprobe.ProbeOptions{})
	case probe.Exec != nil:
		return c.exec(ctx, probe.Exec.Command)
	}
	return kubeprobe.Unknown, "", fmt.Errorf("the probe has no action")
}

func (c Checker) exec(ctx context.Context, command []string) (kubeprobe.Result, string, error) {
	output, code, err := c.Exec(ctx, command)
	switch {
	case ctx.Err() != nil:
		return kubeprobe.Failure, fmt.Sprintf("command %q timed out", command), nil //nolint:nilerr // running out of time is a verdict of the probe
	case err != nil:
		return kubeprobe.Unknown, "", err
	case code != 0:
		return kubeprobe.Failure, fmt.Sprintf("command %q ended with exit code %d: %s", command, code, output), nil
	}
	return kubeprobe.Success, output, nil
}

func (c Checker) host(host string) string {
	if host == "" {
		return c.Host
	}
	return host
}
