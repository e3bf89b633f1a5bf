package probe_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/probe"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" || r.Header.Get("X-Key") != "1" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	port := func(server *httptest.Server) int32 {
		address, err := url.Parse(server.URL)
		require.NoError(t, err)
		number, err := strconv.Atoi(address.Port())
		require.NoError(t, err)
		return int32(number)
	}
	get := func(port intstr.IntOrString, scheme corev1.URIScheme, path string) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: port, Scheme: scheme, Path: path, HTTPHeaders: []corev1.HTTPHeader{{Name: "X-Key", Value: "1"}}}}
	}
	checker := probe.Checker{
		Host:      "127.0.0.1",
		Container: &corev1.Container{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port(plain)}}},
		Exec: func(ctx context.Context, command []string) (string, int32, error) {
			switch command[0] {
			case "hang":
				<-ctx.Done()
				return "", 0, ctx.Err()
			case "missing":
				return "", 0, errors.New("no such program")
			}
			code, err := strconv.ParseInt(command[0], 10, 32)
			return "said so", int32(code), err
		},
	}
	exec := func(command string) corev1.ProbeHandler {
		return corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{command}}}
	}
	tests := map[string]struct {
		handler corev1.ProbeHandler
		ok      bool
		message string
	}{
		"http by the name of the port":            {get(intstr.FromString("http"), "", "/healthz"), true, ""},
		"https without verifying the certificate": {get(intstr.FromInt32(port(secure)), corev1.URISchemeHTTPS, "/healthz"), true, ""},
		"http with another status":                {get(intstr.FromString("http"), "", "/none"), false, "statuscode: 404"},
		"http to a port that has no name":         {get(intstr.FromString("none"), "", "/"), false, "none"},
		"tcp to an open port":                     {corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}, true, ""},
		"tcp to a closed port":                    {corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(1)}}, false, "refused"},
		"grpc to a server that does not speak it": {corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 1}}, false, "1"},
		"a command that succeeds":                 {exec("0"), true, "said so"},
		"a command that fails":                    {exec("3"), false, "exit code 3: said so"},
		"a command that takes too long":           {exec("hang"), false, "timed out"},
		"a command that does not exist":           {exec("missing"), false, "no such program"},
		"nothing":                                 {corev1.ProbeHandler{}, false, "no action"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ok, message := checker.Check(t.Context(), &corev1.Probe{ProbeHandler: test.handler, TimeoutSeconds: 1})
			require.Equal(t, test.ok, ok, message)
			require.Contains(t, message, test.message)
		})
	}
}
